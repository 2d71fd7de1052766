"""A consent as ISO/IEC TS 27560:2023 has it: what it is for, who answers for it, and its life.

Its life is read from the ledger's entries as a dossier shows them, so that whoever verifies a
dossier makes it anew.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
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

_SHOWN_AS = {"web": "form", "api": "caller", "sms": "code_sms", "renewal": "code_sms"}


def consent_record(
    entry: Shown, row: Any, request: Shown, terms: Terms, events: Sequence[Json]
) -> Json:
    """One consent, also one that is over.

    `entry`: the one that gave it. `row`: of the table, None where a later consent to the program
    stands there. `request`: as `request_of` has it. `events`: as `life_of` tells them.
    """
    return {
        "header": {
            "record_id": request["id"],
            "schema_version": STANDARD,
            "pii_principal_id": entry["fingerprint"],
        },
        "processing": _processing(row, request, terms),
        "events": events,
    }


def given_in(ledger: Sequence[Shown]) -> list[Shown]:
    """The entries by which consents were given; a record stands for each."""
    return [entry for entry in ledger if entry["act"] == Act.CONSENT]


def request_of(entry: Shown, requests: Sequence[Shown], ledger: Sequence[Shown]) -> Shown:
    """The request that led to a consent; where it was pruned, what the ledger still says of it."""
    request_id = entry["evidence"].get("request")
    for request in requests:
        if request["id"] == request_id:
            return request
    of_asking = [e for e in ledger if e["act"] == Act.JOIN and _request(e) == request_id]
    asked = of_asking[0] if of_asking else entry
    said = asked["evidence"]
    return {
        "id": request_id,
        "text": None,
        "prompt": None,
        "text_version": said.get("text_version"),
        "door": asked["door"],
        "source": None,
        "language": said.get("language"),
        "notice_url": said.get("notice_url"),
        "notice_version": said.get("notice_version"),
        "notice_sha256": said.get("notice_sha256"),
        "notice_text": None,
    }


def life_of(entry: Shown, ledger: Sequence[Shown]) -> list[Json]:
    """The life of the consent that `entry` gave, in order, from the first asking to its end.

    Each event has where the consent stands from then on, and the ledger entry that proves it; the
    end that is to come is in the entry that gave the consent.
    """
    request, program = _request(entry), entry["program"]
    next_ones = [e for e in given_in(ledger) if e["program"] == program and e["id"] > entry["id"]]
    until = next_ones[0] if next_ones else None
    mine = [e for e in ledger if e["program"] == program and e["act"] in _EVENTS]
    mine = [e for e in mine if _request(e) == request or _is_between(entry, e, until)]
    events = [event for each in mine for event in _events(each)]
    if events[-1]["event_state"] != "withdrawn":
        events.append(_end(entry, until))
    return events


def _end(entry: Shown, until: Shown | None) -> Json:
    """The consent ends by itself, or where a later one takes its place before that."""
    expires_at = entry["evidence"]["expires_at"]
    if until is not None and datetime.fromisoformat(until["at"]) < datetime.fromisoformat(
        expires_at
    ):
        return _event(until, "replaced", "replaced", until["at"])
    return _event(entry, "expires", "expired", expires_at)


def _is_between(entry: Shown, other: Shown, until: Shown | None) -> bool:
    """Whether what names no request was done to this consent."""
    is_before_next = until is None or other["id"] < until["id"]
    return _request(other) is None and entry["id"] < other["id"] and is_before_next


def _request(entry: Shown) -> str | None:
    found: str | None = entry["evidence"].get("request")
    return found


def shown_as(request: Shown) -> str:
    """By which text the person was asked: what `text_shown` is.

    form: the program's text, on our page. caller: as a system of the controller says that it was
    shown. code_sms: the words of the SMS with the code, where nothing but SMS was seen. import: as
    the list says.
    """
    return _SHOWN_AS.get(request.get("door", "import"), "import")


def text_shown(request: Shown) -> str | None:
    """The words by which the person was asked; None where they were not recorded."""
    return request["prompt" if shown_as(request) == "code_sms" else "text"]  # type: ignore[no-any-return]


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


def _processing(row: Any, request: Shown, terms: Terms) -> Json:
    return {
        "privacy_notice": request.get("notice_url"),
        "privacy_notice_version": request.get("notice_version"),
        "privacy_notice_sha256": request.get("notice_sha256"),
        "privacy_notice_text": request.get("notice_text"),
        "language": request.get("language") or terms.language,
        "consent_text": text_shown(request),
        "consent_text_shown_as": shown_as(request),
        "program_text": request.get("text"),
        "program_text_version": request.get("text_version"),
        "collection_method": request.get("door", "import"),
        "collection_source": request.get("source"),
        "purposes": [
            {
                "purpose": terms.purpose,
                "program": terms.slug,
                "lawful_basis": "consent (GDPR art. 6(1)(a); Codice privacy art. 130)",
                "pii_categories": ["telephone number"],
                "pii_controller": shown_controller(terms.controller, terms.brand),
                "channel": row.channel if row else request.get("channel"),
                "email": row.email if row else request.get("email"),
                "retention_period_days": terms.retention.days,
                "withdrawal_method": "reply STOP, or the link in the message",
            }
        ],
    }
