"""No way through the drop-in client reaches a suppressed number."""

import asyncio
import contextlib
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.http.async_http_client import AsyncTwilioHttpClient

from app import RecipientRefused
from tests.making import ACCOUNT_SID
from tests.providers.scripts import REACHABLE, SENDER, SUPPRESSED, RecordingTransport
from tests.providers.twilio_library import changing_calls

OPEN_WRITES = Path(__file__).parent / "open_writes.txt"


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


def test_no_address_goes_round_the_gate(client, transport):
    """Whatever is posted wherever through the client's own `request`, nothing leaves."""
    kinds = ({}, {"Content-Type": "application/json"})
    methods = ("POST", "post", "PUT", "PATCH", "MERGE")
    for url, headers, method in product(URLS, kinds, methods):
        with contextlib.suppress(TwilioRestException):
            answer = client.request(
                method, url, data=dict(FIELDS_OF_A_MESSAGE), headers=dict(headers)
            )
            assert answer.status_code == 400, (method, url)
        assert transport.requests == [], (method, url)


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


def test_no_second_recipient_in_the_address_goes_out(client, transport):
    """What stands in the query beside the fields is refused: Twilio might read it first."""
    fields = FIELDS_OF_A_MESSAGE | {"To": REACHABLE}
    for url, params in (
        (messages_url(), {"To": SUPPRESSED}),
        (messages_url() + "?To=%2B393331234567", None),
    ):
        assert client.request("POST", url, params=params, data=fields).status_code == 400
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

    def send() -> None:
        asyncio.run(client.messages.create_async(to=REACHABLE, from_=SENDER, body="ciao"))

    # In a thread of its own: a browser's tests leave a loop running in this one.
    with ThreadPoolExecutor(1) as pool, pytest.raises(RuntimeError, match="asynchronous"):
        pool.submit(send).result()
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
