"""No request to the Twilio-compatible endpoint reaches a suppressed number."""

import json
from itertools import product

import pytest

from tests.making import ACCOUNT_SID
from tests.web.scripts import ACCOUNT, MESSAGES, REACHABLE, SENDER, SUPPRESSED, sent


def wide(text: str) -> str:
    """The full-width form of ASCII characters."""
    return "".join(chr(ord(character) + 0xFEE0) for character in text)


SPELLINGS = [
    "+393331234567",
    "00393331234567",
    "3331234567",
    "333 123 4567",
    "+39 333 1234567",
    "+39-333-123-45-67",
    "(+39) 333.123.4567",
    "+39/333/1234567",
    "tel:+393331234567",
    "TEL:+39-333-1234567",
    "sms:+393331234567",
    " +393331234567\n",
    "+39\u200b3331234567",
    "\u202a+393331234567\u202c",
    wide("+393331234567"),
    "+39 " + wide("3331234567"),
    "+39\u00a0333\u00a01234567",
    "٣٣٣١٢٣٤٥٦٧",
    "+39(0)3331234567",
    "+390393331234567",
    "whatsapp:+393331234567",
    "rcs:+393331234567",
    "messenger:+393331234567",
    "+393331234567;ext=1",
    "+393331234567,,1",
    "+393331234567\0",
    "%2B393331234567",
]

FORM, JSON = "application/x-www-form-urlencoded", "application/json"
BODIES = {
    FORM: lambda fields: {"data": fields},
    "multipart/form-data": lambda fields: {"data": fields, "content_type": "multipart/form-data"},
    JSON: lambda fields: {"data": json.dumps(fields), "content_type": JSON},
    "text/plain": lambda fields: {"data": "&".join(f"{k}={v}" for k, v in fields.items())},
    "nothing": lambda _: {},
}

ACCOUNT_PATH = f"/2010-04-01/Accounts/{ACCOUNT_SID}"
PATHS = [
    MESSAGES,
    MESSAGES + "/",
    MESSAGES + "?_method=POST",
    MESSAGES + "?To=%2B393401234567&From=%2B393399957505&Body=x",
    MESSAGES + ";x",
    MESSAGES + "%00",
    "/" + MESSAGES,
    MESSAGES.replace("Messages", "messages"),
    MESSAGES.replace("Messages", "%4Dessages"),
    MESSAGES.replace("Messages", "./Messages"),
    MESSAGES.replace("Messages", "%2e/Messages"),
    MESSAGES.replace("Messages", "x/%2e%2e/Messages"),
    MESSAGES.replace("Messages", "SMS/Messages"),
    MESSAGES.replace(".json", ""),
    MESSAGES.replace(".json", ".xml"),
    MESSAGES.replace(".json", ".csv"),
    MESSAGES.replace(".json", "/SM1.json"),
    MESSAGES.replace("/2010-04-01", "/2008-08-01"),
    MESSAGES.replace("/2010-04-01", ""),
    ACCOUNT_PATH + "/SMS/Messages",
    ACCOUNT_PATH.lower() + "/Messages.json",
]
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "post"]


def test_no_request_reaches_a_suppressed_number(browser, gateway, suppressed):
    """No spelling, path, method, content type or repeated field gets a message out."""
    requests = [(MESSAGES, "POST", to, kind) for to, kind in product(SPELLINGS, BODIES)]
    requests += product(PATHS, METHODS, [suppressed], BODIES)
    for path, method, to, kind in requests:
        given = BODIES[kind]({"To": to, "From": SENDER, "Body": "ciao"})
        answer = browser.open(
            path,
            method=method,
            auth=ACCOUNT,
            headers={"X-HTTP-Method-Override": "POST"},
            follow_redirects=True,
            **given,
        )
        assert answer.status_code < 500, (path, method, to, kind)
        assert answer.status_code != 201, (path, method, to, kind)
    assert sent(gateway) == []


@pytest.mark.parametrize(
    "fields",
    [
        [("To", REACHABLE), ("To", SUPPRESSED)],
        [("To", SUPPRESSED), ("To", REACHABLE)],
        [("To", REACHABLE), ("to", SUPPRESSED)],
        [("To", REACHABLE), ("TO", SUPPRESSED)],
        [("To", REACHABLE), ("To ", SUPPRESSED)],
        [("To", REACHABLE), ("To[]", SUPPRESSED)],
        [("To", REACHABLE), ("To\0", SUPPRESSED)],
        [("To", REACHABLE), (wide("To"), SUPPRESSED)],
    ],
)
def test_no_second_recipient_passes(browser, gateway, suppressed, fields):
    """A second `To`, however it is spelled, is refused and not passed on."""
    body = "&".join(f"{name}={value.replace('+', '%2B')}" for name, value in fields)
    answer = browser.post(
        MESSAGES, data=f"{body}&From=%2B393399957505&Body=x", content_type=FORM, auth=ACCOUNT
    )
    assert (answer.status_code, answer.json["code"]) == (400, 20001)
    assert sent(gateway) == []
