"""The questions and acts behind the page /simulator."""

import json
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from flask.testing import FlaskClient
from prometheus_client import REGISTRY
from werkzeug.test import TestResponse

from app import create_app
from app.config import Settings
from tests.making import made_settings

NUMBER = "+393331234567"
OTHER = "+393477654321"


@pytest.fixture
def client(settings: Settings) -> Iterator[FlaskClient]:
    app = create_app(settings)
    yield app.test_client()
    app.extensions["gateway"].close()


def state(client: FlaskClient, number: str = NUMBER, others: list[str] | None = None) -> dict:
    asked = {"number": number, "others": others or []}
    answer = client.post("/simulator/state", json=asked)
    assert answer.status_code == 200, answer.text
    return answer.json


def text(client: FlaskClient, body: str, number: str = NUMBER) -> TestResponse:
    return client.post("/simulator/text", json={"number": number, "body": body})


def send(client: FlaskClient, body: str, number: str = NUMBER, **more: str) -> TestResponse:
    return client.post("/simulator/send", json={"number": number, "body": body, **more})


def test_a_text_goes_the_way_of_every_text(client: FlaskClient):
    """STOP suppresses, is answered on the handset, explained, written down and counted."""
    counted = {"meaning": "opt_out", "answer": "reply"}
    before = REGISTRY.get_sample_value("optout_inbound_messages_total", counted) or 0

    assert text(client, "STOP").status_code == 204

    now = state(client)
    assert [m["direction"] for m in now["conversation"]] == ["inbound", "outbound-reply"]
    assert now["texts"][0]["meaning"] == "opt_out"
    assert now["texts"][0]["reply"] == now["conversation"][1]["body"]
    assert now["ledger"][0]["text"] == "STOP"
    assert now["suppressions"][0]["reason"] == "opt_out"
    assert now["suppressed_times"][0]["until"] is None
    assert set(now["refusals"].values()) == {"suppressed"}
    assert REGISTRY.get_sample_value("optout_inbound_messages_total", counted) == before + 1


def test_a_message_waits_until_its_handset_is_looked_at(client: FlaskClient):
    """What a script sends arrives when the phone is in hand, and the gateway is told so."""
    sent = send(client, "ciao")
    assert (sent.status_code, sent.json) == (201, {"status": "queued", "segments": 1})

    now = state(client)

    assert [m["status"] for m in now["conversation"]] == ["delivered"]
    assert [s["status"] for s in now["sends"]] == ["delivered"]


def test_a_refusal_says_why_and_nothing_arrives(client: FlaskClient):
    """After STOP a send is 409 with the gate's reason; the handset shows no message of it."""
    text(client, "STOP")

    refused = send(client, "ciao", purpose="service")

    assert refused.status_code == 409
    assert refused.mimetype == "application/problem+json"
    assert refused.json["reason"] == "suppressed"
    now = state(client)
    assert [m["direction"] for m in now["conversation"]] == ["inbound", "outbound-reply"]
    assert [(s["status"], s["reason"], s["body"]) for s in now["sends"]] == [
        ("refused", "suppressed", None)
    ]


def test_each_handset_has_its_own_state(client: FlaskClient):
    """The state of one number shows nothing of another but whether messages get through to it."""
    text(client, "STOP", OTHER)

    now = state(client, NUMBER, [OTHER, "123"])

    assert now["conversation"] == now["ledger"] == now["suppressions"] == []
    assert now["others"] == [
        {"number": OTHER, "reason": "suppressed"},
        {"number": "123", "reason": "invalid_number"},
    ]


def test_a_number_may_be_spelled_in_any_way(client: FlaskClient):
    """However the number is written, it is the same handset."""
    text(client, "STOP", "333 123 4567")

    assert state(client, "0039 333-1234567")["number"] == NUMBER
    assert state(client)["suppressions"]


HOSTILE = {
    "nothing": b"",
    "no JSON": b"{",
    "no object": b"[]",
    "null": b"null",
    "deeply nested": b"[" * 5000,
    "not UTF-8": b'{"number": "\xff"}',
    "no number": b"{}",
    "number as number": b'{"number": 393331234567, "body": "x"}',
    "number as object": b'{"number": {"$ne": ""}, "body": "x"}',
    "number with a lone surrogate": b'{"number": "\\ud800", "body": "x"}',
    "number with NUL": b'{"number": "\\u0000", "body": "x"}',
    "no telephone number": b'{"number": "hello", "body": "x"}',
    "endless number": json.dumps({"number": "3" * 9000, "body": "x"}).encode(),
    "unknown field": json.dumps({"number": NUMBER, "body": "x", "admin": True}).encode(),
    "endless others": json.dumps({"number": NUMBER, "body": "x", "others": ["1"] * 21}).encode(),
    "others as text": json.dumps({"number": NUMBER, "body": "x", "others": NUMBER}).encode(),
}
HOSTILE_BODIES = {
    "missing": {},
    "empty": {"body": ""},
    "blank": {"body": " \n\t "},
    "number": {"body": 1},
    "list": {"body": ["STOP"]},
    "null": {"body": None},
    "lone surrogate": {"body": "\ud83d"},
    "too long": {"body": "x" * 1601},
    "unknown purpose": {"body": "x", "purpose": "fraud"},
}


@pytest.mark.parametrize("act", ["state", "text", "send"])
@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_questions_end_as_a_clear_400(client: FlaskClient, act: str, body: bytes):
    """What can't be understood is 400 with a reason in words, and without what was sent."""
    answer = client.post(f"/simulator/{act}", data=body, content_type="application/json")

    assert answer.status_code == 400
    assert answer.mimetype == "application/problem+json"
    assert answer.json["detail"]
    assert "333" not in answer.text


@pytest.mark.parametrize("act", ["text", "send"])
@pytest.mark.parametrize("fields", HOSTILE_BODIES.values(), ids=HOSTILE_BODIES.keys())
def test_hostile_bodies_end_as_a_clear_400(client: FlaskClient, act: str, fields: dict):
    """A body that is no text of 1 to 1600 characters is refused, and nothing is stored."""
    answer = client.post(f"/simulator/{act}", json={"number": NUMBER, **fields})

    assert answer.status_code == 400
    assert "body" in answer.json["detail"] or "purpose" in answer.json["detail"]
    now = state(client)
    assert now["conversation"] == now["texts"] == now["sends"] == []


@pytest.mark.parametrize("size", [16 * 1024 + 1, 1024 * 1024, 2 * 1024 * 1024])
def test_huge_requests_are_413(client: FlaskClient, size: int):
    """The pages' questions are small; a large one is not read."""
    answer = client.post("/simulator/text", data=b" " * size, content_type="application/json")

    assert answer.status_code == 413


def test_odd_characters_are_taken_as_they_come(client: FlaskClient):
    """NUL, emoji, right-to-left and combining characters come and go without harm."""
    for body in ("a\0b", "🎉🎉", "\u202eciao", "e\u0301" * 100, "<script>alert(1)</script>"):
        assert text(client, body).status_code == 204
        assert send(client, body).status_code == 201

    assert len(state(client)["conversation"]) >= 10


def own_paths(client: FlaskClient) -> list[str]:
    rules = client.application.url_map.iter_rules()
    return [rule.rule for rule in rules if rule.rule.startswith("/simulator/")]


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "http://localhost.evil.example"},
        {"Origin": "http://["},
    ],
    ids=str,
)
def test_no_other_page_can_text_or_send(client: FlaskClient, headers: dict):
    """A request from another site's page is 403 on every path, and nothing happens."""
    paths = own_paths(client)
    assert len(paths) == 4

    for path in paths:
        answer = client.post(path, json={"number": NUMBER, "body": "STOP"}, headers=headers)
        assert answer.status_code == 403

    assert state(client)["texts"] == []


def test_its_own_page_may(client: FlaskClient):
    """The headers that a browser adds on the page itself are no obstacle."""
    headers = {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}
    answer = client.post("/simulator/state", json={"number": NUMBER}, headers=headers)

    assert answer.status_code == 200


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_what_a_form_of_another_site_could_send_is_415(client: FlaskClient, content_type: str):
    """Only JSON is taken: a page elsewhere can't send that without being asked for permission."""
    body = json.dumps({"number": NUMBER, "body": "STOP"})
    for path in own_paths(client):
        assert client.post(path, data=body, content_type=content_type).status_code == 415


def test_the_root_leads_to_the_simulator(client: FlaskClient):
    """Who opens the bare address finds the telephone."""
    assert client.get("/").location == "/simulator"


def test_with_a_real_provider_there_is_no_simulator(database_url: str):
    """Page, questions and the door without signature exist only where nothing real is behind."""
    settings = made_settings(database_url=database_url, sms_provider="twilio")
    app = create_app(settings, provider=SimpleNamespace(name="twilio"))
    client = app.test_client()

    assert client.get("/").status_code == 404
    assert client.get("/simulator").status_code == 404
    for act in ("state", "text", "send"):
        answer = client.post(f"/simulator/{act}", json={"number": NUMBER, "body": "STOP"})
        assert answer.status_code == 404
    door = client.post("/webhooks/simulator/inbound", json={"from": NUMBER, "body": "STOP"})
    assert door.status_code == 404
    app.extensions["gateway"].close()
