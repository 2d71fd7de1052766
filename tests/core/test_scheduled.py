"""Messages that wait at the provider: who opts out does not get them."""

import pytest
import sqlalchemy as sa

from app.core.consent import Evidence
from app.core.errors import ProviderError
from app.core.models import ALL_PROGRAMS, Act, DeliveryStatus, LedgerEntry, OutboundMessage
from tests.making import PERSON, draft, text

BUSY = ProviderError("busy", status=503, permanent=False)
TOO_LATE = ProviderError("not scheduled any more", status=409, permanent=True)


@pytest.fixture
def scheduled(services, provider):
    """A message that waits; its provider message id."""
    provider.will_schedule()
    return services.outbox.send(draft()).provider_id


@pytest.fixture
def status(database):
    def read() -> str:
        with database.read() as connection:
            return connection.execute(sa.select(OutboundMessage.status)).scalar_one()

    return read


def failures(database) -> list:
    query = sa.select(LedgerEntry).where(LedgerEntry.act == Act.CANCEL_FAILED)
    with database.read() as connection:
        return list(connection.execute(query))


def stop(services) -> None:
    services.inbox.receive(text("STOP", message_id="SM-stop"))


def test_a_stop_cancels_what_waits_before_it_is_answered(services, provider, scheduled, status):
    """The provider is told, and the row says so."""
    stop(services)
    assert provider.canceled == [scheduled]
    assert status() == DeliveryStatus.CANCELED


def test_the_messages_of_others_go_on_waiting(services, provider, scheduled, status):
    """A STOP is one number's own."""
    services.inbox.receive(text("STOP", "+393331234568"))
    assert services.scheduled.cancel_unwanted() == 0
    assert (provider.canceled, status()) == ([], DeliveryStatus.SCHEDULED)


def test_a_message_that_is_scheduled_while_the_stop_waits_is_cancelled(services, provider, status):
    """The provider took it just as the STOP was answered: its sender cancels it."""
    provider.will_schedule()
    answer = provider.script.pop()
    provider.script.append(lambda: (stop(services), answer())[1])
    services.outbox.send(draft())
    assert len(provider.canceled) == 1
    assert status() == DeliveryStatus.CANCELED


def test_a_suppression_by_another_door_cancels_too(services, provider, scheduled):
    """An import or an operator suppresses: the chore finds what waits for that number."""
    services.suppressions.add(PERSON, ALL_PROGRAMS, "import", Evidence("test"))
    assert services.scheduled.cancel_unwanted() == 1
    assert provider.canceled == [scheduled]


def test_a_failed_cancel_is_noted_once_and_tried_again(
    services, provider, scheduled, status, database
):
    """The STOP is answered, the ledger says that the message is still there, a chore ends it."""
    provider.cancel_failure = BUSY
    stop(services)
    assert services.scheduled.cancel_unwanted() == 0
    [noted] = failures(database)
    assert noted.evidence["provider_message_id"] == scheduled
    assert status() == DeliveryStatus.SCHEDULED
    provider.cancel_failure = None
    assert services.scheduled.cancel_unwanted() == 1
    assert status() == DeliveryStatus.CANCELED


def test_what_the_provider_has_sent_already_is_not_asked_for_again(
    services, provider, scheduled, status, database
):
    """A cancel that came too late is noted; the message is one on its way."""
    provider.cancel_failure = TOO_LATE
    stop(services)
    assert status() == DeliveryStatus.QUEUED
    assert len(failures(database)) == 1
    provider.cancel_failure = None
    assert services.scheduled.cancel_unwanted() == 0
