"""The drop-in client: Twilio's own library, and no way in it that reaches a suppressed number."""

import inspect
import json
import pickle
from datetime import timedelta

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client as PlainClient

import app
from app import Client, Gateway, RecipientRefused
from app.core.errors import (
    ProviderError,
    ProviderOutcomeUnknownError,
    Reason,
)
from app.twilio_messages import FIELDS
from tests.fakes import FakeProvider
from tests.making import ACCOUNT_SID, AUTH_TOKEN, made_settings
from tests.providers.scripts import REACHABLE, SENDER, SUPPRESSED, UNREACHABLE, RecordingTransport

A_MINUTE = timedelta(minutes=1)


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
        (ProviderError("not reached", permanent=False, retry_after=A_MINUTE), 503, 20503),
        (ProviderOutcomeUnknownError("timeout"), 504, 20504),
    ],
)
def test_the_gateways_own_messages_fail_as_twilios_do(settings, failure, status, code):
    """A script for Twilio catches TwilioRestException; the failure itself is its cause."""
    provider = FakeProvider()
    provider._will_raise(failure)
    gateway = Gateway(settings, provider)
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
