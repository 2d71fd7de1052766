"""A consent as ISO/IEC TS 27560:2023 has it: what it is for, who answers for it, and its life.

Its life is read from the ledger's entries as a dossier shows them, so that whoever verifies a
dossier makes it anew.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from app.core.models import Act
from app.core.policy import Controller
from app.core.programs import Terms

Json = dict[str, Any]
Shown = Mapping[str, Any]

STANDARD = "ISO/IEC TS 27560:2023"

# What an entry means for the consent to its program: the event, and where the consent then stands.
_EVENTS: Mapping[str, tuple[tuple[str, str], ...]] = {
    Act.JOIN: (("requested", "requested"),),
    Act.CODE_SENT: (("code_sent", "code_sent"),),
    Act.CONSENT: (("confirmed", "given"), ("given", "given")),
    Act.WITHDRAW: (("withdrawn", "withdrawn"),),
    Act.RESTORE: (("restored", "given"),),
    Act.RENEWAL_ASKED: (("renewal_asked", "given"),),
}


def consent_record(row: Any, request: Json | None, terms: Terms, ledger: Sequence[Json]) -> Json:
    """One consent: `row` of the table, its request and the person's entries as JSON."""
    return {
        "header": {
            "record_id": row.request_id,
            "schema_version": STANDARD,
            "pii_principal_id": row.fingerprint.hex(),
        },
        "processing": _processing(row, request or {}, terms),
        "events": events_of(ledger, row.program, row.expires_at.isoformat()),
    }


def events_of(ledger: Sequence[Shown], program: str, expires_at: str) -> list[Json]:
    """The consent's life in order, from the first asking to its end.

    Each event has where the consent stands from then on, and the ledger entry that proves it; the
    end that is to come is in the entry that gave the consent.
    """
    mine = [entry for entry in ledger if entry["program"] == program and entry["act"] in _EVENTS]
    events = [event for entry in mine for event in _events(entry)]
    given = [event for event in events if event["event_type"] == "given"]
    if given and events[-1]["event_state"] != "withdrawn":
        end = {"event_type": "expires", "event_time": expires_at, "event_state": "expired"}
        events.append(given[-1] | end)
    return events


def shown_controller(controller: Controller, brand: str) -> Json:
    """Who answers for the data; by the brand where no legal name was set."""
    return {
        "name": controller.name or brand,
        "legal_name": controller.name,
        "address": controller.address,
        "contact": controller.contact,
    }


def _events(entry: Shown) -> Iterator[Json]:
    evidence = entry["evidence"]
    kinds = _EVENTS[entry["act"]]
    confirmed = evidence.get("confirmed_by") or evidence.get("confirmed_at")
    if entry["act"] == Act.CONSENT and not confirmed:
        kinds = kinds[-1:]
    given_at = evidence.get("confirmed_at") or evidence.get("requested_at") or entry["at"]
    if "requested_at" in evidence:  # given elsewhere, and imported: no entry of ours saw the asking
        yield _event(entry, "requested", "requested", evidence["requested_at"])
    for kind, state in kinds:
        yield _event(entry, kind, state, given_at)


def _event(entry: Shown, kind: str, state: str, at: str) -> Json:
    return {
        "event_type": kind,
        "event_time": at,
        "event_state": state,
        "consent_type": "expressed",
        "request": entry["evidence"].get("request"),
        "ledger_entry": entry["id"],
    }


def _processing(row: Any, request: Json, terms: Terms) -> Json:
    return {
        "privacy_notice": request.get("notice_url"),
        "privacy_notice_version": request.get("notice_version"),
        "privacy_notice_sha256": request.get("notice_sha256"),
        "privacy_notice_text": request.get("notice_text"),
        "language": request.get("language", terms.language),
        "consent_text": request.get("text"),
        "consent_text_version": row.text_version,
        "collection_method": request.get("door", "import"),
        "collection_source": request.get("source"),
        "purposes": [
            {
                "purpose": terms.purpose,
                "program": row.program,
                "lawful_basis": "consent (GDPR art. 6(1)(a); Codice privacy art. 130)",
                "pii_categories": ["telephone number"],
                "pii_controller": shown_controller(terms.controller, terms.brand),
                "channel": row.channel,
                "email": row.email,
                "retention_period_days": terms.retention.days,
                "withdrawal_method": "reply STOP, or the link in the message",
            }
        ],
    }
