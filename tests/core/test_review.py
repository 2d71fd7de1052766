"""Possible opt-outs: held back until a person has read them, and never forgotten."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from app.core.consent import Evidence
from app.core.errors import NotFoundError, Reason
from app.core.gate import Scope
from app.core.models import ALL_PROGRAMS, Act, LedgerEntry, Purpose, ReviewHold, Subscriber
from app.core.review import Verdict
from app.core.services import Services
from tests.fakes import START
from tests.making import PERSON, held, text
from tests.threads import together


@pytest.fixture
def hold(services: Services, phones):
    """A text that waits; its id."""

    def make(number: str = PERSON, period: timedelta = timedelta(hours=72)) -> int:
        services.inbox.receive(text("ci penso e vi dico", number, f"SM{number}"))
        return held(services, phones.parse(number), period)

    return make


@pytest.fixture
def reason(services: Services):
    def ask(number: str = PERSON) -> Reason | None:
        return next(services.gate.check([number], Scope("default", Purpose.MARKETING))).reason

    return ask


@pytest.fixture
def last_entry(database):
    def read():
        with database.read() as connection:
            query = sa.select(LedgerEntry).order_by(LedgerEntry.id.desc()).limit(1)
            return connection.execute(query).one()

    return read


def test_what_waits_is_shown_newest_first_without_the_number(services, hold, clock):
    """A person sees the text and when its time ends; the number is masked."""
    first = hold()
    second = hold("+393331234568")
    waiting = services.reviews.waiting()
    assert [each.id for each in waiting] == [second, first]
    assert waiting[1].text == "ci penso e vi dico"
    assert waiting[1].due_at == START + timedelta(hours=72)
    assert "333" not in waiting[1].number
    assert [each.id for each in services.reviews.waiting(limit=1)] == [second]


def test_an_opt_out_is_decided_with_one_action(services, hold, reason, last_entry):
    """The number is suppressed, and the ledger says who decided and by which door."""
    services.reviews.decide(hold(), Verdict.OPT_OUT, "anna", "cli")
    assert reason() is Reason.SUPPRESSED
    assert services.reviews.waiting() == []
    entry = last_entry()
    assert (entry.act, entry.door, entry.evidence["by"]) == (Act.OPT_OUT, "cli", "anna")


def test_a_dismissed_text_holds_nothing_back(services, hold, reason, last_entry):
    """Messages go on, and the ledger says who decided."""
    services.reviews.decide(hold(), Verdict.DISMISS, "anna", "cli")
    assert reason() is None
    entry = last_entry()
    assert (entry.act, entry.evidence["by"]) == (Act.HOLD_DISMISSED, "anna")


def test_a_dismissal_lifts_no_suppression(services, hold, reason):
    """Law 8: deciding on a text ends no other stop."""
    waiting = hold()
    services.suppressions.add(PERSON, ALL_PROGRAMS, "complaint", Evidence("operator"))
    services.reviews.decide(waiting, Verdict.DISMISS, "anna", "cli")
    assert reason() is Reason.SUPPRESSED


def test_one_of_two_texts_decided_leaves_the_other_waiting(services, hold, reason, phones):
    """Each text is read for itself."""
    first = hold()
    services.inbox.receive(text("ancora?", message_id="SM-second"))
    held(services, phones.parse(PERSON))
    services.reviews.decide(first, Verdict.DISMISS, "anna", "cli")
    assert reason() is Reason.UNDER_REVIEW


@pytest.mark.parametrize("verdict", list(Verdict))
def test_a_text_is_decided_once(services, hold, verdict):
    """The second decision is told that there was one; so is one on a text that there is not."""
    waiting = hold()
    services.reviews.decide(waiting, verdict, "anna", "cli")
    for hold_id in (waiting, waiting + 1000):
        with pytest.raises(NotFoundError):
            services.reviews.decide(hold_id, Verdict.OPT_OUT, "bruno", "cli")


def test_two_who_decide_at_once_decide_once(services, hold, database):
    """One of them hears that it is decided already; the ledger has one decision."""
    waiting = hold()

    def decide(verdict: Verdict) -> bool:
        try:
            services.reviews.decide(waiting, verdict, "anna", "cli")
        except NotFoundError:
            return False
        return True

    assert sorted(together(*[lambda v=v: decide(v) for v in Verdict])) == [False, True]
    with database.read() as connection:
        assert len(connection.execute(sa.select(LedgerEntry)).all()) == 2  # the hold, the decision


def test_what_nobody_decides_in_time_becomes_an_opt_out(services, hold, reason, clock, last_entry):
    """Silence of the operator is no licence: the period over, the number is suppressed."""
    hold()
    hold("+393331234568", timedelta(hours=73))
    clock.advance(hours=72)
    assert services.reviews.settle_overdue() == 1
    assert services.reviews.settle_overdue() == 0
    assert reason() is Reason.SUPPRESSED
    assert last_entry().act == Act.OPT_OUT
    assert [each.number[-3:] for each in services.reviews.waiting()] == ["568"]


def test_too_late_to_dismiss(services, hold, reason, clock):
    """After its time a text counts as an opt-out even before the chore ran: no operator's word."""
    waiting = hold()
    clock.advance(hours=72)
    assert services.reviews.waiting() == []
    with pytest.raises(NotFoundError):
        services.reviews.decide(waiting, Verdict.DISMISS, "anna", "cli")
    assert reason() is Reason.SUPPRESSED
    lifted = services.suppressions.lift(PERSON, ALL_PROGRAMS, Evidence("cli", "he called us"))
    assert lifted
    assert reason() is None


def test_the_person_settles_it_before_anybody_else(services, hold, database):
    """STOP or START from the handset closes what waited; nothing is left to decide."""
    waiting = hold()
    services.inbox.receive(text("STOP", message_id="SM-stop"))
    assert services.reviews.waiting() == []
    with pytest.raises(NotFoundError):
        services.reviews.decide(waiting, Verdict.DISMISS, "anna", "cli")
    with database.read() as connection:
        row = connection.execute(sa.select(ReviewHold)).one()
    assert (row.decision, row.decided_by) == (Verdict.OPT_OUT, "the person")


def test_an_erased_number_can_still_be_decided_on(services, hold, database, reason):
    """The fingerprint is enough to suppress by."""
    waiting = hold()
    with database.write() as connection:
        connection.execute(sa.update(Subscriber).values(number=None))
    assert services.reviews.waiting()[0].number == ""
    services.reviews.decide(waiting, Verdict.OPT_OUT, "anna", "cli")
    assert reason() is Reason.SUPPRESSED
