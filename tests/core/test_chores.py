"""The chores: each once in a round, none in another's way."""

from app.core.chores import do_all
from app.core.errors import Reason
from app.core.gate import Scope
from app.core.models import Purpose
from tests.making import PERSON, held, text


def test_a_round_does_what_is_due(services, clock, phones):
    """An overdue review becomes an opt-out, and the ledger is sealed."""
    services.inbox.receive(text("Ciao"))
    held(services, phones.parse(PERSON))
    clock.advance(days=4)
    done = {each.name: each for each in do_all(services, with_reconcile=True)}
    assert done["reviews overdue"].count == 1
    assert [each.fault for each in done.values()] == [None] * len(done)
    clock.advance(minutes=2)
    done = {each.name: each.count for each in do_all(services, with_reconcile=True)}
    assert done["ledger entries sealed"] > 0
    assert done["reviews overdue"] == 0
    [decision] = services.gate.check([PERSON], Scope("default", Purpose.SERVICE))
    assert decision.reason is Reason.SUPPRESSED


def test_a_chore_that_fails_leaves_the_others_alone(services, outage):
    """A statement that fails is one chore's fault; each says what was wrong with it."""
    outage.begin(1)
    done = list(do_all(services, with_reconcile=True))
    assert [each.fault is None for each in done] == [False] + [True] * (len(done) - 1)
    outage.begin()
    assert all(each.fault for each in do_all(services, with_reconcile=True))


def test_what_is_past_its_period_goes_once_a_day(services, clock):
    """Retention needs nobody to remember it, and does not read whole tables every minute."""
    services.inbox.receive(text("Ciao"))
    clock.advance(days=91)
    name = "rows past their period, once a day"
    first, second = (
        {each.name: each.count for each in do_all(services, with_reconcile=False)} for _ in range(2)
    )
    assert first[name] > 0
    assert second[name] == 0
    assert services.dossiers.export(PERSON)["messages_received"][0]["body"] is None
