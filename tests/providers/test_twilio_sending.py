"""Sending through Twilio: what each answer, and each failure of the network, is taken to mean."""

import socket
import ssl
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from threading import Thread

import pytest
import requests
import responses
import urllib3.exceptions
from twilio.http.response import Response

from app.core.errors import ProviderError, ProviderOptedOutError, ProviderOutcomeUnknownError
from app.core.models import DeliveryStatus
from app.core.phone import PhoneReader
from app.core.provider import OutgoingMessage
from app.providers.twilio import TwilioProvider, exchange, form
from app.providers.twilio_transport import Transport
from tests.making import ACCOUNT_SID, AUTH_TOKEN
from tests.providers.fake_twilio import (
    Handler,
    answered,
    cut_off,
    hung_up,
    nonsense,
    reset,
    silent,
)

PHONE = PhoneReader("IT", "a key for tests only").parse("+393331234567")
MESSAGE = OutgoingMessage(PHONE, "ciao", "+393399957505")
TAKEN = {"sid": "SM1", "status": "queued"}


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.seen, server.answer = [], answered(201, TAKEN)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def provider(server) -> Iterator[TwilioProvider]:
    transport = Transport()
    yield TwilioProvider(
        ACCOUNT_SID, AUTH_TOKEN, f"http://127.0.0.1:{server.server_port}", http_client=transport
    )
    transport.session.close()


def test_a_message_is_handed_over_in_twilios_form(server, provider):
    """One POST to the Messages resource; Twilio's id, status and description come back."""
    accepted = provider.send(MESSAGE)

    [(_, path, fields)] = server.seen
    assert path == f"/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json"
    assert fields == [("To", PHONE.e164), ("Body", "ciao"), ("From", "+393399957505")]
    assert (accepted.provider_message_id, accepted.status) == ("SM1", DeliveryStatus.QUEUED)
    assert accepted.resource == TAKEN


def test_repeated_fields_and_the_callback_go_over_the_wire(server):
    """Lists are repeated fields; the gateway asks for the status unless the script does."""
    options = [("MediaUrl", "https://example.org/1"), ("MediaUrl", "https://example.org/2")]
    message = OutgoingMessage(PHONE, None, "MG1", options)
    transport = Transport()
    provider = TwilioProvider(
        ACCOUNT_SID,
        AUTH_TOKEN,
        f"http://127.0.0.1:{server.server_port}",
        "https://sms.example.org/status",
        http_client=transport,
    )
    provider.send(message)
    transport.session.close()

    fields = server.seen[0][2]
    assert [each for each in fields if each[0] == "MediaUrl"] == options
    assert ("MessagingServiceSid", "MG1") in fields
    assert ("StatusCallback", "https://sms.example.org/status") in fields
    assert not {"Body", "From"} & {name for name, _ in fields}


@pytest.mark.parametrize("name", ["To", "Body", "From"])
def test_no_option_takes_the_place_of_what_the_gate_decided_on(name):
    """The number that was asked for is the number that is texted."""
    message = OutgoingMessage(PHONE, "ciao", "+393399957505", [(name, "+393401234567")])
    assert form(message)[name] == form(MESSAGE)[name]


def test_a_script_that_names_its_own_callback_keeps_it():
    """What the script says of the callback goes before what the settings say."""
    message = OutgoingMessage(PHONE, "x", None, [("StatusCallback", "https://example.org/")])
    assert form(message, "https://sms.example.org/")["StatusCallback"] == ["https://example.org/"]


@pytest.mark.parametrize(
    "answer",
    [
        reset,
        hung_up,
        cut_off,
        nonsense,
        silent,
        answered(201, b""),
        answered(201, b"<html>welcome</html>"),
        answered(201, ["SM1"]),
        answered(201, {"status": "queued"}),
        answered(201, {"sid": None}),
        answered(201, {"sid": 7}),
        answered(201, {"sid": "S" * 65}),
        answered(200, b"\xff\xfe"),
        answered(307, b"", Location="/elsewhere"),
        answered(500, {"code": 20500, "message": "Internal Server Error", "status": 500}),
        answered(502, b"<html>bad gateway</html>"),
        answered(503, {"code": 20503, "message": "Service Unavailable", "status": 503}),
    ],
)
def test_an_outcome_that_nobody_knows_is_said_to_be_one(server, provider, answer):
    """The message may be on its way: it is not sent again, neither here nor by the caller."""
    server.answer = answer
    provider._client.http_client.timeout = (1.0, 0.2)
    with pytest.raises(ProviderOutcomeUnknownError):
        provider.send(MESSAGE)
    assert len(server.seen) == 1


def test_a_refused_connection_is_no_unknown_outcome():
    """Where nobody listens nothing was sent, and it may be tried again."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(ProviderError) as caught:
            TwilioProvider(ACCOUNT_SID, AUTH_TOKEN, address).send(MESSAGE)
    assert not isinstance(caught.value, ProviderOutcomeUnknownError)
    assert not caught.value.permanent


def unreachable(reason: Exception) -> requests.ConnectionError:
    pool = urllib3.HTTPSConnectionPool("api.twilio.com")
    return requests.ConnectionError(urllib3.exceptions.MaxRetryError(pool, "/", reason))


@pytest.mark.parametrize(
    ("error", "unknown"),
    [
        (requests.ConnectTimeout(), False),
        (unreachable(urllib3.exceptions.NameResolutionError("x", None, OSError())), False),
        (unreachable(urllib3.exceptions.ProxyError("no", OSError())), False),
        (unreachable(urllib3.exceptions.SSLError(ssl.SSLCertVerificationError())), False),
        (unreachable(urllib3.exceptions.SSLError(ssl.SSLEOFError())), True),
        (requests.exceptions.InvalidURL("no host"), False),
        (requests.exceptions.InvalidHeader("no"), False),
        (requests.ReadTimeout(), True),
        (requests.exceptions.ChunkedEncodingError(), True),
        (requests.ConnectionError(urllib3.exceptions.ProtocolError("reset")), True),
        (requests.ConnectionError(), True),
        (OSError("anything"), True),
        (RuntimeError("of a client of somebody's own"), True),
    ],
)
def test_each_failure_of_the_network_is_told_apart(error, unknown):
    """Only where the request surely never left may it be sent again."""

    def fail() -> Response:
        raise error

    with pytest.raises(ProviderError) as caught:
        exchange(fail)
    assert isinstance(caught.value, ProviderOutcomeUnknownError) == unknown
    assert not caught.value.permanent


@responses.activate
@pytest.mark.parametrize(
    ("status", "body", "kind", "code", "permanent"),
    [
        (400, {"code": 21211, "message": "Invalid 'To'"}, ProviderError, 21211, True),
        (400, {"code": 21610, "message": "unsubscribed"}, ProviderOptedOutError, 21610, True),
        (401, {"code": 20003, "message": "Authenticate"}, ProviderError, 20003, True),
        (404, {"message": "no code here"}, ProviderError, 404, True),
        (429, {"code": 20429, "message": "Too Many Requests"}, ProviderError, 20429, False),
    ],
)
def test_a_refusal_of_twilios_keeps_its_code(status, body, kind, code, permanent):
    """The code decides what happens next; only where there are too many requests may it wait."""
    url = f"https://api.twilio.com/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json"
    responses.post(url, json=body, status=status, headers={"Retry-After": "1"})
    with pytest.raises(ProviderError) as caught:
        TwilioProvider(ACCOUNT_SID, AUTH_TOKEN, "https://api.twilio.com").send(MESSAGE)
    assert type(caught.value) is kind
    assert (caught.value.status, caught.value.code) == (status, code)
    assert caught.value.permanent == permanent
    assert len(responses.calls) == 1


def test_a_number_in_twilios_text_does_not_leave_the_house(server, provider):
    """Twilio repeats the number in some of its errors; ours never hold one."""
    text = f"The 'To' number {PHONE.e164} is not a valid phone number."
    server.answer = answered(400, {"code": 21211, "message": text})
    with pytest.raises(ProviderError, match="The 'To' number") as caught:
        provider.send(MESSAGE)
    assert PHONE.e164[3:] not in str(caught.value)


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("accepted", DeliveryStatus.QUEUED),
        ("scheduled", DeliveryStatus.SCHEDULED),
        ("queued", DeliveryStatus.QUEUED),
        ("sending", DeliveryStatus.QUEUED),
        ("sent", DeliveryStatus.SENT),
        ("delivered", DeliveryStatus.DELIVERED),
        ("failed", DeliveryStatus.FAILED),
        ("canceled", DeliveryStatus.CANCELED),
        ("a word of tomorrow", DeliveryStatus.QUEUED),
        (None, DeliveryStatus.QUEUED),
    ],
)
def test_twilios_words_for_a_new_message_are_ours(server, provider, word, status):
    """A word that we don't know is still a message that was taken."""
    server.answer = answered(201, {"sid": "SM1", "status": word})
    assert provider.send(MESSAGE).status is status


def test_connections_are_kept(server, provider):
    """Message after message goes over one connection."""
    for _ in range(3):
        provider.send(MESSAGE)
    assert len({address for address, _, _ in server.seen}) == 1


def test_the_pool_is_large_enough_and_no_request_waits_for_ever():
    """For every thread of a worker a connection, with both schemes, each with its time limits."""
    transport = Transport()
    for address in ("https://api.twilio.com", "http://127.0.0.1"):
        adapter = transport.session.get_adapter(address)
        assert adapter._pool_maxsize >= 16
        assert adapter.max_retries.total == 0
    assert 0 < min(transport.timeout) <= max(transport.timeout) <= 10


def test_the_address_of_the_settings_is_not_bent(server, provider, monkeypatch):
    """TWILIO_REGION and TWILIO_EDGE, which the library reads by itself, change nothing."""
    monkeypatch.setenv("TWILIO_REGION", "ie1")
    monkeypatch.setenv("TWILIO_EDGE", "dublin")
    address = f"http://127.0.0.1:{server.server_port}"
    TwilioProvider(ACCOUNT_SID, AUTH_TOKEN, address, http_client=Transport()).send(MESSAGE)
    assert len(server.seen) == 1


@responses.activate
def test_reading_passes_on_what_twilio_says():
    """Fetch and list give Twilio's own JSON; filters go over as they are."""
    home = f"https://api.twilio.com/2010-04-01/Accounts/{ACCOUNT_SID}/Messages"
    responses.get(f"{home}/SM1.json", json=TAKEN)
    responses.get(f"{home}.json", json={"messages": [TAKEN]})
    provider = TwilioProvider(ACCOUNT_SID, AUTH_TOKEN, "https://api.twilio.com")
    assert provider.fetch("SM1") == TAKEN
    listed = provider.list_messages({"DateSent>": "2026-11-24", "To": "+39333"})
    assert listed == {"messages": [TAKEN]}
    assert responses.calls[1].request.url.endswith("?DateSent%3E=2026-11-24&To=%2B39333")


@responses.activate
def test_deleting_is_done_when_twilio_says_so():
    """204 ends it; what is on its way (20009) or gone (404) says so, for app.core.deletions."""
    home = f"https://api.twilio.com/2010-04-01/Accounts/{ACCOUNT_SID}/Messages"
    unfinished = {"code": 20009, "message": "delivery to +393331234567 is not complete"}
    responses.delete(f"{home}/SM1.json", status=204)
    responses.delete(f"{home}/SM2.json", status=409, json=unfinished)
    responses.delete(f"{home}/SM3.json", status=404, json={"code": 20404, "message": "none"})
    provider = TwilioProvider(ACCOUNT_SID, AUTH_TOKEN, "https://api.twilio.com")

    provider.delete("SM1")
    with pytest.raises(ProviderError) as refused:
        provider.delete("SM2")
    with pytest.raises(ProviderError) as gone:
        provider.delete("SM3")
    assert (refused.value.code, gone.value.status) == (20009, 404)
    assert "1234567" not in str(refused.value)
