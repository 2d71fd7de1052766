"""Texts that come in: what they do, and what is answered."""

import pytest

from app.config import Settings
from app.core.provider import InboundMessage
from app.gateway import Gateway


@pytest.fixture
def gateway(settings: Settings):
    with Gateway(settings) as gateway:
        yield gateway


def text(body: str, sender: str = "+393331234567", message_id: str = "SM1") -> InboundMessage:
    return InboundMessage("twilio", message_id, sender, "+393399957505", body)


def test_a_stop_silences_the_number_and_is_confirmed_once(gateway: Gateway):
    """A STOP from a number never seen suppresses it, and one confirmation is answered."""
    first = gateway.services.inbox.receive(text("STOP"))
    again = gateway.services.inbox.receive(text("STOP", message_id="SM2"))

    assert "START" in first.reply
    assert again.reply is None
    assert [d.reason for d in gateway.check(["+393331234567"])] == ["suppressed"]


def test_a_repeated_message_changes_nothing(gateway: Gateway):
    """The same provider message id gets the stored answer."""
    first = gateway.services.inbox.receive(text("STOP"))
    again = gateway.services.inbox.receive(text("STOP"))

    assert again.reply == first.reply
    assert again.repeated


def test_start_lifts_what_stop_did(gateway: Gateway):
    """START from the handset lets messages through again."""
    gateway.services.inbox.receive(text("STOP"))
    gateway.services.inbox.receive(text("START", message_id="SM2"))

    assert gateway.check(["+393331234567"])[0].allowed
    assert gateway.messages.create(to="333 123 4567", body="ciao").status == "queued"
