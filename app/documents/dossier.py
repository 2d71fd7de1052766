"""A dossier as one HTML file: nothing is loaded from anywhere, and it prints well."""

import tomllib
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from app.core import notice
from app.core.consent_record import text_shown
from app.core.dossier_check import check
from app.core.round_trip import entries_of, round_trip_of
from app.documents.reading import Reader

Json = Mapping[str, Any]

LANGUAGES = ("it", "en")

# The parts that stand in the document line by line: of little use to a reader, but the person's.
_OTHERS = (
    "subscriber",
    "reviews",
    "links",
    "campaigns",
    "accesses",
    "person_requests",
    "copy_searches",
    "handset_codes",
)

# What stops messages to a number, and what lets them through again.
_CHANGES = frozenset({"opt_out", "opt_in", "suppress", "lift", "withdraw", "restore", "erase"})


def render_dossier(dossier: Json, language: str, json_sha256: str | None = None) -> str:
    """The document in one of LANGUAGES, in English where the language is another.

    `json_sha256`: of the JSON file that is handed out with it, if one is. Its style stands in the
    file itself: hand it out as a download, a strict page policy would leave it bare.
    """
    language = language if language in LANGUAGES else "en"
    words, consents = _words(language), list(_consents(dossier))
    template = _environment().get_template("dossier.html")
    return template.render(
        words=words,
        read=Reader(words, dossier),
        dossier=dossier,
        consents=consents,
        numbers={each["request"]["id"]: each["number"] for each in consents if each["request"]},
        shown=text_shown,
        changes=[entry for entry in dossier["ledger"] if entry["act"] in _CHANGES],
        controllers=_controllers(dossier),
        reports=_reports(dossier),
        others={part: dossier[part] for part in _OTHERS if dossier[part]},
        held=_held(dossier, language),
        seals=_telling_seals(dossier),
        checked=check(dossier),
        json_sha256=json_sha256,
        verifier=verifier(),
    )


def verifier() -> str:
    """The source of the program that verifies a dossier with nothing but Python."""
    return _file("verify_dossier.py")


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("app.documents"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _words(language: str) -> dict[str, Any]:
    return tomllib.loads(_file("words", f"{language}.toml"))


@cache
def _file(*path: str) -> str:
    return resources.files("app.documents").joinpath(*path).read_text("utf-8")


def _consents(dossier: Json) -> Iterator[dict[str, Any]]:
    """Each consent beside the request that led to it and what its entry says."""
    requests = {request["id"]: request for request in dossier["requests"]}
    for number, record in enumerate(dossier["consent_records"], 1):
        request_id = record["header"]["record_id"]
        entries = entries_of(dossier["ledger"], request_id)
        request = requests.get(request_id, {})
        trip = round_trip_of(request_id, dossier)
        yield {
            "number": number,
            "given_at": [e for e in record["events"] if e["event_type"] == "given"][-1][
                "event_time"
            ],
            "prompt_sha256": entries["code_sent"]["evidence"].get("prompt_sha256")
            if "code_sent" in entries
            else None,
            "gaps": list(_gaps(record["processing"], trip)),
            "processing": record["processing"],
            "purpose": record["processing"]["purposes"][0],
            "request": request,
            "trip": trip,
            "evidence": entries["consent"]["evidence"] if "consent" in entries else {},
            "events": record["events"],
            "state": _state(record["events"], dossier["generated_at"]),
        }


def _gaps(told: Json, trip: Json | None) -> Iterator[str]:
    """What of a consent stays unproven, by the names of the sentences that say so."""
    if told["consent_text"] is None:
        yield "text"
    elif told["consent_text_shown_as"] in {"caller", "import"}:
        yield told["consent_text_shown_as"]
    if told["privacy_notice_sha256"] is None:
        yield "notice"
    elif told["consent_text_shown_as"] != "form":
        yield "notice_unseen"
    if trip is None or trip["returned_by"] is None:
        yield "code"
    elif trip["delivered_at"] is None:
        yield "delivery"
    yield "holder"
    yield "complete"


def _state(events: list[Json], now: str) -> str:
    """Where a consent stands: as its last event says, of those that have happened."""
    moment = datetime.fromisoformat(now)
    past = [e for e in events if datetime.fromisoformat(e["event_time"]) <= moment]
    states = [e["event_state"] for e in past if e["event_state"] not in {"requested", "code_sent"}]
    return states[-1] if states else "requested"


def _controllers(dossier: Json) -> list[Json]:
    """Who answers for the data: of each consent, or of this installation where there is none."""
    found: list[Json] = []
    for record in dossier["consent_records"]:
        controller = record["processing"]["purposes"][0]["pii_controller"]
        found += [] if controller in found else [controller]
    return found or [dossier["controller"]]


def _reports(dossier: Json) -> dict[str, list[Json]]:
    """What the provider said of each message, by the message's id."""
    reports: dict[str, list[Json]] = {}
    for report in dossier["delivery_reports"]:
        reports.setdefault(report["provider_message_id"], []).append(report)
    return reports


def _held(dossier: Json, language: str) -> list[tuple[str, str, str]]:
    """Why, what, how long: in the words of the notice."""
    words, lengths = notice.words_of(language), dossier["access"]["periods"]
    brand = dossier["controller"]["name"]
    return [
        (
            words["aims"][each["aim"]].format(brand=brand).rstrip(":"),
            words["data"][each["aim"]][each["period"]],
            words["periods"][each["period"]].format(**lengths),
        )
        for each in sorted(dossier["access"]["held"], key=lambda each: each["aim"])
    ]


def _telling_seals(dossier: Json) -> list[Json]:
    """The seals that this person's entries lead to, and the head of the chain."""
    telling = {entry["proof"]["seal"] for entry in dossier["ledger"] if entry["proof"]}
    head = dossier["seals"][-1]["number"] if dossier["seals"] else None
    return [seal for seal in dossier["seals"] if seal["number"] in {*telling, head}]
