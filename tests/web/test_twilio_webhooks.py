"""Twilio's webhooks: what each text, true or forged, is answered, and what it leaves behind."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import pytest
from flask.testing import FlaskClient
from twilio.request_validator import RequestValidator
from werkzeug.datastructures import MultiDict

from app import web
from app.core.errors import ForgedRequestError
from app.core.models import InboundMessage
from app.core.provider import WebhookRequest
from app.gateway import Gateway
from app.providers.twilio import TwilioWebhooks
from tests.making import AUTH_TOKEN, made_settings
from tests.web.twilio_requests import (
    FORM,
    HOME,
    INBOUND,
    PERSON,
    STATUS,
    TEXT,
    UNREACHABLE,
    is_suppressed,
    post,
    signed,
    stored,
)


@pytest.fixture
def storeless() -> Iterator[FlaskClient]:
    """The web application without its database."""
    with Gateway(made_settings(database_url=UNREACHABLE)) as gateway:
        door = TwilioWebhooks(AUTH_TOKEN, HOME, provider_replies=False)
        yield web.create_app(gateway.settings, gateway.services, [door]).test_client()


@dataclass
class Case:
    """One payload: what is changed in a STOP, and what must come of it."""

    label: str
    changes: dict[str, Any] = field(default_factory=dict)
    status: int = 200
    replies: bool = True
    suppressed: str | None = PERSON
    rows: int = 1


CASES = [
    Case("a STOP"),
    Case("in Italian", {"Body": "Cancella"}),
    Case("a national spelling", {"From": "3331234567"}),
    Case("an ordinary text", {"Body": "A che ora aprite?"}, replies=False, suppressed=None),
    Case("an empty text", {"Body": ""}, replies=False, suppressed=None),
    Case("no text at all", {"Body": None}, replies=False, suppressed=None),
    Case("a huge text", {"Body": "è🙂" * 50_000}, replies=False, suppressed=None),
    Case("a NUL in the text", {"Body": "STOP\0"}),
    Case("a lone NUL", {"Body": "\0"}, replies=False, suppressed=None),
    Case("a help word", {"Body": "HELP"}, suppressed=None),
    Case("what Twilio has understood", {"OptOutType": "STOP", "Body": "stop"}, replies=False),
    Case("what only Twilio has understood", {"OptOutType": "STOP", "Body": "??"}, replies=False),
    Case(
        "a HELP that Twilio has answered",
        {"OptOutType": "HELP", "Body": "HELP"},
        replies=False,
        suppressed=None,
    ),
    Case("by WhatsApp", {"From": "whatsapp:" + PERSON}),
    Case("by RCS", {"From": "rcs:" + PERSON}),
    Case("a short code", {"From": "4770"}, suppressed=None),
    Case("an alphanumeric sender", {"From": "MyBank"}, suppressed=None),
    Case("a withheld number", {"From": "+266696687"}, suppressed=None),
    Case("a sender of 500 characters", {"From": "x" * 500}, suppressed=None),
    Case("a sender of invisible characters", {"From": "\u200b\u200b"}, suppressed=None),
    Case("a recipient of 500 characters", {"To": "x" * 500}),
    Case("no recipient", {"To": None}),
    Case("a parameter that is new", {"NewToday": "1", "Odd Name é": "ü"}),
    Case("blank fields", {"FromCity": "", "FromState": "", "MediaUrl0": ""}),
    Case("repeated fields", {"Tag": ["b", "a", "a"]}),
    Case("no sender", {"From": None}, 400, replies=False, suppressed=None, rows=0),
    Case("an empty sender", {"From": "  "}, 400, replies=False, suppressed=None, rows=0),
    Case("no id", {"MessageSid": None}, 400, replies=False, suppressed=None, rows=0),
    Case("an id of blanks", {"MessageSid": " "}, 400, replies=False, suppressed=None, rows=0),
    Case("a NUL in the id", {"MessageSid": "S\0M"}, 400, replies=False, suppressed=None, rows=0),
    Case("a huge id", {"MessageSid": "S" * 500}, 400, replies=False, suppressed=None, rows=0),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.label)
def test_a_signed_text_is_answered_and_stored(browser, gateway, case):
    """Each payload has its answer, its reply and its effect, and none brings a failure."""
    fields = {name: each for name, each in (TEXT | case.changes).items() if each is not None}
    answer = post(browser, INBOUND, fields)

    assert answer.status_code == case.status
    assert ("<Message>" in answer.text) == case.replies
    if case.status == 200:
        assert answer.mimetype == "text/xml"
        assert "<Response" in answer.text
    assert len(stored(gateway, InboundMessage)) == case.rows
    assert is_suppressed(gateway) == (case.suppressed == PERSON)


def test_every_odd_sender_stays_silent(browser, gateway):
    """A STOP counts for whoever sent it, whatever that is called: the second is not confirmed."""
    for number, sender in enumerate(["4770", "MyBank", "x" * 500, "+266696687"]):
        first = post(browser, INBOUND, TEXT | {"From": sender, "MessageSid": f"SM{number}"})
        again = post(browser, INBOUND, TEXT | {"From": sender, "MessageSid": f"MM{number}"})
        assert "<Message>" in first.text
        assert "<Message>" not in again.text


FORGED = [
    ("none", None),
    ("empty", ""),
    ("another's", signed(TEXT, INBOUND, token="another")),
    ("for another path", signed(TEXT, "/webhooks/twilio")),
    ("for another host", signed(TEXT, INBOUND, home="https://evil.example")),
    ("for other fields", signed(TEXT | {"Body": "START"}, INBOUND)),
    ("cut off", signed(TEXT, INBOUND)[:-1]),
    ("in another case", signed(TEXT, INBOUND).swapcase()),
    ("not ASCII", "è" * 28),
    ("binary", "\x80\xff" * 14),
    ("huge", "x" * 5000),
]


@pytest.mark.parametrize("path", [INBOUND, STATUS])
@pytest.mark.parametrize(
    "signature", [each for _, each in FORGED], ids=[each for each, _ in FORGED]
)
def test_a_forged_request_is_turned_away(storeless, path, signature):
    """403 whatever stands in the header, and no database is asked."""
    headers = {} if signature is None else {"X-Twilio-Signature": signature}
    assert storeless.post(path, data=TEXT, headers=headers).status_code == 403


@pytest.mark.parametrize(
    "asked",
    [
        "key=webhooks_sharedkey_1,algorithm=HMAC_SHA256",
        "key=x,algorithm=HMAC_MD5",
        "algorithm=",
        "é",
        ",,=,",
    ],
)
def test_an_algorithm_that_is_asked_for_does_not_open_the_door(storeless, asked):
    """The header chooses how to compute, never whether: without the token nothing fits."""
    headers = {"X-Twilio-Webhooks-Signature-Settings": asked, "X-Twilio-Signature": "x"}
    assert storeless.post(INBOUND, data=TEXT, headers=headers).status_code == 403


def test_sha256_is_understood(browser):
    """Requests that Twilio signs with HMAC-SHA256 are genuine too."""
    validator = RequestValidator(AUTH_TOKEN)
    headers = {
        "X-Twilio-Webhooks-Signature-Settings": "key=k,algorithm=HMAC_SHA256",
        "X-Twilio-Signature": validator.compute_signature(HOME + INBOUND, TEXT, "HMAC_SHA256"),
    }
    assert browser.post(INBOUND, data=TEXT, headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("public_url", "twilio_calls"),
    [
        ("https://sms.example.org", "https://sms.example.org"),
        ("https://sms.example.org", "https://sms.example.org:443"),
        ("https://sms.example.org:443", "https://sms.example.org"),
        ("https://sms.example.org:8443", "https://sms.example.org:8443"),
        ("http://sms.example.org", "http://sms.example.org:80"),
        ("https://example.org/sms", "https://example.org/sms"),
    ],
)
@pytest.mark.parametrize("query", ["", "?a=%7B%7D&b=%C3%A9", "?x=a+b%20c", "?e=&&x", "?%2e=%2F"])
def test_the_signature_covers_the_public_address_and_the_raw_path(public_url, twilio_calls, query):
    """With or without port, under a prefix that the proxy takes off, nothing of it decoded."""
    path = INBOUND + query
    headers = {"X-Twilio-Signature": signed(TEXT, path, twilio_calls)}
    door = TwilioWebhooks(AUTH_TOKEN, public_url, provider_replies=False)
    door.authenticate(WebhookRequest(path, headers, MultiDict(TEXT)))
    with pytest.raises(ForgedRequestError):
        door.authenticate(WebhookRequest(path + "x", headers, MultiDict(TEXT)))


def test_what_the_server_decodes_is_not_what_was_signed(browser):
    """The path is taken as it came over the wire, and the host is not the request's word."""
    path = INBOUND + "?a=%7B%7D&b=%C3%A9"
    answer = browser.post(
        INBOUND,
        data=TEXT,
        headers={"X-Twilio-Signature": signed(TEXT, path)},
        environ_overrides={"RAW_URI": path, "HTTP_HOST": "evil.example"},
    )
    assert answer.status_code == 200


def test_a_repeated_text_gets_the_same_answer(browser, gateway):
    """The second copy is answered as the first, and changes nothing."""
    first, second = post(browser, INBOUND, TEXT), post(browser, INBOUND, TEXT)
    assert first.text == second.text
    assert "<Message>" in first.text
    assert len(stored(gateway, InboundMessage)) == 1


def test_many_copies_at_once_change_the_state_once(browser, gateway):
    """Twenty copies at the same moment: one row, twenty equal answers."""
    app = browser.application
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: post(app.test_client(), INBOUND, TEXT), range(20)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
    assert len(stored(gateway, InboundMessage)) == 1


def test_when_the_provider_replies_the_gateway_does_not():
    """OPT_OUT_REPLIES=provider: the words that Twilio answers are recorded and not answered."""
    door = TwilioWebhooks(AUTH_TOKEN, HOME, provider_replies=True)
    answered = {
        body: door.parse_inbound(TEXT | {"Body": body}).answered_by_provider
        for body in ("STOP", " stop ", "Revoke", "optout", "YES", "INFO", "CANCELLA", "stop it")
    }
    assert [body for body, silent in answered.items() if not silent] == ["CANCELLA", "stop it"]


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b'{"MessageSid": "SM1", "From": "+393331234567", "Body": "STOP"}'),
        ("text/plain", urlencode(TEXT).encode()),
        ("application/xml", b"<x/>"),
        ("multipart/form-data; boundary=x", b"--x\r\nbroken"),
        ("multipart/form-data", b"no boundary"),
        ("é/\xff", b"\xff\xfe\x00"),
        (FORM, b"\xff\xfe\x00=%ff%fe&&&=&=x"),
        (FORM, b""),
        (FORM + "; charset=utf-16", b"x=1"),
    ],
)
def test_a_body_of_another_kind_is_no_text(storeless, content_type, body):
    """Signed as an empty form or not at all: 400 or 403, never a failure and nothing stored."""
    for signature in ("x", signed({}, INBOUND)):
        answer = storeless.post(
            INBOUND, data=body, content_type=content_type, headers={"X-Twilio-Signature": signature}
        )
        assert answer.status_code in {400, 403}


def test_a_field_that_is_no_utf8_loses_no_stop(browser, gateway):
    """A byte that can't be read stays as it was escaped, and the rest of the text counts."""
    headers = {"X-Twilio-Signature": signed({**TEXT, "City": "Forl%EC"}, INBOUND)}
    body = urlencode(TEXT) + "&City=Forl%EC"
    answer = browser.post(INBOUND, data=body, content_type=FORM, headers=headers)
    assert answer.status_code == 200
    assert is_suppressed(gateway)


@pytest.mark.parametrize("path", [INBOUND, STATUS])
def test_only_posts_of_a_sane_size_are_read(storeless, path):
    """GET is 405, 10 MB are 413: before anything is stored."""
    assert storeless.get(path).status_code == 405
    huge = TEXT | {"Body": "x" * 10_000_000}
    assert storeless.post(path, data=huge, headers={"X-Twilio-Signature": "x"}).status_code == 413


@pytest.mark.parametrize("path", [INBOUND, STATUS])
def test_what_cannot_be_stored_is_never_answered_200(storeless, path):
    """Without its database the gateway says 503, so that the provider tries again."""
    answer = post(storeless, path, TEXT | {"MessageStatus": "sent"})
    assert answer.status_code == 503
    assert PERSON not in answer.text


def test_no_answer_holds_a_number_or_a_text(browser, caplog):
    """Refusals and their log lines say what was wrong, never about whom."""
    for fields in (TEXT | {"MessageSid": ""}, TEXT | {"From": ""}):
        answer = post(browser, INBOUND, fields | {"Body": "my secret"})
        assert answer.status_code == 400
        for said in (answer.text, caplog.text):
            assert PERSON not in said
            assert "my secret" not in said
