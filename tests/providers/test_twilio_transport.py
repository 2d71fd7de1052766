"""Our HTTP client beside the library's: the same on the wire, prepared once."""

from collections.abc import Iterator

import pytest
import requests
from requests.adapters import HTTPAdapter
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

from app.providers.twilio_transport import Transport
from tests.making import ACCOUNT_SID, AUTH_TOKEN

ADDRESS = f"https://api.twilio.com/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json"
FORMS = [
    {"To": "+393331234567", "Body": "è 10 % in meno & più\n😀"},
    {"To": "+393331234567", "MediaUrl": ["https://a.example/1", "https://a.example/2"]},
    {"To": "+393331234567", "SmartEncoded": True, "ValidityPeriod": 60, "Body": ""},
]


@pytest.fixture
def sent(monkeypatch) -> Iterator[list[tuple[requests.PreparedRequest, dict]]]:
    """What is given to the adapter, which is the last that both have in common."""
    sent = []

    def send(_, request, **settings):
        sent.append((request, settings))
        answer = requests.Response()
        answer.status_code, answer._content, answer.request = 201, b'{"sid": "SM1"}', request
        return answer

    monkeypatch.setattr(HTTPAdapter, "send", send)
    return sent


def ask(transport, form, address=ADDRESS, credentials=(ACCOUNT_SID, AUTH_TOKEN), **rest):
    client = Client(*credentials, http_client=transport)
    return client.request("POST", address, data=form, **rest)


@pytest.mark.parametrize("form", FORMS)
def test_a_form_goes_out_as_the_library_sends_it(sent, form):
    """Address, headers, credentials and body are the library's, the first time and the second."""
    transport = Transport()
    ask(TwilioHttpClient(), form)
    answers = [ask(transport, form) for _ in range(2)]

    theirs, *ours = [
        (request.method, request.url, dict(request.headers), request.body or "")
        for request, _ in sent
    ]
    assert ours == [theirs, theirs]
    assert [answer.text for answer in answers] == ['{"sid": "SM1"}'] * 2


def test_two_accounts_are_kept_apart(sent):
    """Other credentials, or another address, are never answered for by what was prepared before."""
    transport = Transport()
    ask(transport, FORMS[0])
    ask(transport, FORMS[0], credentials=("AC2", "other"))
    ask(transport, FORMS[0], ADDRESS.replace("Messages", "Calls"))
    first, second, third = (request for request, _ in sent)
    assert first.headers["Authorization"] != second.headers["Authorization"]
    assert third.url.endswith("/Calls.json")


def test_no_body_is_left_for_the_next_message(sent):
    """What one message says is not in the other, though they were prepared together."""
    transport = Transport()
    for form in FORMS[:2]:
        ask(transport, form)
    first, second = (request for request, _ in sent)
    assert "Body" in first.body
    assert "Body" not in second.body
    assert first is not second


def test_proxy_and_certificates_are_the_environments(sent, monkeypatch):
    """HTTPS_PROXY, NO_PROXY and REQUESTS_CA_BUNDLE hold as in the library."""
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "inside.example")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/etc/ssl/own.pem")
    transport = Transport()
    for address in (ADDRESS, "https://inside.example/Messages.json"):
        ask(TwilioHttpClient(), FORMS[0], address)
        ask(transport, FORMS[0], address)

    through, ours_through, past, ours_past = (settings for _, settings in sent)
    for theirs, ours in ((through, ours_through), (past, ours_past)):
        assert (ours["proxies"], ours["verify"]) == (theirs["proxies"], theirs["verify"])
    assert ours_through["proxies"]["https"] == "http://proxy.example:3128"
    assert ours_through["verify"] == "/etc/ssl/own.pem"
    assert not ours_past["proxies"]


def test_every_form_has_its_timeouts(sent):
    """Ours where none is named; the named one where it is."""
    transport = Transport()
    ask(transport, FORMS[0])
    ask(transport, FORMS[0], timeout=4.0)
    assert [settings["timeout"] for _, settings in sent] == [transport.timeout, 4.0]
