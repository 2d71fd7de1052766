"""A dossier as one HTML file: nothing is loaded from anywhere, and it prints well."""

import tomllib
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from app.core.dossier_check import check

Json = Mapping[str, Any]

LANGUAGES = ("it", "en")

# The parts that stand in the document as they are: of little use to a reader, but the person's.
_OTHERS = (
    "subscriber",
    "reviews",
    "links",
    "campaigns",
    "accesses",
    "person_requests",
    "copy_searches",
)


def render_dossier(dossier: Json, language: str) -> str:
    """The document in one of LANGUAGES, in English where the language is another.

    Its style stands in the file itself: hand it out as a download, a strict page policy would
    leave it bare.
    """
    words = _words(language if language in LANGUAGES else "en")
    template = _environment().get_template("dossier.html")
    return template.render(
        words=words,
        dossier=dossier,
        consents=list(_consents(dossier)),
        reports=_reports(dossier),
        others={part: dossier[part] for part in _OTHERS},
        seals=_telling_seals(dossier),
        checked=check(dossier),
        when=lambda text: _when(text, words["date"]),
        name=lambda kind, value: words[kind].get(value, value),
    )


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("app.documents"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def _words(language: str) -> dict[str, Any]:
    table = resources.files("app.documents").joinpath("words", f"{language}.toml")
    return tomllib.loads(table.read_text("utf-8"))


def _when(text: str | None, form: str) -> str:
    return datetime.fromisoformat(text).strftime(form) if text else "–"  # noqa: RUF001


def _consents(dossier: Json) -> Iterator[dict[str, Any]]:
    """Each consent beside the request that led to it and the entry that made it."""
    requests = {request["id"]: request for request in dossier["requests"]}
    for record in dossier["consent_records"]:
        request_id = record["header"]["record_id"]
        events = {event["event_type"]: event["event_time"] for event in record["events"]}
        yield {
            "processing": record["processing"],
            "purpose": record["processing"]["purposes"][0],
            "request": requests.get(request_id, {}),
            "evidence": _evidence_of(dossier, request_id),
            "events": events,
            "state": _state(events, dossier["generated_at"]),
        }


def _evidence_of(dossier: Json, request_id: str) -> Json:
    """What the ledger's entries say of a request, from the asking to the confirmation."""
    found: dict[str, Any] = {}
    for entry in dossier["ledger"]:
        if entry["evidence"].get("request") == request_id:
            found |= entry["evidence"]
    return found


def _state(events: Mapping[str, str], now: str) -> str:
    if "withdrawn" in events:
        return "withdrawn"
    is_over = datetime.fromisoformat(events["expires"]) <= datetime.fromisoformat(now)
    return "expired" if is_over else "in_force"


def _reports(dossier: Json) -> dict[str, list[str]]:
    """What the provider said of each message, by the message's id."""
    reports: dict[str, list[str]] = {}
    for report in dossier["delivery_reports"]:
        reports.setdefault(report["provider_message_id"], []).append(report["status"])
    return reports


def _telling_seals(dossier: Json) -> list[Json]:
    """The seals that this person's entries lead to, and the head of the chain."""
    telling = {entry["proof"]["seal"] for entry in dossier["ledger"] if entry["proof"]}
    head = dossier["seals"][-1]["number"] if dossier["seals"] else None
    return [seal for seal in dossier["seals"] if seal["number"] in {*telling, head}]
