"""The drop-in client: Twilio's own library, and no way in it that reaches a suppressed number."""

import asyncio
import contextlib
import inspect
import json
import pickle
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.http import HttpClient
from twilio.http.async_http_client import AsyncTwilioHttpClient
from twilio.http.http_client import TwilioHttpClient
from twilio.http.response import Response
from twilio.rest import Client as PlainClient

import app
from app import Client, Gateway, RecipientRefused
from app.core.consent import Evidence
from app.core.errors import (
    ProviderError,
    ProviderOptedOutError,
    ProviderOutcomeUnknownError,
    Reason,
)
from app.core.models import ALL_PROGRAMS
from app.twilio_messages import FIELDS
from tests.making import ACCOUNT_SID, AUTH_TOKEN, made_settings
from tests.providers.recording import RecordingProvider
from tests.providers.twilio_library import changing_calls

SENDER, REACHABLE, SUPPRESSED = "+393399957505", "+393401234567", "+393331234567"
OPEN_WRITES = Path(__file__).parent / "open_writes.txt"
UNREACHABLE = "postgresql://nobody@127.0.0.1:1/nothing"


class RecordingTransport(HttpClient):
    """Stands where the network begins: what it is asked for would have left the machine."""

    def __init__(self, status: int = 201, body: str | None = None) -> None:
        self.is_async = False
        self.timeout = None
        self.requests: list[tuple[str, str, dict]] = []
        self._answer = (status, body)

    def request(self, method, url, **rest):
        self.requests.append((method, url, rest))
        status, body = self._answer
        sid = f"SM{len(self.requests):032}"
        return Response(status, body or json.dumps({"sid": sid, "status": "queued"}))


@pytest.fixture
def gateway(database_url):
    settings = made_settings(database_url=database_url, sms_provider="twilio")
    with Gateway(settings) as gateway:
        gateway.services.suppressions.add(SUPPRESSED, ALL_PROGRAMS, "import", Evidence("test"))
        yield gateway


@pytest.fixture
def transport():
    return RecordingTransport()


@pytest.fixture
def client(gateway, transport):
    return Client(gateway=gateway, http_client=transport)


def test_a_message_goes_out_through_the_clients_own_connection(gateway, transport):
    """To a reachable number: one request, as the library makes it, the number normalised."""
    client = Client(gateway=gateway, http_client=transport, purpose="service")
    message = client.messages.create(to="340 123 4567", from_=SENDER, body="ciao")

    method, url, rest = transport.requests[0]
    assert (method, url) == (
        "POST",
        f"https://api.twilio.com/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json",
    )
    assert rest["data"] == {"To": REACHABLE, "From": SENDER, "Body": "ciao"}
    assert rest["auth"] == (ACCOUNT_SID, AUTH_TOKEN)
    assert message.sid == f"SM{1:032}"


def test_every_field_of_the_library_is_passed_on(client, transport):
    """No parameter of `create` is lost or refused, and lists stay lists."""
    parameters = set(inspect.signature(PlainClient("AC1", "x").messages.create).parameters)
    given = dict.fromkeys(parameters - {"to", "media_url", "persistent_action"}, "x")
    media = ["https://example.org/1.png", "https://example.org/2.png"]
    client.messages.create(to=REACHABLE, media_url=media, persistent_action=["x"], **given)

    data = transport.requests[0][2]["data"]
    assert data["MediaUrl"] == media
    assert len(data) == len(parameters)
    assert set(data) <= FIELDS


def test_a_refusal_is_twilios_exception_with_the_reason(client, transport):
    """Scripts that catch TwilioRestException and look for 21610 keep working; nothing leaves."""
    with pytest.raises(RecipientRefused) as caught:
        client.messages.create(to=SUPPRESSED, from_=SENDER, body="ciao")

    assert isinstance(caught.value, TwilioRestException)
    assert (caught.value.code, caught.value.status) == (21610, 400)
    assert caught.value.reason == "suppressed"
    assert "Attempt to send to unsubscribed recipient" in str(caught.value)
    assert SUPPRESSED[3:] not in str(caught.value)
    assert transport.requests == []


@pytest.mark.parametrize(
    ("reason", "code"),
    [(each, 21610) for each in Reason if each not in {"invalid_number", "quiet_hours"}]
    + [(Reason.INVALID_NUMBER, 21211), (Reason.QUIET_HOURS, 30610)],
)
def test_a_refusal_survives_pickling(reason, code):
    """A worker process can hand it to its parent with everything that it says."""
    refusal = pickle.loads(pickle.dumps(RecipientRefused(reason)))  # noqa: S301 - our own
    assert (refusal.reason, refusal.code, refusal.status) == (reason, code, 400)
    assert refusal.details == {"reason": reason}
    assert str(refusal) == str(RecipientRefused(reason))


def messages_url(base: str = "https://api.twilio.com") -> str:
    return f"{base}/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json"


FIELDS_OF_A_MESSAGE = {"To": SUPPRESSED, "From": SENDER, "Body": "ciao"}
URLS = [
    messages_url(),
    messages_url() + "/",
    messages_url() + "?To=%2B393401234567",
    messages_url() + "#x",
    messages_url("https://api.dublin.ie1.twilio.com"),
    messages_url("https://conversations.twilio.com"),
    messages_url("http://127.0.0.1:9"),
    messages_url("https://api.twilio.com/prefix"),
    messages_url("https://api.twilio.com/"),
    messages_url().replace(".json", ""),
    messages_url().replace(".json", ".xml"),
    messages_url().replace(".json", ".csv"),
    messages_url().replace("Messages", "messages"),
    messages_url().replace("Messages", "%4Dessages"),
    messages_url().replace("Messages", "./Messages"),
    messages_url().replace("Messages", "Calls/../Messages"),
    messages_url().replace("Messages", "Calls/%2e%2e/Messages"),
    messages_url().replace("Messages", "Calls\\..\\Messages"),
    messages_url().replace("Messages", "Mess\tages"),
    messages_url().replace("Messages", "SMS/Messages"),
    messages_url().replace("Messages", "Accounts/AC2/Messages"),
    "https://api.twilio.com/2008-08-01/Accounts/AC1/SMS/Messages",
    "https://messaging.twilio.com/v1/Messages",
    "https://messaging.twilio.com/v1/Broadcasts",
    "https://preview.messaging.twilio.com/v1/Messages",
    "https://comms.twilio.com/v1/Messages",
    "https://preview.twilio.com/Messaging/Messages",
    "https://conversations.twilio.com/v1/Conversations/CH1/Messages",
    "https://conversations.twilio.com/v2/Conversations/CH1/Communications",
    "https://verify.twilio.com/v2/Services/VA1/Verifications",
    "https://notify.twilio.com/v1/Services/IS1/Notifications",
    "https://studio.twilio.com/v2/Flows/FW1/Executions",
    "https://studio.dublin.ie1.twilio.com/v2/Flows/FW1/Executions",
    "https://proxy.twilio.com/v1/Services/KS1/Sessions/KC1/Participants/KP1/MessageInteractions",
    "https://numbers.twilio.com/v1/CallerIds/SmsVerifications",
    "https://messaging.twilio.com/v1/a2p/BrandRegistrations/BN1/SmsOtp",
    "https://wireless.twilio.com/v1/Commands",
    "https://sync.twilio.com.example.org/v1/Services",
    "https://sync.twilio.com@example.org/v1/Services",
    "http://sync.twilio.com/v1/Services",
    "https://tomorrow.twilio.com/v1/Anything",
    "https://example.org/",
]


@pytest.mark.parametrize("url", URLS)
@pytest.mark.parametrize("content_type", [None, "application/json"])
def test_no_address_goes_round_the_gate(client, transport, url, content_type):
    """Whatever is posted wherever through the client's own `request`, nothing leaves."""
    headers = {"Content-Type": content_type} if content_type else {}
    for method in ("POST", "post", "PUT", "PATCH", "MERGE"):
        with contextlib.suppress(TwilioRestException):
            answer = client.request(method, url, data=dict(FIELDS_OF_A_MESSAGE), headers=headers)
            assert answer.status_code == 400
    assert transport.requests == []


@pytest.mark.parametrize(
    "request_",
    [
        {"params": {"_method": "POST"} | FIELDS_OF_A_MESSAGE},
        {"headers": {"X-HTTP-Method-Override": "POST"}, "data": FIELDS_OF_A_MESSAGE},
    ],
)
def test_no_method_hides_behind_another(client, transport, request_):
    """A GET that asks to be taken for a POST is refused."""
    with pytest.raises(TwilioRestException):
        client.request("GET", messages_url(), **request_)
    with pytest.raises(TwilioRestException):
        client.request("GET", messages_url() + "?_method=POST")
    assert transport.requests == []


@pytest.mark.parametrize(
    "data",
    [
        "To=%2B393331234567&From=%2B393399957505&Body=x",
        b"To=%2B393331234567",
        [("To", REACHABLE), ("To", SUPPRESSED)],
        {"To": [REACHABLE, SUPPRESSED], "From": SENDER, "Body": "x"},
        {"To": REACHABLE, "to": SUPPRESSED, "From": SENDER, "Body": "x"},
        None,
    ],
)
def test_no_form_of_the_fields_goes_round_the_gate(client, transport, data):
    """Fields that are no plain form with one recipient are refused as Twilio refuses."""
    assert client.request("POST", messages_url(), data=data).status_code == 400
    assert transport.requests == []


def test_every_old_and_new_path_of_the_library_is_gated(client, transport):
    """The same resource by its three names."""
    for messages in (
        client.messages,
        client.api.v2010.account.messages,
        client.api.v2010.accounts("AC2").messages,
        client.api.accounts("AC2").messages,
    ):
        with pytest.raises(RecipientRefused):
            messages.create(to=SUPPRESSED, from_=SENDER, body="ciao")
        with pytest.raises(RecipientRefused):
            messages.create_with_http_info(to=SUPPRESSED, from_=SENDER, body="ciao")
    assert transport.requests == []


def test_whatever_client_a_script_puts_in_stands_behind_the_gate(client):
    """Replacing the HTTP client afterwards does not open another way."""
    later = RecordingTransport()
    client.http_client = later
    client.http_client = client.http_client
    with pytest.raises(RecipientRefused):
        client.messages.create(to=SUPPRESSED, from_=SENDER, body="ciao")
    assert later.requests == []
    client.messages.create(to=REACHABLE, from_=SENDER, body="ciao")
    assert len(later.requests) == 1


def test_asyncio_is_told_which_way_to_go(client):
    """The library's asynchronous methods don't send; the error says what to do instead."""
    with pytest.raises(RuntimeError):
        asyncio.run(client.messages.create_async(to=REACHABLE, from_=SENDER, body="ciao"))
    outside = object.__new__(AsyncTwilioHttpClient)
    outside.is_async = True
    with pytest.raises(TypeError, match="to_thread"):
        client.http_client = outside


def test_a_call_is_voice_unless_its_twiml_texts(client, transport):
    """Calls pass; TwiML that texts somebody does not."""
    client.calls.create(to=SUPPRESSED, from_=SENDER, twiml="<Response><Say>ciao</Say></Response>")
    assert len(transport.requests) == 1
    for verb in ("Sms", "Message", "message"):
        with pytest.raises(TwilioRestException):
            client.calls.create(
                to=SENDER,
                from_=SENDER,
                twiml=f'<Response><{verb} to="{SUPPRESSED}">ciao</{verb}></Response>',
            )
    assert len(transport.requests) == 1


def test_each_resource_of_the_library_is_gated_or_known_to_text_nobody(client, transport):
    """The walk over the whole library: one resource sends, through the gate; what else gets out
    is exactly what was read and listed. A new resource shows here as a difference.
    """
    transport._answer = (201, "{}")
    gated = set()
    for name, call in changing_calls(client):
        before = len(transport.requests)
        try:
            call()
        except TwilioRestException as error:
            if error.status != 403:
                gated.add(name)
        except Exception:  # noqa: BLE001, S110 - the answer was none of the library's
            pass
        assert len(transport.requests) - before <= 1
    assert gated == {
        "twilio.rest.api.v2010.account.message.create",
        "twilio.rest.api.v2010.account.message.create_with_http_info",
    }
    assert _writes(transport) == set(OPEN_WRITES.read_text().splitlines())


def _writes(transport: RecordingTransport) -> set[str]:
    passed = {(method, urlsplit(url)) for method, url, _ in transport.requests}
    return {
        f"{method} {url.netloc.removesuffix('.twilio.com')}{url.path.replace(ACCOUNT_SID, 'XX')}"
        for method, url in passed
        if method not in {"GET", "DELETE"}
    }


def test_a_redirect_of_a_write_is_not_followed(client, transport):
    """Nobody can send a message on to another address."""
    client.request("POST", messages_url(), data=FIELDS_OF_A_MESSAGE | {"To": REACHABLE},
                   allow_redirects=True)  # fmt: skip
    assert transport.requests[0][2]["allow_redirects"] is False


def test_every_request_has_a_timeout(client, transport):
    """Also where the script's own HTTP client has none."""
    client.messages.create(to=REACHABLE, from_=SENDER, body="ciao")
    transport._answer = (200, None)
    client.messages("SM1").fetch()
    assert all(rest["timeout"] for _, _, rest in transport.requests)


def test_reading_goes_to_twilio(client, transport):
    """Reading needs no gate."""
    transport._answer = (200, None)
    client.messages("SM1").fetch()
    assert transport.requests[0][0] == "GET"


def test_an_error_of_twilios_comes_as_the_library_raises_it(gateway):
    """Code, status and text are Twilio's, without the number that Twilio repeats."""
    text = json.dumps({"code": 21408, "message": f"not enabled for {REACHABLE}", "status": 400})
    client = Client(gateway=gateway, http_client=RecordingTransport(400, text))
    with pytest.raises(TwilioRestException) as caught:
        client.messages.create(to=REACHABLE, from_=SENDER, body="ciao")
    assert (caught.value.code, caught.value.status) == (21408, 400)
    assert REACHABLE not in str(caught.value)


def test_twilios_own_opt_out_is_learnt(gateway):
    """After a 21610 of Twilio's the gate itself refuses the number."""
    text = json.dumps({"code": 21610, "message": "no", "status": 400})
    transport = RecordingTransport(400, text)
    client = Client(gateway=gateway, http_client=transport)
    for _ in range(2):
        with pytest.raises(TwilioRestException) as caught:
            client.messages.create(to=REACHABLE, from_=SENDER, body="ciao")
        assert caught.value.code == 21610
    assert len(transport.requests) == 1


def test_with_the_simulator_nothing_leaves_the_machine(settings, transport):
    """Sending and reading are answered by the simulated network; the rest is not there."""
    with Gateway(settings) as gateway:
        client = Client(gateway=gateway, http_client=transport)
        message = client.messages.create(to=REACHABLE, from_=SENDER, body="ciao")
        assert client.messages(message.sid).fetch().body.startswith("ciao")
        assert [each.sid for each in client.messages.list(to=REACHABLE)] == [message.sid]
        with pytest.raises(TwilioRestException) as caught:
            client.calls.create(to=REACHABLE, from_=SENDER, twiml="<Response/>")
        assert caught.value.code == 20404
    assert transport.requests == []


def test_the_clients_pages_are_walked_without_gap_or_repetition(settings):
    """`stream` over the simulated log sees each message once, the newest first."""
    with Gateway(settings) as gateway:
        client = Client(gateway=gateway)
        sids = [
            client.messages.create(to=REACHABLE, from_=SENDER, body=str(each)).sid
            for each in range(7)
        ]
        assert [each.sid for each in client.messages.stream(page_size=3)] == sids[::-1]
        assert len(client.messages.list(limit=4, page_size=3)) == 4


def test_when_the_list_cannot_be_read_nothing_is_sent(transport):
    """The library raises its own exception, with 503."""
    settings = made_settings(database_url=UNREACHABLE, sms_provider="twilio")
    with Gateway(settings) as gateway:
        client = Client(gateway=gateway, http_client=transport)
        with pytest.raises(TwilioRestException) as caught:
            client.messages.create(to=REACHABLE, from_=SENDER, body="ciao")
    assert (caught.value.status, caught.value.code) == (503, 20503)
    assert transport.requests == []


def test_arguments_are_twilios_own(gateway, transport):
    """Positional and named, as `twilio.rest.Client` takes them."""
    client = Client("AC9", "token", "AC8", None, transport, gateway=gateway)
    client.messages.create(to=REACHABLE, from_=SENDER, body="ciao")
    assert "/Accounts/AC8/" in transport.requests[0][1]
    assert transport.requests[0][2]["auth"] == ("AC9", "token")
    assert isinstance(app.Client(gateway=gateway).http_client.transport, TwilioHttpClient)


def test_the_address_of_the_api_is_the_settings_one(database_url, transport):
    """TWILIO_API_BASE_URL holds for the drop-in client too."""
    settings = made_settings(
        database_url=database_url, sms_provider="twilio", twilio_api_base_url="http://127.0.0.1:9"
    )
    with Gateway(settings) as gateway:
        client = Client(gateway=gateway, http_client=transport)
        client.messages.create(to=REACHABLE, from_=SENDER, body="ciao")
    assert transport.requests[0][1].startswith("http://127.0.0.1:9/2010-04-01/")


def test_a_receipt_reads_like_twilios_message(settings):
    """`.sid` and `.status`, as scripts written for Twilio read them."""
    with Gateway(settings) as gateway:
        receipt = gateway.messages.create(to=REACHABLE, body="ciao")
    assert receipt.sid == receipt.provider_id
    assert receipt.status == "queued"


@pytest.mark.parametrize(
    ("failure", "status", "code"),
    [
        (ProviderError("no", code=21608, status=400, permanent=True), 400, 21608),
        (ProviderError("not reached", permanent=False), 503, 20503),
        (ProviderOutcomeUnknownError("timeout"), 504, 20504),
        (ProviderOptedOutError("no", code=21610, status=400), 400, 21610),
    ],
)
def test_the_gateways_own_messages_fail_as_twilios_do(settings, failure, status, code):
    """A script for Twilio catches TwilioRestException; the failure itself is its cause."""
    gateway = Gateway(settings, RecordingProvider(failure))
    with gateway, pytest.raises(TwilioRestException) as caught:
        gateway.messages.create(to=REACHABLE, body="ciao")
    assert (caught.value.status, caught.value.code) == (status, code)
    assert caught.value.__cause__ is failure


def test_the_gateways_own_messages_refuse_as_the_client_does(gateway):
    """One exception for every refusal, whichever way a script sends."""
    for number, code in ((SUPPRESSED, 21610), ("nobody", 21211)):
        with pytest.raises(RecipientRefused) as caught:
            gateway.messages.create(to=number, body="ciao")
        assert caught.value.code == code
