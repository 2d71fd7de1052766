"""Twilio's webhooks: what each request, true or forged, is answered, and what it leaves behind."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from twilio.request_validator import RequestValidator
from werkzeug.datastructures import MultiDict

from app import web
from app.core.models import DeliveryReport, InboundMessage, OutboundMessage
from app.gateway import Gateway
from app.providers.twilio import TwilioWebhooks
from tests.making import AUTH_TOKEN, made_settings

HOME = "https://sms.example.org"
INBOUND, STATUS = "/webhooks/twilio/inbound", "/webhooks/twilio/status"
PERSON, SENDER = "+393331234567", "+393399957505"
FORM = "application/x-www-form-urlencoded"
UNREACHABLE = "postgresql://nobody@127.0.0.1:1/nothing"

SID = "SM" + "0123456789abcdef" * 2
TEXT = {"MessageSid": SID, "AccountSid": "AC1", "From": PERSON, "To": SENDER, "Body": "STOP"}


def signed(fields: dict[str, Any], path: str, home: str = HOME, token: str = AUTH_TOKEN) -> str:
    return RequestValidator(token).compute_signature(home + path, MultiDict(fields))


def post(browser: FlaskClient, path: str, fields: dict[str, Any], signature: str | None = None):
    headers = {"X-Twilio-Signature": signature or signed(fields, path.partition("#")[0])}
    return browser.post(path, data=fields, headers=headers)


def stored(gateway: Gateway, model: type) -> list[Any]:
    with gateway.services.database.read() as connection:
        return list(connection.execute(sa.select(model)).all())


def is_suppressed(gateway: Gateway, number: str = PERSON) -> bool:
    return not gateway.check([number], purpose="service")[0].allowed


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
def test_a_forged_request_is_turned_away(browser, gateway, path, signature):
    """403 without a trace, whatever stands in the header."""
    headers = {} if signature is None else {"X-Twilio-Signature": signature}
    answer = browser.post(path, data=TEXT, headers=headers)

    assert answer.status_code == 403
    assert stored(gateway, InboundMessage) == []
    assert stored(gateway, DeliveryReport) == []
    assert not is_suppressed(gateway)


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
def test_an_algorithm_that_is_asked_for_does_not_open_the_door(browser, gateway, asked):
    """The header chooses how to compute, never whether: without the token nothing fits."""
    headers = {"X-Twilio-Webhooks-Signature-Settings": asked, "X-Twilio-Signature": "x"}
    assert browser.post(INBOUND, data=TEXT, headers=headers).status_code == 403
    assert stored(gateway, InboundMessage) == []


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
@pytest.mark.parametrize(
    "query", ["", "?a=%7B%7D&b=%C3%A9", "?x=a+b%20c", "?empty=&&x", "?%2e%2E=%2F", "?a=1&a=2"]
)
def test_the_signature_covers_the_public_address_and_the_raw_path(
    database_url, public_url, twilio_calls, query
):
    """With or without port, under a prefix that the proxy takes off, nothing of it decoded."""
    settings = made_settings(database_url=database_url, public_url=public_url)
    with Gateway(settings) as gateway:
        door = TwilioWebhooks(AUTH_TOKEN, settings.public_url, provider_replies=False)
        browser = web.create_app(settings, gateway.services, [door]).test_client()
        answer = browser.post(
            INBOUND,
            data=TEXT,
            headers={"X-Twilio-Signature": signed(TEXT, INBOUND + query, twilio_calls)},
            environ_overrides={"RAW_URI": INBOUND + query, "HTTP_HOST": "evil.example"},
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
def test_a_body_of_another_kind_is_no_text(browser, gateway, content_type, body):
    """Signed as an empty form or not at all: 400 or 403, never a failure and nothing stored."""
    for signature in ("x", signed({}, INBOUND)):
        answer = browser.post(
            INBOUND, data=body, content_type=content_type, headers={"X-Twilio-Signature": signature}
        )
        assert answer.status_code in {400, 403}
    assert stored(gateway, InboundMessage) == []


def test_a_field_that_is_no_utf8_loses_no_stop(browser, gateway):
    """A byte that can't be read stays as it was escaped, and the rest of the text counts."""
    headers = {"X-Twilio-Signature": signed({**TEXT, "City": "Forl%EC"}, INBOUND)}
    body = urlencode(TEXT) + "&City=Forl%EC"
    answer = browser.post(INBOUND, data=body, content_type=FORM, headers=headers)
    assert answer.status_code == 200
    assert is_suppressed(gateway)


@pytest.mark.parametrize("path", [INBOUND, STATUS])
def test_only_posts_of_a_sane_size_are_read(browser, gateway, path):
    """GET is 405, 10 MB are 413: before anything is stored."""
    assert browser.get(path).status_code == 405
    huge = TEXT | {"Body": "x" * 10_000_000}
    assert browser.post(path, data=huge, headers={"X-Twilio-Signature": "x"}).status_code == 413
    assert stored(gateway, InboundMessage) == []


@pytest.mark.parametrize("path", [INBOUND, STATUS])
def test_what_cannot_be_stored_is_never_answered_200(path):
    """Without its database the gateway says 503, so that the provider tries again."""
    settings = made_settings(database_url=UNREACHABLE)
    with Gateway(settings) as gateway:
        door = TwilioWebhooks(AUTH_TOKEN, HOME, provider_replies=False)
        browser = web.create_app(settings, gateway.services, [door]).test_client()
        answer = post(browser, path, TEXT | {"MessageStatus": "sent"})
    assert answer.status_code == 503
    assert PERSON not in answer.text


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


def test_no_answer_holds_a_number_or_a_text(browser, caplog):
    """Refusals and their log lines say what was wrong, never about whom."""
    for fields in (TEXT | {"MessageSid": ""}, TEXT | {"From": ""}):
        answer = post(browser, INBOUND, fields | {"Body": "my secret"})
        assert answer.status_code == 400
        for said in (answer.text, caplog.text):
            assert PERSON not in said
            assert "my secret" not in said
