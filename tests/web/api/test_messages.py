"""Sending and checking through the API."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event

import pytest
import sqlalchemy as sa

from app.core import barrier
from app.core.errors import ProviderError, ProviderOptedOutError, ProviderOutcomeUnknownError
from app.core.models import LedgerEntry, OutboundMessage
from app.core.provider import InboundMessage
from app.gateway import Gateway
from tests.web.api.conftest import NUMBER, OTHER

A_MINUTE = timedelta(minutes=1)
HELLO = {"to": NUMBER, "body": "ciao"}


def text(gateway: Gateway, body: str, number: str = NUMBER) -> None:
    message = InboundMessage("fake", f"in-{number}-{body}", number, "+393399957505", body)
    gateway.services.inbox.receive(message)


def test_a_message_is_sent_and_shown(api, provider):
    """201 with the message; its id shows it again; any spelling of a number becomes E.164."""
    sent = api.post("/messages", {"to": "333 123 4567", "body": "ciao"})

    assert sent.status_code == 201
    assert set(sent.json) == {"id", "to", "status", "provider_id", "segments"}
    assert (sent.json["to"], sent.json["status"]) == (NUMBER, "queued")
    assert api.get(f"/messages/{sent.json['id']}").json == sent.json
    assert [message.to.e164 for message in provider.sent] == [NUMBER]


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"to": "not a number"}, "invalid_number"),
        ({"to": ""}, "invalid_number"),
        ({"to": "+39 12"}, "invalid_number"),
        ({"to": NUMBER, "program": "nonesuch"}, "unknown_program"),
        ({"to": NUMBER, "program": "*"}, "unknown_program"),
        ({"to": OTHER}, "suppressed"),
        ({"to": "0039 333 765 4321"}, "suppressed"),
        ({"to": OTHER, "program": "promo"}, "suppressed"),
    ],
)
def test_a_refused_message_says_why(api, gateway, provider, asked, reason):
    """409 with the reason, and nothing reaches the provider."""
    text(gateway, "STOP", OTHER)

    answer = api.post("/messages", {"body": "ciao", **asked})

    assert (answer.status_code, answer.json["reason"]) == (409, reason)
    assert answer.mimetype == "application/problem+json"
    assert provider.sent == []


def test_the_same_key_sends_once_and_answers_the_same(api, provider):
    """The first answer is given again; a different message with the key is refused."""
    asked = HELLO | {"idempotency_key": "spring-42"}

    first, again = (api.post("/messages", asked) for _ in range(2))
    other = api.post("/messages", asked | {"body": "arrivederci"})

    assert (again.status_code, again.json) == (first.status_code, first.json) == (201, first.json)
    assert other.status_code == 422
    assert len(provider.sent) == 1


def test_the_same_key_of_another_caller_is_another_message(asker, provider):
    """Idempotency keys belong to the API key that used them."""
    for caller in (asker(), asker("promo")):
        caller.post("/messages", HELLO | {"idempotency_key": "spring-42"})

    assert len(provider.sent) == 2


def test_the_same_key_at_the_same_moment_sends_once(api, provider, monkeypatch):
    """Ten at once: one message, ten equal answers, also while the provider is still thinking."""
    another_waits = Event()
    wait_for = barrier.wait_for

    def seen(*given):
        another_waits.set()
        return wait_for(*given)

    monkeypatch.setattr(barrier, "wait_for", seen)
    provider.meanwhile = lambda: another_waits.wait(5)
    asked = HELLO | {"idempotency_key": "spring-42"}

    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: api.post("/messages", asked), range(10)))

    assert len(provider.sent) == 1
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.data for answer in answers}) == 1


@pytest.mark.parametrize(
    ("failure", "status", "status_again"),
    [
        (ProviderError(f"{NUMBER} is no good", code=21211, permanent=True), 502, 502),
        (ProviderError("not reached", permanent=False, retry_after=A_MINUTE), 503, 201),
        (ProviderError("no", status=429, permanent=False, retry_after=A_MINUTE), 429, 201),
        (ProviderOptedOutError("unsubscribed recipient", code=21610, status=400), 409, 409),
        (ProviderOutcomeUnknownError("the provider did not answer in time"), 504, 504),
    ],
)
def test_a_failing_provider_is_told_from_an_unknown_outcome(
    api, provider, failure, status, status_again
):
    """502 where it is not taken, 429 and 503 where it may be later, 504 where it may have been.

    The key's answer stays the same but for what surely was not taken and might be another time,
    of which Retry-After says when.
    """
    provider.failure = failure
    asked = HELLO | {"idempotency_key": "spring-42"}

    first = api.post("/messages", asked)
    provider.failure = None
    again = api.post("/messages", asked)

    assert (first.status_code, again.status_code) == (status, status_again)
    assert first.headers.get("Retry-After") == ("60" if status in {429, 503} else None)
    assert NUMBER not in first.text
    assert len(provider.sent) == (2 if status_again == 201 else 1)


def test_what_the_provider_says_of_an_opt_out_counts(api, provider):
    """After the provider's 21610 the number is suppressed here as well."""
    provider.failure = ProviderOptedOutError("unsubscribed", code=21610, status=400)
    api.post("/messages", HELLO)

    assert api.post("/messages", HELLO).json["reason"] == "suppressed"


def test_sends_are_counted_by_what_became_of_them(app, api, provider):
    """/metrics tells sent, refused and failed apart."""

    def count(result: str) -> float:
        line = f'optout_sends_total{{result="{result}"}} '
        shown = app.test_client().get("/metrics").text
        return next((float(x.removeprefix(line)) for x in shown.splitlines() if line in x), 0)

    before = {result: count(result) for result in ("queued", "invalid_number", "failed", "unknown")}
    api.post("/messages", HELLO)
    api.post("/messages", HELLO | {"to": "nobody"})
    provider.failure = ProviderError("no", permanent=True)
    api.post("/messages", HELLO)
    provider.failure = ProviderOutcomeUnknownError("?")
    api.post("/messages", HELLO)

    assert {result: count(result) - before[result] for result in before} == dict.fromkeys(before, 1)


def test_a_message_is_kept_under_the_key_that_sent_it(api, gateway):
    """Who asked is written down with the message."""
    api.post("/messages", HELLO)
    (key,) = gateway.services.api_keys.all()

    with gateway.services.database.read() as connection:
        requesters = connection.execute(sa.select(OutboundMessage.requester)).scalars().all()

    assert requesters == [key.id]


@pytest.mark.parametrize("message_id", ["0" * 32, "x", "%00", "%ff", "1" * 3000, "..%2f", "{id}"])
def test_a_message_that_is_not_there_is_not_found(api, message_id: str):
    """404, whatever stands in the address."""
    assert api.get(f"/messages/{message_id}").status_code == 404


def test_checks_are_answered_in_the_order_asked(api, gateway):
    """Each number as it was spelled, with what would refuse it; repeated ones repeated."""
    text(gateway, "STOP", OTHER)
    asked = [OTHER, "333 123 4567", "nobody", "", OTHER]

    answer = api.post("/checks", {"to": asked})

    assert answer.status_code == 200
    assert answer.json["results"] == [
        {"to": OTHER, "allowed": False, "reason": "suppressed"},
        {"to": "333 123 4567", "allowed": True, "reason": None},
        {"to": "nobody", "allowed": False, "reason": "invalid_number"},
        {"to": "", "allowed": False, "reason": "invalid_number"},
        {"to": OTHER, "allowed": False, "reason": "suppressed"},
    ]


def test_a_check_of_an_unknown_program_allows_nobody(api):
    """The reason is given for each number."""
    answer = api.post("/checks", {"to": [NUMBER], "program": "nonesuch"})

    assert [r["reason"] for r in answer.json["results"]] == ["unknown_program"]


def test_checks_take_ten_thousand_numbers_and_not_one_more(api, gateway):
    """10,000 are answered, with a few queries for each thousand; 10,001 are 422."""
    numbers = [f"+39333{i:07d}" for i in range(10_000)]
    queries = []
    engine = gateway.services.database.engine
    sa.event.listen(engine, "before_cursor_execute", lambda *given: queries.append(given[2]))

    answer = api.post("/checks", {"to": numbers})
    assert len(queries) <= 30
    too_many = api.post("/checks", {"to": [*numbers, NUMBER]})

    assert [result["to"] for result in answer.json["results"]] == numbers
    assert (too_many.status_code, too_many.json["errors"][0]["field"]) == (422, "to")


def test_a_check_writes_nothing(api, gateway):
    """Asking about a number makes no trace of the person."""
    api.post("/checks", {"to": [NUMBER]})

    with gateway.services.database.read() as connection:
        entries = connection.execute(sa.select(sa.func.count()).select_from(LedgerEntry)).scalar()

    assert entries == 0
