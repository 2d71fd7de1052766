"""The providers' logs read into our words, and cancelling what waits there."""

import json
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlsplit

import pytest
from twilio.http import HttpClient
from twilio.http.response import Response

from app.core.errors import InvalidInputError, ProviderError
from app.core.models import DeliveryStatus
from app.core.phone import PhoneReader
from app.core.provider import OutgoingMessage
from app.providers.simulator import SimulatorProvider
from app.providers.twilio import TwilioProvider
from tests.fakes import START, FakeClock
from tests.making import ACCOUNT_SID, AUTH_TOKEN, PERSON, SENDER

BASE = "https://api.twilio.com"


class Answers(HttpClient):
    """Gives the answers in their order; keeps what was asked."""

    def __init__(self, *answers: Response) -> None:
        self.is_async = False
        self.answers = list(answers)
        self.asked: list[tuple[str, str, dict | None]] = []

    def request(self, method: str, url: str, params=None, data=None, **rest) -> Response:
        self.asked.append((method, url, data))
        return self.answers.pop(0)


def page(*messages: dict, following: str | None = None) -> Response:
    return Response(200, json.dumps({"messages": messages, "next_page_uri": following}))


def resource(sid: str, **changes) -> dict:
    values = {
        "sid": sid,
        "direction": "inbound",
        "from": PERSON,
        "to": SENDER,
        "body": "STOP",
        "status": "received",
        "date_created": "Tue, 24 Nov 2026 11:00:00 +0000",
        "error_code": None,
    }
    return values | changes


def twilio(transport: Answers, **more) -> TwilioProvider:
    return TwilioProvider(ACCOUNT_SID, AUTH_TOKEN, BASE, http_client=transport, **more)


def test_all_pages_of_the_log_are_read():
    """Each message once, in our words, of both directions and all senders."""
    following = "/2010-04-01/Accounts/AC/Messages.json?PageSize=1000&Page=1&PageToken=PASM1"
    transport = Answers(
        page(resource("SM1", **{"from": "whatsapp:" + PERSON}), following=following),
        page(resource("SM2", direction="outbound-api", status="delivered", error_code=30003)),
    )
    first, second = twilio(transport).log(START - timedelta(hours=2), START)
    assert (first.is_inbound, first.sender, first.recipient) == (True, PERSON, SENDER)
    assert (second.is_inbound, second.status, second.error_code) == (
        False,
        DeliveryStatus.DELIVERED,
        30003,
    )
    asked = [dict(parse_qsl(urlsplit(url).query)) for _, url, _ in transport.asked]
    assert asked[0]["DateSent>"] == "2026-11-24T10:00:00Z"
    assert asked[1]["PageToken"] == "PASM1"


def test_what_twilio_answers_itself_is_said():
    """Where OPT_OUT_REPLIES=provider, its words are answered by it."""
    texts = [resource("SM1"), resource("SM2", body="CANCELLA")]
    log = twilio(Answers(page(*texts)), provider_replies=True).log(START - timedelta(hours=2))
    assert [each.answered_by_provider for each in log] == [True, False]


def test_twilio_is_asked_to_cancel():
    """POST to the message, as its documentation says; a refusal is an error."""
    transport = Answers(Response(200, json.dumps({"sid": "SM1", "status": "canceled"})))
    twilio(transport).cancel("SM1")
    [(method, url, data)] = transport.asked
    assert (method, url) == ("POST", f"{BASE}/2010-04-01/Accounts/{ACCOUNT_SID}/Messages/SM1.json")
    assert data == {"Status": "canceled"}
    with pytest.raises(ProviderError):
        twilio(Answers(Response(400, '{"code": 30409, "message": "no"}'))).cancel("SM1")


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("7", 7), ("", None), ("soon", None), ("Tue, 24 Nov 2020 11:00:00 GMT", 0)],
)
def test_retry_after_is_read(value, seconds):
    """Seconds or a date; what is neither says nothing."""
    phone = PhoneReader("IT", "made up for tests").parse(PERSON)
    transport = Answers(Response(429, "{}", {"Retry-After": value}))
    with pytest.raises(ProviderError) as busy:
        twilio(transport).send(OutgoingMessage(phone, "Ciao", SENDER))
    wait = busy.value.retry_after
    assert (None if wait is None else wait.total_seconds()) == seconds


@pytest.fixture
def network(database):
    clock = FakeClock()
    return SimulatorProvider(database, ACCOUNT_SID, clock), clock


def test_the_simulated_network_holds_what_is_scheduled(network):
    """It arrives at its time, if nobody has cancelled it; what has arrived can't be cancelled."""
    simulator, clock = network
    phone = PhoneReader("IT", "made up for tests").parse(PERSON)
    options = [("ScheduleType", "fixed"), ("SendAt", (START + timedelta(hours=1)).isoformat())]
    kept, canceled = (
        simulator.send(OutgoingMessage(phone, "Ciao", SENDER, options)) for _ in range(2)
    )
    assert kept.status is DeliveryStatus.SCHEDULED
    assert simulator.deliver(PERSON) == []
    simulator.cancel(canceled.provider_message_id)
    clock.advance(hours=1)
    assert [each.provider_message_id for each in simulator.deliver(PERSON)] == [
        kept.provider_message_id
    ]
    with pytest.raises(ProviderError) as late:
        simulator.cancel(kept.provider_message_id)
    assert late.value.permanent


def test_a_time_that_is_none_is_refused(network):
    """As Twilio refuses it."""
    phone = PhoneReader("IT", "made up for tests").parse(PERSON)
    options = [("ScheduleType", "fixed"), ("SendAt", "tomorrow")]
    with pytest.raises(ProviderError):
        network[0].send(OutgoingMessage(phone, "Ciao", SENDER, options))


def test_a_lost_text_is_in_the_networks_log_alone(network):
    """So that an outage can be shown: the log tells of it, nobody else was told."""
    simulator, _ = network
    simulator.lose({"from": PERSON, "body": "STOP"})
    [text] = simulator.log(datetime(2026, 11, 24, tzinfo=UTC))
    assert (text.is_inbound, text.sender, text.body, text.at) == (True, PERSON, "STOP", START)
    with pytest.raises(InvalidInputError):
        simulator.lose({"from": PERSON})
