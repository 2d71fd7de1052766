"""The gate: may this number get this message now? The same answer at every door."""

from datetime import timedelta
from itertools import count, islice

import pytest
import sqlalchemy as sa

from app.core.consent import Evidence
from app.core.errors import NotSentError, Reason, StorageUnavailableError
from app.core.gate import _BATCH as BATCH
from app.core.gate import Scope
from app.core.models import ALL_PROGRAMS, Program, Purpose
from app.core.services import Services
from tests.fakes import FakeClock, counted_statements
from tests.making import PERSON, draft, held, text

MARKETING = Scope("default", Purpose.MARKETING)
SERVICE = Scope("default", Purpose.SERVICE)


@pytest.fixture
def reason(services: Services):
    """What the list says of a number; what a send to it says is the same."""

    def ask(scope: Scope = MARKETING, number: str = PERSON) -> Reason | None:
        [decision] = services.gate.check([number], scope)
        assert decision.allowed is (decision.reason is None)
        if decision.reason is None:
            services.outbox.send(draft(number, program=scope.program, purpose=scope.purpose))
        else:
            with pytest.raises(NotSentError) as refused:
                services.outbox.send(draft(number, program=scope.program, purpose=scope.purpose))
            assert refused.value.reason is decision.reason
        return decision.reason

    return ask


@pytest.fixture
def _another_program(database):
    with database.write() as connection:
        query = sa.select(Program).where(Program.slug == "default")
        row = dict(connection.execute(query).mappings().one())
        connection.execute(sa.insert(Program).values(row | {"slug": "other"}))


def suppress(services: Services, program: str) -> None:
    services.suppressions.add(PERSON, program, "complaint", Evidence("operator"))


def test_a_number_never_seen_may_get_a_message(reason):
    """Where consent is assumed, only a suppression stops a message."""
    assert reason() is None


@pytest.mark.usefixtures("_another_program")
def test_a_suppression_of_one_program_stops_only_that_one(services, reason):
    """Both purposes of the program are stopped, and no other program."""
    suppress(services, "default")
    assert (reason(MARKETING), reason(SERVICE)) == (Reason.SUPPRESSED, Reason.SUPPRESSED)
    assert reason(Scope("other", Purpose.MARKETING)) is None


@pytest.mark.usefixtures("_another_program")
def test_a_suppression_of_all_stops_every_program(services, reason):
    """Also one that did not exist then."""
    suppress(services, ALL_PROGRAMS)
    assert reason(Scope("other", Purpose.SERVICE)) is Reason.SUPPRESSED


def test_a_hold_stops_marketing_until_its_time_has_passed(services, reason, phones, clock):
    """Under review only service messages pass; undecided in time it is an opt-out, chore or not."""
    services.inbox.receive(text("boh"))
    held(services, phones.parse(PERSON))
    assert (reason(MARKETING), reason(SERVICE)) == (Reason.UNDER_REVIEW, None)
    clock.advance(hours=72, seconds=-1)
    assert (reason(MARKETING), reason(SERVICE)) == (Reason.UNDER_REVIEW, None)
    clock.advance(seconds=1)
    assert (reason(MARKETING), reason(SERVICE)) == (Reason.SUPPRESSED, Reason.SUPPRESSED)


def test_a_suppression_says_more_than_a_hold(services, reason, phones):
    """Whichever of the two is read first."""
    services.inbox.receive(text("boh"))
    held(services, phones.parse(PERSON))
    suppress(services, ALL_PROGRAMS)
    assert reason() is Reason.SUPPRESSED


def test_decisions_come_in_the_order_asked(services):
    """One for each, in its own spelling: unreadable, doubled and suppressed too."""
    suppress(services, ALL_PROGRAMS)
    asked = ["333 123 4567", "nonsense", "+393331234568", "0039 333 1234567", "", "+393331234568"]
    decisions = list(services.gate.check(asked, MARKETING))
    assert [decision.to for decision in decisions] == asked
    assert [decision.reason for decision in decisions] == [
        Reason.SUPPRESSED,
        Reason.INVALID_NUMBER,
        None,
        Reason.SUPPRESSED,
        Reason.INVALID_NUMBER,
        None,
    ]


@pytest.mark.parametrize("spelling", ["00393331234567", "tel:+39-333-123-4567", "(333) 123.4567"])
def test_no_spelling_reaches_a_suppressed_number(services, provider, spelling):
    """The number decides, not how it is written."""
    suppress(services, ALL_PROGRAMS)
    [decision] = services.gate.check([spelling], MARKETING)
    assert decision.reason is Reason.SUPPRESSED
    with pytest.raises(NotSentError):
        services.outbox.send(draft(spelling))
    assert provider.sent == []


def test_an_unknown_program_lets_nothing_through(services):
    """Neither does a star, nor a name that no database can look up."""
    for program in ("nope", ALL_PROGRAMS, "", "x" * 300):
        [decision] = services.gate.check([PERSON], Scope(program, Purpose.MARKETING))
        assert decision.reason is Reason.UNKNOWN_PROGRAM


def test_an_endless_list_is_decided_as_it_comes(services, database):
    """Constant memory: one batch is read ahead, a statement each; the first batches are small."""
    taken = count()
    numbers = (f"+39333{next(taken):07d}" for _ in iter(int, 1))
    with counted_statements(database.engine) as statements:
        decisions = list(islice(services.gate.check(numbers, MARKETING), 2 * BATCH + 1))
    assert all(decision.allowed for decision in decisions)
    assert next(taken) <= 4 * BATCH
    assert len(statements) <= 10


def test_a_long_list_is_answered_number_by_number(services):
    """In every place of several batches: suppressed, unreadable and allowed ones."""
    suppress(services, ALL_PROGRAMS)
    others = [f"+39333{place:07d}" for place in range(2 * BATCH)]
    asked = [PERSON, *others[:BATCH], "nonsense", PERSON, *others[BATCH:], PERSON]
    refused = [d.to for d in services.gate.check(iter(asked), MARKETING) if not d.allowed]
    assert refused == [PERSON, "nonsense", PERSON, PERSON]


def test_a_list_that_cannot_be_read_lets_nothing_through(services, outage):
    """Fail closed, also in the middle of a long list."""
    decisions = services.gate.check([PERSON] * 4 * BATCH, MARKETING)
    assert len(list(islice(decisions, BATCH))) == BATCH
    outage.begin()
    with pytest.raises(StorageUnavailableError):
        list(islice(decisions, 2 * BATCH + 1))


def test_times_are_read_from_the_clock_that_is_given(services, phones, clock: FakeClock, reason):
    """A hold that is due at a moment is due at exactly that moment."""
    services.inbox.receive(text("boh"))
    held(services, phones.parse(PERSON), timedelta(microseconds=1))
    assert reason() is Reason.UNDER_REVIEW
    clock.advance(microseconds=1)
    assert reason() is Reason.SUPPRESSED
