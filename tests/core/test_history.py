"""What is known about one number."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from app.config import Settings
from app.core.consent import Evidence
from app.core.history import SuppressedTime, suppressed_times
from app.core.models import ALL_PROGRAMS, Act
from app.core.provider import InboundMessage
from app.core.schema import DEFAULT_PROGRAM
from app.gateway import Gateway

NUMBER = "+393331234567"
START = datetime(2026, 11, 24, 9, tzinfo=UTC)


@pytest.fixture
def gateway(settings: Settings) -> Iterator[Gateway]:
    with Gateway(settings) as gateway:
        yield gateway


def texted(gateway: Gateway, *bodies: str, sender: str = NUMBER) -> None:
    for number, body in enumerate(bodies):
        message = InboundMessage("twilio", f"SM{sender}{number}", sender, "+393399957505", body)
        gateway.services.inbox.receive(message)


def entry(act: Act, minutes: int, program: str = ALL_PROGRAMS) -> SimpleNamespace:
    return SimpleNamespace(act=act, program=program, at=START + timedelta(minutes=minutes))


def test_a_history_holds_what_came_what_went_and_what_was_done(gateway: Gateway):
    """Texts, sends and ledger entries of one number, the oldest first, and of nobody else."""
    gateway.messages.create(to=NUMBER, body="Ciao! STOP per uscire")
    texted(gateway, "STOP", "CANCELLA")
    texted(gateway, "STOP", sender="+393477654321")

    history = gateway.services.histories.of(gateway.services.phones.parse(NUMBER))

    assert [row.body for row in history.inbound] == ["STOP", "CANCELLA"]
    assert [row.body for row in history.outbound] == ["Ciao! STOP per uscire"]
    assert [row.text for row in history.ledger] == ["STOP", "CANCELLA"]
    assert history.language == "it"
    assert history.first_seen_at is not None


def test_a_long_history_is_cut_at_its_old_end(gateway: Gateway):
    """Of each kind only the newest are read."""
    texted(gateway, "STOP", "CANCELLA", "STOP")

    history = gateway.services.histories.of(gateway.services.phones.parse(NUMBER), limit=2)

    assert [row.body for row in history.inbound] == ["CANCELLA", "STOP"]
    assert [row.text for row in history.ledger] == ["CANCELLA", "STOP"]


def test_a_number_never_seen_has_an_empty_history(gateway: Gateway):
    """Reading about a number leaves no trace of it."""
    phone = gateway.services.phones.parse(NUMBER)

    for _ in range(2):
        history = gateway.services.histories.of(phone)
        assert (history.language, history.first_seen_at) == (None, None)
        assert (history.ledger, history.inbound, history.outbound) == ([], [], [])


def test_suppressed_times_begin_with_the_first_opt_out_and_end_with_the_lift():
    """A repeated STOP begins nothing new, START ends it, and the last one goes on."""
    ledger = [
        entry(Act.OPT_OUT, 0),
        entry(Act.OPT_OUT, 1),
        entry(Act.OPT_IN, 2),
        entry(Act.HOLD, 3),
        entry(Act.SUPPRESS, 4),
    ]

    assert suppressed_times(ledger) == [
        SuppressedTime(ALL_PROGRAMS, START, START + timedelta(minutes=2)),
        SuppressedTime(ALL_PROGRAMS, START + timedelta(minutes=4), None),
    ]


def test_suppressed_times_of_programs_are_told_apart():
    """What is lifted for one program goes on for another."""
    ledger = [
        entry(Act.SUPPRESS, 0, DEFAULT_PROGRAM),
        entry(Act.SUPPRESS, 1, "news"),
        entry(Act.LIFT, 2, DEFAULT_PROGRAM),
    ]

    assert suppressed_times(ledger) == [
        SuppressedTime(DEFAULT_PROGRAM, START, START + timedelta(minutes=2)),
        SuppressedTime("news", START + timedelta(minutes=1), None),
    ]


def test_what_an_operator_did_is_part_of_the_history(gateway: Gateway):
    """A suppression by hand and its lift stand in the ledger that is shown."""
    suppressions = gateway.services.suppressions
    suppressions.add(NUMBER, ALL_PROGRAMS, "complaint", Evidence("cli", "by letter"))
    suppressions.lift(NUMBER, ALL_PROGRAMS, Evidence("cli", "by letter, two days later"))

    history = gateway.services.histories.of(gateway.services.phones.parse(NUMBER))

    assert [row.act for row in history.ledger] == [Act.SUPPRESS, Act.LIFT]
    (time,) = suppressed_times(history.ledger)
    assert time.until is not None
