"""Quiet hours on the recipient's clock, and a cap on how often: decided by the gate, for all."""

from datetime import UTC, datetime, time

import phonenumbers
import pytest
from phonenumbers.timezone import time_zones_for_number

from app.core.errors import InvalidInputError, NotSentError, Reason
from app.core.gate import Scope
from app.core.models import Purpose
from app.core.phone import PhoneReader
from app.core.timing import QUIET, TOO_OFTEN, quiet_numbers, zones_of
from tests.making import PERSON, draft, text

ROME, NEW_YORK, LOS_ANGELES = PERSON, "+12125550123", "+12135550123"
TOLL_FREE = "+18005550199"  # anywhere in North America
NIGHT = (time(20), time(9))


def quiet_at(number: str, hour: int, span=NIGHT) -> bool:
    phone = PhoneReader("IT", "made up for tests").read_sender(number)
    return bool(quiet_numbers([phone], *span, datetime(2026, 11, 24, hour, tzinfo=UTC)))


@pytest.mark.parametrize(
    ("number", "hour", "quiet"),
    [
        (ROME, 7, True),  # 8:00 there
        (ROME, 8, False),
        (ROME, 18, False),  # 19:00
        (ROME, 19, True),
        (NEW_YORK, 13, True),  # 8:00
        (NEW_YORK, 14, False),
        (LOS_ANGELES, 14, True),  # 6:00
        (LOS_ANGELES, 17, False),
        (TOLL_FREE, 14, True),  # in the west it is night
    ],
)
def test_the_recipients_clock_counts(number, hour, quiet):
    """Where a number may be in several zones, it is quiet while it is in any of them."""
    assert quiet_at(number, hour) == quiet


@pytest.mark.parametrize(("hour", "quiet"), [(11, False), (12, True), (14, False)])
def test_a_span_within_the_day(hour, quiet):
    """Hours that do not pass midnight: from the first, up to the last."""
    assert quiet_at(ROME, hour, (time(13), time(15))) == quiet


def test_zones_are_the_librarys_for_every_country():
    """The fast look-up gives what the library gives, but for what it calls unknown."""
    for region in phonenumbers.SUPPORTED_REGIONS:
        number = phonenumbers.example_number(region)
        e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
        theirs = time_zones_for_number(number)
        ours = zones_of(PhoneReader("IT", "made up for tests").read_sender(e164).e164)
        assert set(ours) & set(theirs) or theirs == ("Etc/Unknown",), region


@pytest.fixture
def night(services, clock):
    """The default program is quiet, and so is the hour."""
    services.programs.edit("default", {"quiet": "20:00-09:00"})
    clock.now = datetime(2026, 11, 24, 21, tzinfo=UTC)


def test_marketing_waits_for_the_day_and_service_does_not(services, provider, night, clock):
    """The refusal says which reason it is; a check and a send agree."""
    with pytest.raises(NotSentError) as refused:
        services.outbox.send(draft())
    assert (refused.value.reason, QUIET in str(refused.value)) == (Reason.QUIET_HOURS, True)
    [decision] = services.gate.check([PERSON], Scope("default", Purpose.MARKETING))
    assert decision.reason is Reason.QUIET_HOURS
    services.outbox.send(draft(purpose=Purpose.SERVICE))
    clock.advance(hours=12)
    services.outbox.send(draft())
    assert len(provider.sent) == 2


def test_an_opt_out_is_said_first(services, night):
    """Who opted out has opted out, by night too."""
    services.inbox.receive(text("STOP"))
    [decision] = services.gate.check([PERSON], Scope("default", Purpose.MARKETING))
    assert decision.reason is Reason.SUPPRESSED


def test_a_scheduled_message_is_judged_by_its_own_time(services, provider, night):
    """At night one may schedule for the day, and not the other way round."""
    provider.will_schedule()
    services.outbox.send(draft(send_at=datetime(2026, 11, 25, 10, tzinfo=UTC)))
    with pytest.raises(NotSentError):
        services.outbox.send(draft(send_at=datetime(2026, 11, 25, 22, tzinfo=UTC)))


def test_a_cap_refuses_what_is_too_often(services, provider, clock):
    """Two in seven days: the third is refused and says why; a refused one counts for nothing."""
    services.programs.edit("default", {"cap": "2/7"})
    for _ in range(2):
        services.outbox.send(draft())
    for _ in range(2):
        with pytest.raises(NotSentError) as refused:
            services.outbox.send(draft())
    assert (refused.value.reason, TOO_OFTEN in str(refused.value)) == (Reason.QUIET_HOURS, True)
    services.outbox.send(draft(to="+393331234568"))
    services.outbox.send(draft(purpose=Purpose.SERVICE))
    clock.advance(days=7, seconds=1)
    services.outbox.send(draft())
    assert len(provider.sent) == 5


@pytest.mark.parametrize(
    "choice", [{"quiet": "20:00"}, {"quiet": "25:00-09:00"}, {"quiet": "9:00-9:00"}, {"cap": "0/7"},
               {"cap": "many"}],
)  # fmt: skip
def test_what_can_be_no_hours_and_no_cap_is_refused(services, choice):
    """A slip is said; nothing is changed."""
    with pytest.raises(InvalidInputError):
        services.programs.edit("default", choice)
    assert (services.programs.show("default").quiet, services.programs.show("default").cap) == (
        None,
        None,
    )
