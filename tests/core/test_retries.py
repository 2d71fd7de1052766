"""What is tried again by itself: only what surely never arrived, soon, and through the gate."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from app.core.errors import NotSentError, ProviderError, Reason
from app.core.models import DeliveryStatus, OutboundMessage
from app.core.retries import wait_before_repeating
from tests.making import draft, text


@pytest.fixture
def row(database):
    def read():
        with database.read() as connection:
            return connection.execute(sa.select(OutboundMessage)).one()

    return read


def test_what_never_arrived_is_sent_again_after_a_pause(services, provider, sleep, row):
    """The caller sees one success, and one row says so."""
    provider.will_refuse(0, permanent=False)
    provider.will_refuse(20429, permanent=False, retry_after=timedelta(seconds=2))
    receipt = services.outbox.send(draft(idempotency_key="k"))
    assert receipt.status is DeliveryStatus.QUEUED
    assert len(provider.sent) == 3
    assert sleep.slept[0] < 1
    assert sleep.slept[1] == 2  # as the provider asked
    assert (row().id, row().idempotency_key) == (receipt.id, "k")


def test_the_caller_does_not_wait_for_long(services, provider, sleep, row):
    """After some attempts, or where the provider asks for a long pause, the caller hears it."""
    for _ in range(3):
        provider.will_refuse(0, permanent=False)
    with pytest.raises(ProviderError) as failed:
        services.outbox.send(draft())
    assert len(provider.sent) == 3
    assert sum(sleep.slept) < 5
    assert wait_before_repeating(failed.value)
    assert row().status == DeliveryStatus.FAILED

    provider.will_refuse(20429, permanent=False, retry_after=timedelta(minutes=5))
    with pytest.raises(ProviderError) as busy:
        services.outbox.send(draft())
    assert wait_before_repeating(busy.value) == timedelta(minutes=5)
    assert len(provider.sent) == 4


def test_a_stop_in_the_pause_ends_it_and_waits_for_nothing(services, provider, sleep, row):
    """In the pause nothing is on its way: the STOP is answered at once, the message refused."""
    provider.will_refuse(0, permanent=False)
    pauses = []

    def stop():
        services.inbox.receive(text("STOP", message_id="SM-stop"))
        pauses.extend(sleep.slept)

    sleep.meanwhile = stop
    with pytest.raises(NotSentError) as refused:
        services.outbox.send(draft())
    assert refused.value.reason is Reason.SUPPRESSED
    assert len(pauses) == 1  # the sender's own
    assert len(provider.sent) == 1
    assert (row().status, row().body) == (DeliveryStatus.REFUSED, None)


def test_each_attempt_has_a_fresh_claim(services, provider, sleep, clock, row):
    """A claim's lifetime counts from the last time that the gate let it through."""
    provider.will_refuse(0, permanent=False)
    sleep.meanwhile = lambda: clock.advance(seconds=10)
    services.outbox.send(draft())
    assert len(provider.sent) == 2
    assert row().claimed_at - row().created_at == timedelta(seconds=10)


def test_a_sender_that_died_in_the_pause_has_sent_nothing(services, provider, sleep, clock, row):
    """Its row is settled as failed, not as unknown, and the key may be used again."""
    provider.will_refuse(0, permanent=False)

    def die():
        raise KeyboardInterrupt

    sleep.meanwhile = die
    with pytest.raises(KeyboardInterrupt):
        services.outbox.send(draft(idempotency_key="k"))
    assert row().status == DeliveryStatus.RETRYING
    clock.advance(minutes=1)
    assert services.outcomes.settle_abandoned() == 1
    assert row().status == DeliveryStatus.FAILED
    assert services.outbox.send(draft(idempotency_key="k")).status is DeliveryStatus.QUEUED


def test_keys_are_free_after_a_week(services, provider, clock):
    """For seven days a key gives the first answer; then it may stand for another message."""
    first = services.outbox.send(draft(idempotency_key="k"))
    clock.advance(days=6, hours=23)
    assert services.outcomes.free_keys() == 0
    assert services.outbox.send(draft(idempotency_key="k")).id == first.id
    clock.advance(hours=2)
    assert services.outcomes.free_keys() == 1
    assert services.outbox.send(draft(body="Altro", idempotency_key="k")).id != first.id
