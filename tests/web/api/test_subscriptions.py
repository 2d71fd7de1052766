"""Joining a program by API, and the record of one person."""

import re

import pytest

from app.core import dossier_check
from app.core.dossier import TABLES
from app.core.models import Base
from tests.web.api.conftest import NUMBER, OTHER

ASKED = {"to": NUMBER, "source": "https://shop.example/join", "consent_text": "Yes, SMS please."}


def ask(api, **changes):
    return api.post("/subscriptions", ASKED | changes)


def code_of(provider) -> str:
    return re.search(r"\b\d{6}\b", provider.sent[-1].body)[0]


def confirm(api, request_id: str, code: str):
    return api.post(f"/subscriptions/{request_id}/confirm", {"code": code})


def record(gateway) -> dict:
    return gateway.services.dossiers.export(NUMBER)


def test_a_request_sends_the_code_and_the_code_confirms(api, provider, gateway):
    """202 with an id, one message with the code; the code makes the consent, once."""
    asked = ask(api)

    assert asked.status_code == 202
    assert set(asked.json) == {"id", "status", "expires_at"}
    assert asked.json["status"] == "pending"
    assert [message.to.e164 for message in provider.sent] == [NUMBER]
    confirmed = confirm(api, asked.json["id"], code_of(provider))
    assert (confirmed.status_code, confirmed.json) == (200, {"status": "active"})
    [consent] = record(gateway)["consent_records"]
    assert consent["processing"]["consent_text"] == ASKED["consent_text"]


def test_the_evidence_names_the_door_and_the_key(api, gateway, provider):
    """Which key asked and confirmed, where the person stood, by what browser: all in the record."""
    asked = ask(api, address="203.0.113.7", user_agent="Firefox", language="en")
    confirm(api, asked.json["id"], code_of(provider))

    held = record(gateway)
    [request] = held["requests"]
    assert (request["door"], request["language"]) == ("api", "en")
    assert request["source"] == "default marketing: https://shop.example/join"
    assert (request["address"], request["user_agent"]) == ("203.0.113.7", "Firefox")
    joined, _, consented = held["ledger"]
    for entry in (joined, consented):
        assert (entry["door"], entry["evidence"]["api_key_name"]) == ("api", "default marketing")
    assert dossier_check.faults_in(held) == []


def test_without_double_opt_in_the_consent_is_active_at_once(api, gateway, provider):
    """A program that needs no code sends none."""
    gateway.services.programs.edit("promo", {"double_opt_in": False})

    asked = ask(api, program="promo")

    assert (asked.status_code, asked.json["status"]) == (202, "active")
    assert provider.sent == []


@pytest.mark.parametrize(
    ("attempts", "reason"), [(1, "wrong_code"), (5, "too_many_attempts"), (6, "too_many_attempts")]
)
def test_a_wrong_code_is_refused_with_its_reason(api, attempts, reason):
    """422 says whether to read again or to ask anew."""
    request_id = ask(api).json["id"]

    refused = [confirm(api, request_id, "12") for _ in range(attempts)][-1]

    assert (refused.status_code, refused.json["reason"]) == (422, reason)


def test_a_used_or_replaced_code_is_over(api, provider):
    """Neither a second use, nor the code of a request that a newer one replaced."""
    first = ask(api).json["id"]
    old_code = code_of(provider)
    second = ask(api).json["id"]
    assert confirm(api, first, old_code).json["reason"] == "expired"
    code = code_of(provider)
    assert confirm(api, second, code).status_code == 200

    again = confirm(api, second, code)

    assert (again.status_code, again.json["reason"]) == (422, "expired")


def test_a_suppressed_number_is_refused_and_gets_nothing(api, provider):
    """409: the way back is START from the handset."""
    api.post("/suppressions", {"to": NUMBER, "reason": "complaint"})

    refused = ask(api)

    assert (refused.status_code, refused.json["reason"]) == (409, "suppressed")
    assert provider.sent == []


def test_a_foreign_number_and_too_many_requests_are_refused(api, provider):
    """403 for a country that is not served; 429 says when to come again. Nothing is sent."""
    assert ask(api, to="+33612345678").status_code == 403
    assert provider.sent == []
    answers = [ask(api) for _ in range(6)]

    assert [answer.status_code for answer in answers] == [202] * 5 + [429]
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 3600
    assert answers[-1].mimetype == "application/problem+json"
    assert len(provider.sent) == 5


@pytest.mark.parametrize(
    "changes",
    [
        {"to": "12"},
        {"consent_text": " "},
        {"consent_text": "x" * 2001},
        {"source": "two\nlines"},
        {"language": "xx"},
        {"channel": "email"},
        {"email": "a@example.org"},
        {"channel": "pigeon"},
        {"program": "none"},
        {"double_opt_in": False},
    ],
)
def test_what_cant_be_used_is_422_and_sends_nothing(api, provider, changes):
    """Every field is checked before anything happens."""
    assert ask(api, **changes).status_code == 422
    assert provider.sent == []


def test_a_key_acts_in_its_own_program(api, asker, provider):
    """A key of one program neither asks for another nor confirms another's requests."""
    promo = asker("promo")
    assert ask(promo, program="club").status_code == 403
    request_id = ask(api, program="club").json["id"]

    assert confirm(promo, request_id, code_of(provider)).status_code == 404
    assert confirm(api, request_id, code_of(provider)).status_code == 200
    assert confirm(api, "0" * 32, "123456").status_code == 404
    assert confirm(api, "x", "123456").status_code == 404


def test_the_export_is_the_dossier_and_nobody_elses(api, asker, provider):
    """All that is held about the number; it spans programs, so a program's key does not get it."""
    ask(api)
    ask(api, to=OTHER)

    exported = api.post("/subscribers/export", {"to": NUMBER})

    assert exported.status_code == 200
    assert exported.json["number"] == NUMBER
    assert len(exported.json["requests"]) == 1
    assert OTHER not in exported.text
    assert dossier_check.faults_in(exported.json) == []
    assert asker("promo").post("/subscribers/export", {"to": NUMBER}).status_code == 403


def test_no_table_about_persons_is_left_out_of_the_dossier():
    """A new table with a fingerprint must be shown to the person whose it is."""
    about_persons = {
        mapper.class_
        for mapper in Base.registry.mappers
        if "fingerprint" in mapper.local_table.columns
    }

    assert about_persons == TABLES


def test_the_dossier_can_be_had_as_a_document(app, api):
    """With `Accept: text/html` it is the page to hand over, in a language that the asker reads."""
    headers = api.headers | {"Accept": "text/html", "Accept-Language": "en"}

    page = app.test_client().post(
        "/api/v1/subscribers/export", json={"to": NUMBER}, headers=headers
    )

    assert (page.status_code, page.mimetype) == (200, "text/html")
    assert 'lang="en"' in page.text
    assert api.post("/subscribers/export", {"to": NUMBER}).mimetype == "application/json"


def test_the_dossier_can_be_had_as_a_table(app, api):
    """With `Accept: text/csv` it is one table, of the same values."""
    headers = api.headers | {"Accept": "text/csv"}

    table = app.test_client().post(
        "/api/v1/subscribers/export", json={"to": NUMBER}, headers=headers
    )

    assert (table.status_code, table.mimetype) == (200, "text/csv")
    assert table.text.startswith("part,record,when,what,value\r\n")
    assert f"number,,,,'{NUMBER}" in table.text
