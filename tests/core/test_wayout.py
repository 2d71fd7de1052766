"""Every marketing text has a way out, of the kind that its sender allows."""

import pytest

from app.config import Settings
from app.core.models import DeliveryStatus
from app.core.provider import Acceptance
from app.gateway import Gateway


class Carrier:
    name = "twilio"

    def __init__(self):
        self.sent = []

    def send(self, message):
        self.sent.append(message)
        return Acceptance(f"SM{len(self.sent)}", DeliveryStatus.QUEUED, {})


@pytest.fixture
def carrier():
    return Carrier()


@pytest.fixture
def gateway(settings: Settings, carrier: Carrier):
    with Gateway(settings, carrier) as gateway:
        yield gateway


@pytest.mark.parametrize(
    ("sender", "body", "sent"),
    [
        ("+393399957505", "Saldi!", "Saldi!\nRispondi STOP per non ricevere altri SMS"),
        ("+393399957505", "Saldi! Per uscire scrivi STOP", "Saldi! Per uscire scrivi STOP"),
        (
            "+393399957505",
            "STOP alle zanzare! " + "Sconti da noi. " * 6,
            "STOP alle zanzare! "
            + "Sconti da noi. " * 6
            + "\nRispondi STOP per non ricevere altri SMS",
        ),
        ("MG" + "0" * 32, "Saldi!", "Saldi!\nRispondi STOP per non ricevere altri SMS"),
    ],
)
def test_a_sender_that_can_be_answered_names_the_word(gateway, carrier, sender, body, sent):
    """A text from a number ends with the word to answer, once."""
    gateway.messages.create(to="+393331234567", body=body, sender=sender)

    assert carrier.sent[0].body == sent


def test_a_sender_that_cannot_be_answered_gives_a_link(gateway, carrier):
    """A text from a name ends with the person's own link, which holds no number."""
    for _ in range(2):
        gateway.messages.create(to="+393331234567", body="Saldi!", sender="Negozio")
    gateway.messages.create(to="+393337654321", body="Saldi!", sender="Negozio")

    first, again, other = (message.body for message in carrier.sent)
    assert first == again != other
    assert "https://sms.example.org/u/" in first
    assert "333" not in first.replace("3331234567", "")
    assert "1234567" not in first


def test_a_service_message_is_left_as_it_is(gateway, carrier):
    """What is no marketing needs no way out of marketing."""
    gateway.messages.create(to="+393331234567", body="Il pacco arriva oggi.", purpose="service")

    assert carrier.sent[0].body == "Il pacco arriva oggi."
