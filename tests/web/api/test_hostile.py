"""Whatever comes, it is answered as a problem: no 500, no value repeated, nothing half done."""

import json

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.core.models import LedgerEntry, OutboundMessage, Suppression
from tests.web.api.conftest import NUMBER

CANARY = "+393339876543"

GOOD = {
    "/messages": {
        "to": NUMBER,
        "body": "ciao",
        "program": "promo",
        "purpose": "marketing",
        "sender": "MG1",
        "idempotency_key": "spring-42",
    },
    "/checks": {"to": [NUMBER], "program": "promo", "purpose": "marketing"},
    "/suppressions": {"to": NUMBER, "program": "promo", "reason": "complaint", "note": "x"},
    "/suppressions/lift": {"to": NUMBER, "program": "promo", "evidence": "x"},
    "/reviews/1": {"decision": "dismiss", "by": "x"},
}
OPTIONAL = {"program", "purpose", "sender", "idempotency_key", "note", "by"}

WRONG_TYPES = [0, -1, 1.5, 10**400, True, {}, {"to": CANARY}, [], [[CANARY]], [None], [1, CANARY]]
ODD_TEXTS = [
    "",
    " ",
    "\0",
    "a\0b",
    "\ud800",
    "x\udfffy",
    "\n",
    "\u202e\u200b",
    "x" * 900_000,
    CANARY + "\r\nX-Header: 1",
    "'; DROP TABLE suppressions; --",
    "%s %(to)s {0} ${jndi:ldap://x}",
]

BODIES = {
    "empty": b"",
    "blank": b" \n",
    "cut off": b'{"to": "',
    "not UTF-8": b'{"to": "\xff\xfe"}',
    "UTF-16": json.dumps({"to": NUMBER}).encode("utf-16"),
    "byte order mark": b"\xef\xbb\xbf{}",
    "NUL": b"\0",
    "NaN": b'{"to": NaN}',
    "Infinity": b'{"to": -Infinity}',
    "a huge number": b'{"to": ' + b"9" * 10_000 + b"}",
    "deep lists": b"[" * 200_000,
    "deep objects": b'{"to":' * 100_000,
    "trailing text": b"{} {}",
    "many names": json.dumps({f"x{i}": i for i in range(5_000)}).encode(),
    "a form": b"to=%2B393331234567&body=ciao",
    "XML": b'<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>',
}


def assert_problem(answer, *statuses: int) -> None:
    assert answer.status_code in statuses, (answer.status_code, answer.text[:300])
    assert answer.mimetype == "application/problem+json"
    problem = answer.json
    assert (problem["status"], problem["type"]) == (answer.status_code, "about:blank")
    assert problem["title"]
    assert problem["detail"]
    assert "98765" not in answer.text
    assert len(answer.data) < 5000


def count_rows(gateway) -> list[int]:
    with gateway.services.database.read() as connection:
        return [
            connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
            for table in (LedgerEntry, OutboundMessage, Suppression)
        ]


@pytest.mark.parametrize("path", GOOD)
def test_every_field_is_checked(api, gateway, path):
    """Missing, null, of another type, nested: 422 names the field, and nothing is written."""
    for name in GOOD[path]:
        without = {other: value for other, value in GOOD[path].items() if other != name}
        wrong = [value for value in WRONG_TYPES if name != "to" or path != "/checks" or value]
        cases = [{**without, name: value} for value in wrong]
        if name not in OPTIONAL:
            cases += [without, {**without, name: None}]
        for asked in cases:
            answer = api.post(path, asked)
            if path == "/checks" and asked.get("to") == []:
                continue
            assert_problem(answer, 422)
            assert answer.json["errors"][0]["field"].split(".")[0] == name, asked
    assert count_rows(gateway) == [0, 0, 0]


@pytest.mark.parametrize("path", GOOD)
def test_no_text_is_too_odd(api, path):
    """NUL, half characters, control characters, a megabyte: answered, and never repeated."""
    for name in GOOD[path]:
        for text in ODD_TEXTS:
            value = [text] if (path, name) == ("/checks", "to") else text
            answer = api.post(path, {**GOOD[path], name: value})
            if answer.status_code >= 300:
                assert_problem(answer, 403, 404, 409, 422)


@pytest.mark.parametrize("path", GOOD)
def test_unknown_fields_are_refused_without_repeating_them(api, path):
    """A misspelt name is named; what doesn't look like a name is not shown."""
    misspelt = api.post(path, GOOD[path] | {"programm": "promo"})
    secret = api.post(path, GOOD[path] | {CANARY: CANARY})

    for answer in (misspelt, secret):
        assert_problem(answer, 422)
    assert [e["field"] for e in misspelt.json["errors"]] == ["programm"]


@pytest.mark.parametrize("path", GOOD)
def test_what_is_no_json_object_is_refused(api, gateway, path):
    """Broken, repeated, deeply nested, not UTF-8, no object …: 400 or 422."""
    for body in (*BODIES.values(), b"null", b"1", b'"x"', b"[]", b"[{}]", b"true"):
        answer = api.post(path, data=body, content_type="application/json")
        assert_problem(answer, 400, 422)
    assert count_rows(gateway) == [0, 0, 0]


@pytest.mark.parametrize("path", GOOD)
def test_a_name_stands_once(api, gateway, path):
    """Where a name is repeated another reader might take the other value: 400."""
    name = next(iter(GOOD[path]))
    body = json.dumps({name: CANARY})[:-1] + ", " + json.dumps(GOOD[path])[1:]

    assert_problem(api.post(path, data=body, content_type="application/json"), 400)
    assert count_rows(gateway) == [0, 0, 0]


@pytest.mark.parametrize("path", GOOD)
def test_only_json_is_read(api, path):
    """Forms, plain text and no type at all: 415."""
    body = json.dumps(GOOD[path])
    for content_type in (
        None,
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonx",
        "é/\xff",
    ):
        assert_problem(api.post(path, data=body, content_type=content_type), 415)


@pytest.mark.parametrize("path", GOOD)
def test_a_huge_body_is_not_read(api, path):
    """Ten megabytes: 413."""
    assert_problem(api.post(path, data=b"x" * 10**7, content_type="application/json"), 413)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("PUT", "/messages", 405),
        ("DELETE", "/suppressions", 405),
        ("GET", "/checks", 405),
        ("GET", "/nothing", 404),
        ("POST", "/messages/", 404),
        ("GET", "/%00", 404),
        ("GET", "/%ff%fe", 404),
        ("GET", f"/suppressions/{CANARY}", 404),
    ],
)
def test_what_does_not_exist_is_a_problem_too(api, method, path, status):
    """Unknown paths and methods are answered in the API's own form."""
    answer = api._ask(method, path)

    assert_problem(answer, status)
    assert "Allow" in answer.headers or status == 404


def test_our_own_fault_shows_nothing(api, gateway, monkeypatch):
    """A fault of ours is 500, without its words: they may hold anything."""

    def broken(*_):
        raise RuntimeError(f"something about {CANARY}")

    monkeypatch.setattr(type(gateway.services.outbox), "send", broken)

    assert_problem(api.post("/messages", {"to": NUMBER, "body": "ciao"}), 500)


NAMES = sorted({name for body in GOOD.values() for name in body})
TEXTS = st.text(st.characters(), max_size=20) | st.sampled_from([NUMBER, "promo", "marketing"])
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
OBJECTS = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=6) | VALUES


@given(path=st.sampled_from(list(GOOD)), body=OBJECTS)
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_no_json_brings_a_500(api, path, body):
    """Any JSON at all is answered with a success or a problem below 500."""
    answer = api.post(path, data=json.dumps(body), content_type="application/json")

    assert answer.status_code < 500
