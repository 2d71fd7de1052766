"""Verifies a dossier without the database: what a person was handed, years later, by anybody.

It takes the seals' digests from the dossier itself. Compare the head with one that was published or
handed out earlier to know that the ledger as a whole is the same.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any

from app.core import ledger, merkle
from app.core.consent_record import given_in, life_of, request_of, text_shown
from app.core.dossier import FORMAT
from app.core.models import Act
from app.core.programs import text_digest
from app.core.round_trip import entries_of, round_trip_of

Json = Mapping[str, Any]

# What a consent record tells of its request, and the request's own name for it.
_OF_REQUEST = {
    "collection_method": "door",
    "collection_source": "source",
    "privacy_notice": "notice_url",
    "privacy_notice_sha256": "notice_sha256",
    "privacy_notice_text": "notice_text",
}


@dataclass(slots=True)
class Check:
    """What a dossier proves.

    `proven`: entries that lead to a seal. `unsealed`: those younger than the last seal, of which
    nothing is claimed yet. `head`: the last seal's digest. `faults`: what does not fit, and where.
    """

    proven: int = 0
    unsealed: int = 0
    head: str | None = None
    faults: list[str] = field(default_factory=list)


def faults_in(dossier: Json) -> list[str]:
    """What does not fit in a dossier; empty where all is as it was written."""
    return check(dossier).faults


def check(dossier: Any) -> Check:
    """Verify seals, entries, and that what the dossier tells is what the entries say."""
    found = Check()
    try:
        if dossier["format"] != FORMAT:
            return Check(faults=[f"this is not a dossier of the format {FORMAT}"])
        _check_seals(dossier["seals"], found)
        seals = {seal["number"]: seal for seal in dossier["seals"]}
        person = {dossier["fingerprint"], *dossier.get("former_fingerprints", ())}
        for entry in dossier["ledger"]:
            _check_entry(entry, seals, person, found)
        ids = [entry["id"] for entry in dossier["ledger"]]
        if any(later <= earlier for earlier, later in pairwise(ids)):
            found.faults.append("the entries are not in order")
        found.faults += _untold(dossier)
    except (AttributeError, KeyError, IndexError, TypeError, ValueError) as error:
        return Check(faults=[f"this is not a whole dossier: {type(error).__name__}"])
    return found


def _check_seals(seals: Sequence[Json], found: Check) -> None:
    previous = None
    for seal in seals:
        digest = ledger.seal_digest(
            seal["number"],
            bytes.fromhex(seal["previous"]),
            bytes.fromhex(seal["root"]),
            seal["first_id"],
            seal["last_id"],
            datetime.fromisoformat(seal["sealed_at"]),
        )
        if digest.hex() != seal["digest"] or previous not in {None, seal["previous"]}:
            found.faults.append(f"seal {seal['number']} does not verify")
        previous = seal["digest"]
    found.head = previous


@dataclass(frozen=True, slots=True)
class _Shown:
    """A ledger entry read back from a dossier, with the columns that its digest is made of."""

    id: int
    at: datetime
    act: str
    program: str
    door: str
    text: str | None
    evidence: dict[str, Any]
    fingerprint: bytes
    salt: bytes | None
    person_digest: bytes
    text_digest: bytes | None


def _check_entry(entry: Json, seals: Mapping[int, Json], person: set[str], found: Check) -> None:
    if entry["fingerprint"] not in person:
        found.faults.append(f"entry {entry['id']} is about another person")
    proof = entry["proof"]
    if proof is None:
        if any(entry["id"] <= seal["last_id"] for seal in seals.values()):
            found.faults.append(f"entry {entry['id']} has no proof, though the seals cover it")
        found.unsealed += 1
        return
    shown = _read(entry)
    steps = [merkle.Step(bytes.fromhex(digest), side == "left") for digest, side in proof["path"]]
    leaf = ledger.leaf_of(shown)
    seal = seals.get(proof["seal"])
    if seal is None or merkle.climb(leaf, steps).hex() != seal["root"]:
        found.faults.append(f"entry {shown.id} does not verify")
    elif fault := ledger.fault_of(shown, leaf):
        found.faults.append(f"entry {shown.id} {fault}")
    else:
        found.proven += 1


def _read(entry: Json) -> _Shown:
    return _Shown(
        entry["id"],
        datetime.fromisoformat(entry["at"]),
        entry["act"],
        entry["program"],
        entry["door"],
        entry["text"],
        entry["evidence"],
        bytes.fromhex(entry["fingerprint"]),
        bytes.fromhex(entry["salt"]) if entry["salt"] else None,
        bytes.fromhex(entry["person_digest"]),
        bytes.fromhex(entry["text_digest"]) if entry["text_digest"] else None,
    )


def _untold(dossier: Json) -> Iterator[str]:
    """Whatever the dossier tells of requests and consents that its ledger entries don't say."""
    requests = {request["id"]: request for request in dossier["requests"]}
    for request in requests.values():
        for what in _unlike(request, entries_of(dossier["ledger"], request["id"])):
            yield f"request {request['id']}: {what} is not what the ledger says"
        if request["round_trip"] != round_trip_of(request["id"], dossier):
            yield f"request {request['id']}: the code's round trip is not what the ledger says"
    given, records = given_in(dossier["ledger"]), dossier["consent_records"]
    if len(given) != len(records):
        yield f"{len(records)} consents are told, where the ledger has {len(given)}"
    for entry, record in zip(given, records, strict=False):
        request = request_of(entry, dossier["requests"], dossier["ledger"])
        if not _agrees(record, request, entry, dossier["ledger"]):
            yield f"consent {record['header']['record_id']} is not what its request and ledger say"


def _agrees(record: Json, request: Json, entry: Json, ledger: Sequence[Json]) -> bool:
    """Whether a consent record tells what its request tells, and lived as the ledger has it."""
    told = record["processing"]
    return (
        record["header"]["record_id"] == request["id"]
        and told["purposes"][0]["program"] == entry["program"]
        and record["events"] == life_of(entry, ledger)
        and told["consent_text"] == text_shown(request)
        and all(told[name] == request[column] for name, column in _OF_REQUEST.items())
        and (told["program_text"], told["program_text_version"])
        == (request["text"], request["text_version"])
    )


def _unlike(request: Json, entries: Mapping[str, Json]) -> Iterator[str]:
    asked, sent, given = (entries.get(act) for act in (Act.JOIN, Act.CODE_SENT, Act.CONSENT))
    first, door = asked or given, request["door"]
    yield from _other_time("the time of the code", request["code_sent_at"], _at(sent))
    if door == "import" and given is not None:
        told = given["evidence"]
        yield from _other_time("the time of asking", request["created_at"], told["requested_at"])
        yield from _other_time(
            "the time of confirming", request["confirmed_at"], told["confirmed_at"]
        )
    else:
        yield from _other_time("the time of confirming", request["confirmed_at"], _at(given))
    if first is None:
        if door != "renewal":  # that is what we asked; the person has not answered yet
            yield "that it was asked"
        return
    if text_digest(request["text"] or "").hex() != first["evidence"]["text_sha256"]:
        yield "the text that was shown"
    yield from _other_notice(request, first["evidence"])
    yield from _other_prompt(request, sent)
    if door != "renewal":
        if asked is not None:
            yield from _other_time("the time of asking", request["created_at"], asked["at"])
        yield from ["the door"] if door != first["door"] else _other_fields(request, first)


def _other_notice(request: Json, said: Json) -> Iterator[str]:
    """The notice as the entry has it; its words, where they are kept here, by their digest."""
    if any(request[name] != said.get(name) for name in ("notice_url", "notice_sha256")):
        yield "the notice"
    words = request["notice_text"]
    if words is not None and text_digest(words).hex() != request["notice_sha256"]:
        yield "the notice's words"


def _other_prompt(request: Json, sent: Json | None) -> Iterator[str]:
    """The words of the SMS with the code, where one left."""
    words = request["prompt"]
    said = sent["evidence"].get("prompt_sha256") if sent else None
    if (text_digest(words).hex() if words is not None else None) != said:
        yield "the text of the SMS with the code"


def _at(entry: Json | None) -> str | None:
    return entry["at"] if entry else None


def _other_time(what: str, told: str | None, said: str | None) -> Iterator[str]:
    if (told and datetime.fromisoformat(told)) != (said and datetime.fromisoformat(said)):
        yield what


def _other_fields(request: Json, entry: Json) -> Iterator[str]:
    """What a form brought stands in the entry as JSON; a text's words, and erased ones, do not."""
    if request["door"] == "sms" or entry["text"] is None:
        return
    for name, value in json.loads(entry["text"]).items():
        if request[name] != value:
            yield f"the {name}"
