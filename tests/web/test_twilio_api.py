"""The Twilio-compatible endpoint: Twilio's requests, answers and errors; and no way round it."""

import inspect
import re
from datetime import timedelta
from itertools import product

import pytest
from twilio.rest.api.v2010.account.message import MessageInstance

from app import web
from app.core.errors import ProviderError, ProviderOptedOutError, ProviderOutcomeUnknownError
from app.gateway import Gateway
from app.twilio_messages import TwilioError
from tests.fakes import FakeProvider
from tests.making import ACCOUNT_SID, made_settings
from tests.web.scripts import (
    ACCOUNT,
    MESSAGES,
    REACHABLE,
    SENDER,
    SUPPRESSED,
    UNREACHABLE,
    send,
    sent,
)

A_MINUTE = timedelta(minutes=1)


def first_lines(messages: list[dict]) -> list[str]:
    """The texts without the way out that marketing ends with."""
    return [each["body"].split("\n")[0] for each in messages]


def test_a_sent_message_is_answered_as_twilio_does(browser, gateway):
    """201 with the message resource; what was sent is what was asked for."""
    answer = send(browser, To="340 123 4567", Body="ciao")

    assert answer.status_code == 201
    assert answer.mimetype == "application/json"
    assert answer.json == sent(gateway)[0]
    assert answer.json["to"] == REACHABLE
    assert (answer.json["from"], first_lines([answer.json])) == (SENDER, ["ciao"])
    assert answer.json["sid"].startswith("SM")
    assert answer.json["account_sid"] == ACCOUNT_SID
    assert answer.json["status"] == "queued"


def test_the_resource_has_every_field_that_the_library_reads(browser):
    """No attribute of the official library's message is left without its field."""
    read = re.compile(r'payload\.get\(\s*"(\w+)"').findall(inspect.getsource(MessageInstance))
    assert set(send(browser, To=REACHABLE, Body="ciao").json) == set(read)


def test_a_refused_message_is_twilios_21610_with_the_reason(browser, suppressed):
    """A suppressed number is answered as Twilio answers for one that it blocks itself."""
    answer = send(browser, To=suppressed, Body="ciao")

    assert answer.status_code == 400
    assert answer.json == {
        "code": 21610,
        "message": "Attempt to send to unsubscribed recipient",
        "more_info": "https://www.twilio.com/docs/errors/21610",
        "status": 400,
        "details": {"reason": "suppressed"},
    }


@pytest.mark.parametrize(
    ("fields", "code", "message"),
    [
        ({"Body": "ciao"}, 21604, "A 'To' phone number is required."),
        ({"To": "  ", "Body": "ciao"}, 21604, "A 'To' phone number is required."),
        ({"To": REACHABLE, "From": "", "Body": "x"}, 21603, "A 'From' phone number is required."),
        ({"To": REACHABLE}, 21602, "Message body is required."),
        ({"To": REACHABLE, "Body": ""}, 21602, "Message body is required."),
        (
            {"To": REACHABLE, "Body": "x" * 1601},
            21617,
            "The concatenated message body exceeds the 1600 character limit.",
        ),
        ({"To": "nobody", "Body": "ciao"}, 21211, "Invalid 'To' Phone Number"),
        ({"To": "whatsapp:" + REACHABLE, "Body": "x"}, 21211, "Invalid 'To' Phone Number"),
        ({"To": "rcs:" + REACHABLE, "Body": "x"}, 21211, "Invalid 'To' Phone Number"),
        ({"To": "messenger:12345678", "Body": "x"}, 21211, "Invalid 'To' Phone Number"),
        ({"To": f"{REACHABLE},{SENDER}", "Body": "x"}, 21211, "Invalid 'To' Phone Number"),
        ({"To": REACHABLE, "Body": "x", "to": SENDER}, 20001, "'to' is no parameter of this."),
        (
            {"To": [REACHABLE, SENDER], "Body": "x"},
            20001,
            "To was given more than once.",
        ),
        ({"To": REACHABLE, "Body": "x", "From": "x" * 500}, 21212, "Invalid 'From'"),
    ],
)
def test_each_fault_of_a_request_has_twilios_code(browser, gateway, fields, code, message):
    """What is wrong with a request is said with Twilio's code and text, and nothing is sent."""
    answer = send(browser, **fields)

    assert answer.status_code == 400
    assert answer.json["code"] == code
    assert answer.json["message"].startswith(message)
    assert sent(gateway) == []


def test_a_media_message_needs_no_body(browser, gateway):
    """MediaUrl, which may be repeated, stands for the body."""
    media = ["https://example.org/1.png", "https://example.org/2.png"]
    assert send(browser, To=REACHABLE, MediaUrl=media).status_code == 201


def test_an_error_never_repeats_what_may_be_a_number(browser):
    """A number in the wrong place comes back in no error."""
    answers = [
        send(browser, **{"To": REACHABLE, "Body": "x", SUPPRESSED: "x"}),
        send(browser, To="whatsapp:" + SUPPRESSED, Body="x"),
        browser.get(MESSAGES.replace(".json", f"/{SUPPRESSED}.json"), auth=ACCOUNT),
    ]
    for answer in answers:
        assert answer.status_code in {400, 404}
        assert SUPPRESSED[3:] not in answer.text


def test_a_message_can_be_fetched(browser):
    """What create answered is what fetch shows; what is not there is Twilio's 20404."""
    created = send(browser, To=REACHABLE, Body="ciao").json
    path = created["uri"]
    assert browser.get(path, auth=ACCOUNT).json == created

    missing = path.replace(created["sid"], "SM" + "0" * 32)
    answer = browser.get(missing, auth=ACCOUNT)
    assert answer.status_code == 404
    assert answer.json["code"] == 20404
    assert answer.json["message"] == f"The requested resource {missing} was not found"


def test_the_list_is_paged_and_filtered_as_twilios(browser):
    """Pages are linked by relative addresses, and filters hold on every page."""
    for number in range(5):
        send(browser, To=REACHABLE, Body=str(number))
    send(browser, To=SENDER, Body="another")

    first = browser.get(MESSAGES, query_string={"To": REACHABLE, "PageSize": 2}, auth=ACCOUNT).json
    assert first_lines(first["messages"]) == ["4", "3"]
    assert (first["page"], first["page_size"], first["start"], first["end"]) == (0, 2, 0, 1)
    assert first["previous_page_uri"] is None

    send(browser, To=REACHABLE, Body="arrived while somebody was reading")
    second = browser.get(first["next_page_uri"], auth=ACCOUNT).json
    third = browser.get(second["next_page_uri"], auth=ACCOUNT).json
    assert first_lines(second["messages"] + third["messages"]) == ["2", "1", "0"]
    assert third["next_page_uri"] is None
    again = browser.get(third["previous_page_uri"], auth=ACCOUNT).json
    assert again["messages"] == second["messages"]


def test_an_odd_page_size_is_no_failure(browser):
    """What is no size that Twilio knows gives a page of a size that it does."""
    for size in ("0", "-1", "x", "", "99999999999999", "1e3", "²"):
        answer = browser.get(MESSAGES, query_string={"PageSize": size, "Page": size}, auth=ACCOUNT)
        assert answer.status_code == 200
        assert answer.json["page_size"] in {50, 1000}


def test_an_odd_date_is_said_to_be_one(browser):
    """A date that can't be read is the caller's fault, in Twilio's form."""
    dates = ("soon", "", "9999-12-31", "0001-01-01", "0001-01-01T00:00:00+14:00", "2026-13-01", "²")
    for name, date in product(("DateSent", "DateSent<", "DateSent>"), dates):
        answer = browser.get(MESSAGES, query_string={name: date}, auth=ACCOUNT)
        assert (answer.status_code, answer.json["code"]) == (400, 20001)


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/2010-04-01/", 404, 20404),
        ("GET", "/2010-04-01/Accounts.json", 404, 20404),
        ("POST", MESSAGES + "/", 404, 20404),
        ("PUT", MESSAGES, 405, 20004),
        ("DELETE", MESSAGES.replace(".json", "/SM1.json"), 405, 20004),
        ("POST", MESSAGES.replace(".json", "/SM1.json"), 405, 20004),
    ],
)
def test_what_is_not_there_is_said_in_twilios_form(browser, method, path, status, code):
    """Failures outside the views too: and never with the fields of another form."""
    answer = browser.open(path, method=method, auth=ACCOUNT)
    assert (answer.status_code, answer.json["code"]) == (status, code)
    assert answer.json["status"] == status
    assert not {"type", "title"} & set(answer.json)


def test_a_huge_request_is_twilios_20413(browser):
    """10 MB are not read, and the refusal has Twilio's form."""
    answer = send(browser, To=REACHABLE, Body="x" * 10_000_000)
    assert (answer.status_code, answer.json["code"]) == (413, 20413)


def test_when_the_list_cannot_be_read_nothing_is_sent():
    """Without its database the gateway answers 503, in Twilio's form, and nothing goes out."""
    provider = FakeProvider()
    with Gateway(made_settings(database_url=UNREACHABLE), provider) as gateway:
        browser = web.create_app(gateway.settings, gateway.services, []).test_client()
        as_account = send(browser, To=REACHABLE, Body="ciao")
        as_key = send(browser, auth=("SK1", "secret"), To=REACHABLE, Body="ciao")

    for answer in (as_account, as_key):
        assert (answer.status_code, answer.json["code"]) == (503, 20503)
    assert provider.sent == []


@pytest.mark.parametrize(
    ("failure", "status", "code"),
    [
        (ProviderError("no", code=21608, status=400, permanent=True), 400, 21608),
        (ProviderError("slow", status=429, permanent=False, retry_after=A_MINUTE), 429, 20429),
        (ProviderError("not reached", permanent=False, retry_after=A_MINUTE), 503, 20503),
        (ProviderOutcomeUnknownError("timeout"), 504, 20504),
        (ProviderOptedOutError("no", code=21610, status=400), 400, 21610),
    ],
)
def test_what_the_provider_says_goes_through(settings, failure, status, code):
    """The provider's own code; and for an outcome that nobody knows, one that is no success."""
    provider = FakeProvider()
    provider._will_raise(failure)
    with Gateway(settings, provider) as gateway:
        browser = web.create_app(settings, gateway.services, []).test_client()
        answer = send(browser, To=REACHABLE, Body="ciao")
        assert (answer.status_code, answer.json["code"]) == (status, code)
        assert answer.headers.get("Retry-After") == ("60" if status in {429, 503} else None)
        known = gateway.check([REACHABLE])[0].allowed
    assert known == (code != 21610)


def test_an_error_body_never_looks_like_another_kind():
    """The libraries raise another exception for a body with `type` and `title`."""
    body = TwilioError(400, 21610, "no").body()
    assert set(body) == {"code", "message", "more_info", "status"}
