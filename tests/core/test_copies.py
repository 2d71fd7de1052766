"""The provider's copies of webhook answers: nobody is told their ids, and they go all the same."""

import re
from datetime import timedelta

import pytest

from app.core.errors import ProviderError
from app.core.models import DeliveryStatus
from app.core.provider import LoggedMessage
from app.core.services import Services
from tests.making import PERSON, SENDER, draft, text

OTHER = "+393337654321"


def logged(provider, clock, message_id: str, to: str = PERSON) -> None:
    """The provider keeps an answer, under an id that it tells nobody."""
    provider.logged.append(
        LoggedMessage(
            message_id,
            is_inbound=False,
            sender=SENDER,
            recipient=to,
            body="x",
            status=DeliveryStatus.SENT,
            at=clock.now,
        )
    )


@pytest.fixture
def erased_by_sms(services: Services, provider, clock):
    """A person who asks and confirms from the handset; the answers are in the provider's log."""
    logged(provider, clock, "SManswer1")
    logged(provider, clock, "SMothers", OTHER)
    wish = services.inbox.receive(text("CANCELLAMI DATI", PERSON, "SMw1"))
    clock.advance(minutes=1)
    services.inbox.receive(text(re.search(r"\d{6}", wish.reply)[0], PERSON, "SMw2"))
    logged(provider, clock, "SManswer2")


def test_answers_by_webhook_are_deleted_too(services: Services, erased_by_sms, provider, clock):
    """Found by time and fingerprint, though the number is gone; another person's stay."""
    assert services.copy_searches.run() == 0  # its log may not show them yet
    clock.advance(minutes=8)

    assert services.copy_searches.run() == 2
    services.deletions.run()
    assert {"SManswer1", "SManswer2"} <= set(provider.deleted)
    assert "SMothers" not in provider.deleted
    assert services.copy_searches.waiting() == 0


def test_the_search_is_repeated_until_the_log_can_be_read(
    services: Services, erased_by_sms, provider, clock
):
    """A provider that does not answer is asked again, at growing intervals; the state shows."""
    provider.log_failure = ProviderError("not now", status=503, permanent=False)
    clock.advance(minutes=8)
    services.copy_searches.run()
    waiting = services.copy_searches.waiting()
    assert waiting > 0

    provider.log_failure = None
    assert services.copy_searches.run() == 0  # its time has not come
    clock.advance(minutes=2)
    assert services.copy_searches.run() == 2
    assert services.copy_searches.waiting() == 0


def test_a_message_of_unknown_outcome_is_looked_for(services: Services, provider, clock):
    """The provider may have taken it; after the erasure only its log can tell."""
    provider.will_not_answer()
    with pytest.raises(ProviderError):
        services.outbox.send(draft())
    logged(provider, clock, "SMunknown")
    provider.list_failure = ProviderError("down", status=503, permanent=False)
    services.privacy.erase(PERSON, "the person", "command line")
    clock.advance(minutes=8)

    services.copy_searches.run()
    services.deletions.run()
    assert "SMunknown" in provider.deleted


def test_where_the_log_was_read_by_number_nothing_is_left_to_search(services: Services):
    """An operator's erasure asks for the number itself, while it is still known."""
    services.inbox.receive(text("INFO"))
    services.privacy.erase(PERSON, "the person", "command line")

    assert services.copy_searches.waiting() == 0


def test_days_apart_are_read_apart(services: Services, clock, provider):
    """Only the minutes around each answer are read, not the years between."""
    services.inbox.receive(text("INFO", message_id="SM1"))
    clock.advance(days=300)
    wish = services.inbox.receive(text("ERASE", message_id="SM2"))
    services.inbox.receive(text(re.search(r"\d{6}", wish.reply)[0], message_id="SM3"))

    assert services.copy_searches.waiting() == 2
    asked = []
    provider.log = lambda since, until: asked.append(until - since) or iter(())
    clock.advance(minutes=8)
    services.copy_searches.run()
    assert max(asked) < timedelta(minutes=10)
