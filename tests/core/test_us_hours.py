"""The hours of the United States, by the state of a number's area code."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from app.core.gate import Scope
from app.core.models import Purpose
from app.core.services import Services
from app.core.us_hours import is_quiet_by_law

NEW_YORK, FLORIDA = "+12124567890", "+13054567890"
CONNECTICUT, TEXAS = "+18604567890", "+15124567890"
TUESDAY, SUNDAY = 24, 22


@pytest.mark.parametrize(
    ("number", "day", "first", "last"),
    [
        (NEW_YORK, TUESDAY, 8, 20),
        (FLORIDA, TUESDAY, 8, 19),
        ("+13015550100", TUESDAY, 8, 19),  # Maryland
        ("+16015550100", TUESDAY, 8, 19),  # Mississippi
        ("+12015550100", TUESDAY, 8, 19),  # New Jersey
        ("+14055550100", TUESDAY, 8, 19),  # Oklahoma
        (CONNECTICUT, TUESDAY, 9, 19),
        (TEXAS, TUESDAY, 8, 20),
        (TEXAS, SUNDAY, 12, 20),
    ],
)
def test_each_state_has_its_hours(number: str, day: int, first: int, last: int):
    """The first and the last whole hour in which marketing may go, and none outside."""
    day_there = datetime(2026, 11, day, 0, 30, tzinfo=ZoneInfo("America/New_York"))
    allowed = [
        hour for hour in range(24) if not is_quiet_by_law(number, day_there.replace(hour=hour))
    ]
    assert (allowed[0], allowed[-1]) == (first, last)
    assert len(allowed) == last - first + 1


def test_a_program_with_quiet_hours_keeps_the_states_too(services: Services, clock):
    """At 20:30 in Florida the program's own hours would allow it; in New York it goes."""
    services.programs.edit("default", {"quiet": "21:00-08:00"})
    clock.now = datetime(2026, 11, TUESDAY, 20, 30, tzinfo=ZoneInfo("America/New_York"))

    numbers = [FLORIDA, NEW_YORK]
    decisions = services.gate.check(numbers, Scope("default", Purpose.MARKETING))
    assert [each.reason for each in decisions] == ["quiet_hours", None]
