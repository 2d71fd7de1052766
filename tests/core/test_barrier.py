"""The STOP barrier (law 5): once a STOP is answered, nothing more is handed to the provider."""

import multiprocessing
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from app.core import barrier, consent, subscribers
from app.core.consent import Evidence
from app.core.database import Database
from app.core.errors import NotSentError, Reason
from app.core.models import (
    ALL_PROGRAMS,
    Act,
    DeliveryStatus,
    InboundMessage,
    LedgerEntry,
    OutboundMessage,
    Suppression,
)
from app.core.phone import PhoneReader
from app.core.policy import Policy
from app.core.services import Services
from app.core.suppressions import Listed
from tests.databases import FINGERPRINT_KEY
from tests.fakes import LONG, START, FakeClock, FakeProvider, FakeSleep
from tests.making import PERSON, draft, text
from tests.threads import meanwhile, together

BLOCKED = 0.3  # seconds: long enough for who is not held back to go on


@pytest.fixture
def waiting(database: Database, phones, provider, clock):
    """The same house, in which waiting takes its time."""
    return Services.build(database, phones, Policy(), provider, clock, time.sleep)


def entries(database: Database, act: Act) -> list:
    with database.read() as connection:
        return list(connection.execute(sa.select(LedgerEntry).where(LedgerEntry.act == act)).all())


def count(database: Database, table: type) -> int:
    with database.read() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


def stop(services: Services, message_id: str = "SM-stop"):
    return services.inbox.receive(text("STOP", message_id=message_id))


# --- a STOP and the messages on their way


def test_a_stop_waits_for_the_message_that_the_provider_has(
    services, provider: FakeProvider, sleep: FakeSleep, database
):
    """A message claimed before the STOP is over before the STOP is answered, and none is late."""
    hang = provider.will_hang()
    with meanwhile(lambda: services.outbox.send(draft())) as sending:
        assert hang.reached.wait(LONG)
        sleep.meanwhile = lambda: (hang.release(), sending.result(LONG))
        said = stop(services)
        assert sending.done()
    assert said.reply
    assert sleep.slept
    assert entries(database, Act.LATE_MESSAGE) == []


def test_a_stop_is_durable_before_it_waits(services, provider, sleep, database):
    """While the STOP still waits, a new message to the number is refused already."""
    hang = provider.will_hang()
    refused = []

    def try_another():
        with pytest.raises(NotSentError) as error:
            services.outbox.send(draft())
        refused.append(error.value.reason)

    with meanwhile(lambda: services.outbox.send(draft())) as sending:
        assert hang.reached.wait(LONG)
        sleep.meanwhile = lambda: (try_another(), hang.release(), sending.result(LONG))
        stop(services)
    assert refused == [Reason.SUPPRESSED]
    assert len(provider.sent) == 1


def test_a_provider_that_hangs_does_not_hold_the_answer_up_for_ever(
    services, provider, sleep, database
):
    """The STOP is answered within its bound, and the ledger says which message was late."""
    hang = provider.will_hang()
    with meanwhile(lambda: services.outbox.send(draft())) as sending:
        assert hang.reached.wait(LONG)
        said = stop(services)
        [late] = entries(database, Act.LATE_MESSAGE)
        hang.release()
        receipt = sending.result(LONG)
    assert said.reply
    assert barrier.PATIENCE <= sum(sleep.slept) < barrier.PATIENCE + 0.5
    assert len(sleep.slept) < 25
    assert late.evidence == {"messages": [receipt.id], "provider_message_id": "SM-stop"}


def test_a_copy_of_a_stop_is_not_answered_sooner_than_the_first(
    services, provider, sleep, database
):
    """The provider repeats its request while the first waits: the copy waits too, notes nothing."""
    hang = provider.will_hang()
    copies = []

    def send_a_copy():
        sleep.meanwhile = lambda: (hang.release(), sending.result(LONG))
        copies.append(stop(services))
        assert sending.done()

    with meanwhile(lambda: services.outbox.send(draft())) as sending:
        assert hang.reached.wait(LONG)
        sleep.meanwhile = send_a_copy
        first = stop(services)
    assert [copy.reply for copy in copies] == [first.reply]
    assert entries(database, Act.LATE_MESSAGE) == []


def test_only_an_opt_out_waits(services, provider, sleep):
    """Other texts are answered at once, whatever is on its way."""
    hang = provider.will_hang()
    with meanwhile(lambda: services.outbox.send(draft())):
        assert hang.reached.wait(LONG)
        for i, body in enumerate(("INFO", "START", "Ciao")):
            services.inbox.receive(text(body, message_id=f"SM{i}"))
        hang.release()
    assert sleep.slept == []


def test_messages_to_others_hold_up_no_stop(services, provider, sleep):
    """The barrier is one number's own."""
    hang = provider.will_hang()
    with meanwhile(lambda: services.outbox.send(draft("+393331234568"))):
        assert hang.reached.wait(LONG)
        stop(services)
        hang.release()
    assert sleep.slept == []


def test_a_sender_that_died_holds_up_no_stop_for_long(services, provider, clock, sleep, outage):
    """A claim that nobody came back for is dead after half a minute."""
    provider.will_accept_then(outage.begin)
    with pytest.raises(Exception, match="written down"):
        services.outbox.send(draft())
    outage.end()
    sleep.slept.clear()
    clock.advance(seconds=30)
    stop(services)
    assert sleep.slept == []


@pytest.mark.parametrize("seen_before", [False, True])
def test_a_claim_and_a_stop_are_ordered_by_the_database(
    services, provider, database, phones, seen_before
):
    """A send that comes while a STOP is being stored waits for it, sees it, and is refused."""
    phone = phones.parse(PERSON)
    if seen_before:
        services.inbox.receive(text("INFO"))
    with ThreadPoolExecutor(1) as pool:
        with database.write() as connection:
            subscribers.lock(connection, phone, START)
            evidence = Evidence("twilio")
            consent.opt_out(connection, phone.fingerprint, ALL_PROGRAMS, evidence, START)
            sending = pool.submit(_refusal, services)
            with pytest.raises(TimeoutError):
                sending.result(BLOCKED)
        assert sending.result(LONG) is Reason.SUPPRESSED
    assert provider.sent == []


def _refusal(services: Services) -> Reason | None:
    try:
        services.outbox.send(draft())
    except NotSentError as refused:
        return refused.reason
    return None


def test_nothing_is_handed_over_after_the_answer(waiting: Services, provider: FakeProvider):
    """Senders without end, and a STOP among them: after its answer the provider gets nothing."""
    handed_over_at_answer = []

    def send_until_refused():
        for _ in range(200):
            if _refusal(waiting) is Reason.SUPPRESSED:
                return
        pytest.fail("the STOP never arrived")

    def stop_after_some():
        while len(provider.sent) < 6:
            time.sleep(0)
        stop(waiting)
        handed_over_at_answer.append(len(provider.sent))

    together(*[send_until_refused] * 4, stop_after_some)
    assert handed_over_at_answer == [len(provider.sent)]


# --- the same thing many times, opposite things at once


def test_twenty_copies_at_one_moment_are_one_stop(waiting, database):
    """One row, one act, one suppression, and twenty equal answers."""
    said = together(*[lambda: stop(waiting)] * 20)
    assert len({outcome.reply for outcome in said}) == 1
    assert said[0].reply
    assert sorted(outcome.repeated for outcome in said) == [False] + [True] * 19
    assert len(entries(database, Act.OPT_OUT)) == 1
    assert (count(database, InboundMessage), count(database, Suppression)) == (1, 1)


def test_copies_under_different_senders_are_one_text(waiting, database):
    """One provider message id is one text, even where the copies disagree on who sent it."""
    numbers = [f"+39333123456{i}" for i in range(5)]
    said = together(*[lambda n=n: waiting.inbox.receive(text("STOP", n)) for n in numbers])
    assert sum(not outcome.repeated for outcome in said) == 1
    assert count(database, InboundMessage) == count(database, Suppression) == 1


def test_different_stops_of_one_number_are_confirmed_once(waiting, database):
    """A telephone that sends its STOP ten times gets one confirmation."""
    said = together(*[lambda i=i: stop(waiting, f"SM{i}") for i in range(10)])
    assert sum(outcome.reply is not None for outcome in said) == 1
    assert count(database, InboundMessage) == 10


def test_a_stop_and_a_start_that_cross_leave_what_the_ledger_says(waiting, database, clock):
    """Whichever comes last decides, and state and ledger tell the same."""
    for i in range(6):
        together(
            lambda i=i: stop(waiting, f"SM-stop{i}"),
            lambda i=i: waiting.inbox.receive(text("START", message_id=f"SM-start{i}")),
        )
        with database.read() as connection:
            last = sa.select(LedgerEntry.act).order_by(LedgerEntry.id.desc()).limit(1)
            act = connection.execute(last).scalar_one()
        assert count(database, Suppression) == (act == Act.OPT_OUT)
        clock.advance(days=1)


def test_one_idempotency_key_from_ten_threads_is_one_message(waiting, provider):
    """One provider call, and ten equal receipts."""
    send = lambda: waiting.outbox.send(draft(idempotency_key="spring-42"))  # noqa: E731
    receipts = together(*[send] * 10)
    assert len(provider.sent) == 1
    assert len({(r.id, r.provider_id, r.status) for r in receipts}) == 1


def test_batches_in_opposite_order_do_not_block_each_other(waiting, database):
    """Locks are taken in one order: two imports of the same numbers both end."""
    numbers = [f"+39333123{i}" for i in range(4500, 4540)]
    evidence = Evidence("import")
    listed = [
        Listed(waiting.phones.parse(number), ALL_PROGRAMS, "imported", evidence)
        for number in numbers
    ]
    together(*[lambda b=batch: waiting.suppressions.add_all(b) for batch in (listed, listed[::-1])])
    assert count(database, Suppression) == len(entries(database, Act.SUPPRESS)) == 40


def test_sends_stops_and_reports_of_one_number_all_end(waiting, provider, database):
    """Everything at once on one number: no deadlock, no error of the database, one row each."""
    calls = [lambda: _refusal(waiting)] * 6
    calls += [lambda i=i: stop(waiting, f"SM{i}") for i in range(6)]
    calls += [waiting.reviews.settle_overdue, waiting.outcomes.settle_abandoned]
    together(*calls)
    with database.read() as connection:
        query = sa.select(OutboundMessage.status)
        statuses = connection.execute(query).scalars().all()
    assert len(statuses) == 6
    assert set(statuses) <= {DeliveryStatus.QUEUED, DeliveryStatus.REFUSED}
    assert statuses.count(DeliveryStatus.QUEUED) == len(provider.sent)


def test_copies_in_two_processes_are_one_stop(database_url: str, database: Database):
    """Several workers get copies of one STOP: the database, not a process, decides."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(2) as pool:
        replies = pool.map(_stop_in_a_process, [database_url] * 6, chunksize=3)
    assert len(set(replies)) == 1
    assert (count(database, InboundMessage), count(database, Suppression)) == (1, 1)


def _stop_in_a_process(url: str) -> str | None:
    database = Database(url, FINGERPRINT_KEY)
    phones = PhoneReader("IT", FINGERPRINT_KEY)
    services = Services.build(database, phones, Policy(), FakeProvider(), FakeClock())
    try:
        return stop(services).reply
    finally:
        database.close()
