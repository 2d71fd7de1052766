"""The suppression list through the API."""

import pytest
import sqlalchemy as sa

from app.core.models import LedgerEntry, Subscriber
from app.gateway import Gateway
from tests.web.api.conftest import NUMBER, OTHER

COMPLAINT = {"to": NUMBER, "reason": "complaint"}
LIFT = {"to": NUMBER, "evidence": "Signed form 2031 on 3 May"}


def last_entry(gateway: Gateway):
    with gateway.services.database.read() as connection:
        query = sa.select(LedgerEntry).order_by(LedgerEntry.id.desc())
        return connection.execute(query).first()


def test_a_number_is_suppressed_once(api, gateway):
    """201, then 200; for all programs it is refused in every one."""
    first = api.post("/suppressions", COMPLAINT)
    again = api.post("/suppressions", {**COMPLAINT, "to": "333 123 4567"})

    assert (first.status_code, first.json) == (201, {"to": NUMBER, "program": "*", "added": True})
    assert (again.status_code, again.json["added"]) == (200, False)
    refused = api.post("/messages", {"to": NUMBER, "body": "ciao", "program": "promo"})
    assert refused.json["reason"] == "suppressed"


def test_a_suppression_of_one_program_leaves_the_others(api):
    """Only the program named is silent."""
    api.post("/suppressions", COMPLAINT | {"program": "promo"})
    reasons = {
        program: api.post("/checks", {"to": [NUMBER], "program": program}).json["results"][0]
        for program in ("promo", "club")
    }

    assert (reasons["promo"]["allowed"], reasons["club"]["allowed"]) == (False, True)


def test_the_ledger_tells_which_key_did_it(api, gateway):
    """Door, key and the words given are evidence; the words where erasure reaches them."""
    (key,) = gateway.services.api_keys.all()

    for path, asked, words in (
        ("/suppressions", COMPLAINT | {"note": "Called the shop"}, "Called the shop"),
        ("/suppressions/lift", LIFT, LIFT["evidence"]),
    ):
        api.post(path, asked)
        entry = last_entry(gateway)
        assert (entry.door, entry.text) == ("api", words)
        assert entry.evidence == {"api_key": key.id, "api_key_name": key.name}


def test_a_lift_needs_evidence(api):
    """Without evidence, or with blank evidence, 422 and the number stays silent."""
    api.post("/suppressions", COMPLAINT)

    for evidence in ({}, {"evidence": None}, {"evidence": ""}, {"evidence": " \n "}):
        answer = api.post("/suppressions/lift", {"to": NUMBER, **evidence})
        assert (answer.status_code, answer.json["errors"][0]["field"]) == (422, "evidence")
    assert not api.post("/checks", {"to": [NUMBER]}).json["results"][0]["allowed"]


def test_a_lift_lifts_one_suppression(api):
    """200 with `lifted`, also where there was nothing to lift; another program's stays."""
    for program in ("promo", "club"):
        api.post("/suppressions", COMPLAINT | {"program": program})

    answers = [api.post("/suppressions/lift", LIFT | {"program": "promo"}) for _ in range(2)]

    assert [(a.status_code, a.json["lifted"]) for a in answers] == [(200, True), (200, False)]
    programs = [row["program"] for row in api.get("/suppressions").json["suppressions"]]
    assert programs == ["club"]


@pytest.mark.parametrize("path", ["/suppressions", "/suppressions/lift"])
@pytest.mark.parametrize(
    ("asked", "reason"),
    [({"to": "nobody"}, "invalid_number"), ({"program": "nonesuch"}, "unknown_program")],
)
def test_what_names_nobody_or_no_program_is_refused(api, path, asked, reason):
    """422 with the reason, and nothing changes."""
    answer = api.post(path, COMPLAINT | asked if path == "/suppressions" else LIFT | asked)

    assert (answer.status_code, answer.json["reason"]) == (422, reason)
    assert api.get("/suppressions").json["suppressions"] == []


def test_pages_show_every_suppression_once(api):
    """Page by page, in any size, each stands in exactly one."""
    numbers = {f"+39333123{i:04d}" for i in range(7)}
    for number in numbers:
        api.post("/suppressions", COMPLAINT | {"to": number})
    api.post("/suppressions", COMPLAINT | {"program": "promo"})

    seen, cursor = [], ""
    while cursor is not None:
        page = api.get(f"/suppressions?limit=3&cursor={cursor}").json
        seen += page["suppressions"]
        cursor = page["next_cursor"]

    assert sorted(row["to"] for row in seen) == sorted([*numbers, NUMBER])
    assert all(row["reason"] == "complaint" and row["since"].endswith("Z") for row in seen)


def test_an_erased_number_is_listed_without_it(api, gateway):
    """What is left of an erased person is that a number is silent: `to` is null."""
    for number in (NUMBER, OTHER):
        api.post("/suppressions", COMPLAINT | {"to": number})
    with gateway.services.database.write() as connection:
        connection.execute(
            sa.update(Subscriber).where(Subscriber.number == NUMBER).values(number=None)
        )

    listed = [row["to"] for row in api.get("/suppressions").json["suppressions"]]

    assert sorted(listed, key=str) == [OTHER, None]


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=1001",
        "limit=x",
        "limit=1e3",
        "limit=1&limit=2",
        "limit=" + "9" * 5000,
        "cursor=x",
        "cursor=AAAA",
        "cursor=" + "A" * 44,
        "cursor=%00",
        "cursor=%ff",
        "cursor=é",
        "cursor=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA/w==",
        "cursor=" + "A" * 10_000,
        "to=%2B393331234567",
        "page=2",
    ],
)
def test_an_odd_page_is_refused(api, query: str):
    """422, with what is wrong and without the value."""
    answer = api.get(f"/suppressions?{query}")

    assert (answer.status_code, answer.mimetype) == (422, "application/problem+json")
    assert "393331234567" not in answer.text
