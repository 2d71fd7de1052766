"""Twilio's status callbacks: what became of a message, in whatever order it is told."""

import pytest
from flask.testing import FlaskClient

from app.core.models import DeliveryReport, OutboundMessage
from app.gateway import Gateway
from tests.web.twilio_requests import PERSON, SENDER, SID, STATUS, is_suppressed, post, stored


def sent_message(gateway: Gateway) -> str:
    return gateway.messages.create(to=PERSON, body="ciao", purpose="service").sid


@pytest.fixture
def twilio_named(gateway: Gateway) -> Gateway:
    """The simulated network under Twilio's name: Twilio's reports are about its messages."""
    gateway.services.provider.name = "twilio"
    return gateway


def report(browser: FlaskClient, sid: str, status: str, **more: str):
    fields = {"MessageSid": sid, "MessageStatus": status, "To": PERSON, "From": SENDER, **more}
    return post(browser, STATUS, fields)


def test_a_status_moves_forwards_only(browser, twilio_named):
    """Reports come out of order and more than once; each is answered 204."""
    sid = sent_message(twilio_named)
    seen = []
    for status in ("sent", "queued", "sent", "delivered", "sent", "delivered"):
        answer = report(browser, sid, status)
        assert (answer.status_code, answer.data) == (204, b"")
        seen.append(stored(twilio_named, OutboundMessage)[0].status)
    assert seen == ["sent", "sent", "sent", "delivered", "delivered", "delivered"]
    assert len(stored(twilio_named, DeliveryReport)) == 3


def test_a_report_that_comes_before_its_message_is_not_lost(browser, twilio_named, monkeypatch):
    """Twilio may call back before its answer to the request has been read."""
    network = twilio_named.services.provider
    send = network.send

    def report_first(message):
        taken = send(message)
        assert report(browser, taken.provider_message_id, "delivered").status_code == 204
        return taken

    monkeypatch.setattr(network, "send", report_first)
    sent_message(twilio_named)
    assert stored(twilio_named, OutboundMessage)[0].status == "delivered"


def test_a_status_with_21610_is_an_opt_out(browser, twilio_named):
    """What Twilio knows of an opt-out, the gate knows from then on."""
    sid = sent_message(twilio_named)
    assert report(browser, sid, "failed", ErrorCode="21610").status_code == 204
    assert is_suppressed(twilio_named)
    assert stored(twilio_named, OutboundMessage)[0].error_code == 21610


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"MessageStatus": "a word of tomorrow"}, 204),
        ({"MessageStatus": "DELIVERED"}, 204),
        ({"MessageStatus": None, "SmsStatus": "sent"}, 204),
        ({"ErrorCode": "x"}, 204),
        ({"ErrorCode": "99999999999999999999"}, 204),
        ({"ErrorCode": "²"}, 204),
        ({"To": "whatsapp:" + PERSON}, 204),
        ({"To": None}, 204),
        ({"To": "x" * 500}, 204),
        ({"MessageSid": "SM" + "f" * 32}, 204),
        ({"MessageStatus": None}, 400),
        ({"MessageSid": None}, 400),
        ({"MessageSid": "S" * 65}, 400),
        ({"MessageSid": "SM\0"}, 400),
    ],
)
def test_each_odd_report_has_its_answer(browser, gateway, changes, status):
    """A report that can't be read is 400, one that is only strange is kept."""
    base = {"MessageSid": SID, "MessageStatus": "sent", "To": PERSON}
    fields = {name: each for name, each in (base | changes).items() if each is not None}
    assert post(browser, STATUS, fields).status_code == status
    assert len(stored(gateway, DeliveryReport)) == (1 if status == 204 else 0)
