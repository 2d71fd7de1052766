"""Texts that wait for a person, through the API."""

import pytest
import sqlalchemy as sa

from app.core import inbound
from app.core.language import Intent, Meaning
from app.core.models import LedgerEntry
from app.core.provider import InboundMessage
from app.gateway import Gateway
from tests.web.api.conftest import NUMBER, OTHER


@pytest.fixture(autouse=True)
def _every_text_is_unclear(monkeypatch: pytest.MonkeyPatch):
    """What is unclear is the language's business; here everything is."""
    unclear = Meaning(Intent.NONE, "phrase", "2026.11", review=True)
    monkeypatch.setattr(inbound, "classify", lambda *_: unclear)


def text(gateway: Gateway, body: str, number: str = NUMBER) -> None:
    message = InboundMessage("fake", f"in-{number}-{body}", number, "+393399957505", body)
    gateway.services.inbox.receive(message)


def reason(api, number: str = NUMBER, purpose: str = "marketing") -> str | None:
    return api.post("/checks", {"to": [number], "purpose": purpose}).json["results"][0]["reason"]


def test_waiting_texts_are_listed_newest_first(api, gateway):
    """With the text, a masked number, and the time until which to decide."""
    text(gateway, "basta così")
    text(gateway, "ma chi siete", OTHER)

    reviews = api.get("/reviews").json["reviews"]

    assert [review["text"] for review in reviews] == ["ma chi siete", "basta così"]
    assert set(reviews[0]) == {"id", "number", "text", "rule", "received_at", "due_at"}
    assert NUMBER not in str(reviews)
    assert len(api.get("/reviews?limit=1").json["reviews"]) == 1
    assert reason(api) == "under_review"
    assert reason(api, purpose="service") is None


@pytest.mark.parametrize(
    ("decision", "after", "act"),
    [("opt_out", "suppressed", "opt_out"), ("dismiss", None, "hold_dismissed")],
)
def test_one_action_decides(api, gateway, decision, after, act):
    """The number is silent or free at once; the ledger keeps who decided, through which key."""
    text(gateway, "basta così")
    (review,) = api.get("/reviews").json["reviews"]
    (key,) = gateway.services.api_keys.all()

    answer = api.post(f"/reviews/{review['id']}", {"decision": decision, "by": "front desk"})

    assert answer.json == {"id": review["id"], "decision": decision, "by": "front desk"}
    assert reason(api) == after
    assert api.get("/reviews").json["reviews"] == []
    with gateway.services.database.read() as connection:
        query = sa.select(LedgerEntry).order_by(LedgerEntry.id.desc())
        entry = connection.execute(query).first()
    assert (entry.act, entry.door) == (act, "api")
    proof = {"by": "front desk", "api_key": key.id, "api_key_name": key.name}
    assert entry.evidence.items() >= proof.items()


def test_who_decided_is_the_key_unless_said(api, gateway):
    """Without `by` the key's name stands for the person."""
    text(gateway, "basta così")
    (review,) = api.get("/reviews").json["reviews"]

    answer = api.post(f"/reviews/{review['id']}", {"decision": "dismiss"})

    assert answer.json["by"] == "default marketing"


def test_a_text_is_decided_once(api, gateway):
    """The second decision is 404 and changes nothing."""
    text(gateway, "basta così")
    (review,) = api.get("/reviews").json["reviews"]
    path = f"/reviews/{review['id']}"

    statuses = [api.post(path, {"decision": d}).status_code for d in ("opt_out", "dismiss")]

    assert statuses == [200, 404]
    assert reason(api) == "suppressed"


@pytest.mark.parametrize("review_id", ["0", "1", "-1", "9" * 18, "9" * 19, "9" * 5000, "x", "%00"])
def test_a_text_that_does_not_wait_is_not_found(api, review_id):
    """404, whatever stands in the address."""
    assert api.post(f"/reviews/{review_id}", {"decision": "dismiss"}).status_code == 404
