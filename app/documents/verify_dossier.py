"""Verifies a dossier with nothing but Python.

To be called as: python3 verify_dossier.py dossier.json

Written apart from the product's own check, so that nobody has to trust that one.
"""

import hashlib
import json
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

# Each event of a consent: the state it leads to, and the acts of the ledger that make it.
EVENTS = {
    "requested": ("requested", {"join", "consent"}),
    "code_sent": ("code_sent", {"code_sent"}),
    "confirmed": ("given", {"consent"}),
    "given": ("given", {"consent"}),
    "withdrawn": ("withdrawn", {"withdraw"}),
    "restored": ("given", {"restore"}),
    "renewal_asked": ("given", {"renewal_asked"}),
    "replaced": ("replaced", {"consent"}),
    "expires": ("expired", {"consent"}),
}
DECISIONS = {"consent", "withdraw", "restore"}
SEALED_WITHIN = timedelta(days=1)


def sha256(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()


def sha256_of(text: str | None) -> str | None:
    return None if text is None else sha256(text.encode()).hex()


def packed(content: Any) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()


def digest_of_entry(entry: Any) -> bytes:
    """All that an entry says; person and text by their own digests, made with a salt."""
    content = {name: entry[name] for name in ("id", "at", "act", "program", "door", "evidence")}
    content |= {"person": entry["person_digest"], "text": entry["text_digest"]}
    return sha256(b"\0" + packed(content))


def root_above(entry: Any) -> str:
    """The root of the tree (RFC 6962) that the entry's proof leads to."""
    node = digest_of_entry(entry)
    for digest, side in entry["proof"]["path"]:
        other = bytes.fromhex(digest)
        node = sha256(b"\1" + (other + node if side == "left" else node + other))
    return node.hex()


def digest_of_seal(seal: Any) -> str:
    names = ("number", "previous", "root", "first_id", "last_id", "sealed_at")
    return sha256(packed([seal[name] for name in names])).hex()


def salted(entry: Any, content: bytes) -> str:
    return sha256(bytes.fromhex(entry["salt"]) + content).hex()


def faults_in_chain(seals: Any) -> Iterator[str]:
    before = None
    for seal in seals:
        if digest_of_seal(seal) != seal["digest"]:
            yield f"seal {seal['number']} was changed"
        if before and (seal["previous"], seal["number"]) != (
            before["digest"],
            before["number"] + 1,
        ):
            yield f"seal {seal['number']} does not follow seal {before['number']}"
        before = seal


def faults_in_entry(entry: Any, seals: Any, dossier: Any) -> Iterator[str]:
    if entry["proof"] is None:
        age = datetime.fromisoformat(dossier["generated_at"]) - datetime.fromisoformat(entry["at"])
        if age > SEALED_WITHIN or any(entry["id"] <= seal["last_id"] for seal in seals.values()):
            yield "has no proof, though it is old enough to be sealed"
        return
    seal = seals.get(entry["proof"]["seal"])
    if seal is None or root_above(entry) != seal["root"]:
        yield "does not lead to its seal"
    if entry["fingerprint"] not in {dossier["fingerprint"], *dossier["former_fingerprints"]}:
        yield "is about another person"
    if salted(entry, bytes.fromhex(entry["fingerprint"])) != entry["person_digest"]:
        yield "is about another person"
    if entry["text"] is not None and salted(entry, entry["text"].encode()) != entry["text_digest"]:
        yield "has another text"


def faults_in_ledger(dossier: Any) -> Iterator[str]:
    seals = {seal["number"]: seal for seal in dossier["seals"]}
    last = 0
    for entry in dossier["ledger"]:
        if entry["id"] <= last:
            yield f"entry {entry['id']} is out of order"
        last = entry["id"]
        for fault in faults_in_entry(entry, seals, dossier):
            yield f"entry {entry['id']} {fault}"


def faults_in_request(request: Any, ledger: Any) -> Iterator[str]:
    """Whether its texts are those whose digests the entries hold."""
    sealed = {e["act"]: e for e in ledger if e["evidence"].get("request") == request["id"]}
    asked, sent = sealed.get("join") or sealed.get("consent"), sealed.get("code_sent")
    if asked is not None:
        if sha256_of(request["text"]) != asked["evidence"]["text_sha256"]:
            yield "has another consent text"
        notice = request["notice_text"]
        if notice is not None and sha256_of(notice) != asked["evidence"].get("notice_sha256"):
            yield "has another privacy notice"
        if request["door"] not in {asked["door"], "renewal"}:
            yield "came by another door"
    if sha256_of(request["prompt"]) != (sent["evidence"].get("prompt_sha256") if sent else None):
        yield "has another text of the SMS with the code"


def times_of(event: Any, entry: Any) -> set[str]:
    """The times that the entry gives for such an event."""
    said = entry["evidence"]
    if event["event_type"] == "expires":
        return {said["expires_at"]}
    if event["event_type"] == "replaced":
        return {entry["at"]}
    if event["event_type"] == "requested":
        return {said.get("requested_at") or entry["at"]}
    return {said.get("confirmed_at") or said.get("requested_at") or entry["at"]}


def faults_in_record(record: Any, requests: Any, ledger: Any) -> Iterator[str]:
    request, told = requests.get(record["header"]["record_id"]), record["processing"]
    if request is not None:
        by_sms = request["door"] in {"sms", "renewal"}
        if told["consent_text"] != request["prompt" if by_sms else "text"]:
            yield "tells another text than its request"
        if told["privacy_notice_text"] != request["notice_text"]:
            yield "tells another notice than its request"
    for event in record["events"]:
        entry = ledger.get(event["ledger_entry"])
        state, acts = EVENTS[event["event_type"]]
        if entry is None or entry["act"] not in acts or event["event_state"] != state:
            yield f"tells an event ({event['event_type']}) that its entry does not"
        elif event["event_time"] not in times_of(event, entry):
            yield f"tells another time of an event ({event['event_type']})"


def faults_in(dossier: Any) -> Iterator[str]:
    yield from faults_in_chain(dossier["seals"])
    yield from faults_in_ledger(dossier)
    for request in dossier["requests"]:
        for fault in faults_in_request(request, dossier["ledger"]):
            yield f"request {request['id']} {fault}"
    requests = {request["id"]: request for request in dossier["requests"]}
    ledger = {entry["id"]: entry for entry in dossier["ledger"]}
    told = set()
    for record in dossier["consent_records"]:
        told |= {event["ledger_entry"] for event in record["events"]}
        for fault in faults_in_record(record, requests, ledger):
            yield f"consent {record['header']['record_id']} {fault}"
    for entry in dossier["ledger"]:
        if entry["act"] in DECISIONS and entry["id"] not in told:
            yield f"entry {entry['id']} ({entry['act']}) is in no consent's life"


def main(path: str) -> int:
    dossier = json.loads(Path(path).read_bytes())
    for entry in dossier["ledger"]:
        seal = entry["proof"]["seal"] if entry["proof"] else "none yet"
        print(f"entry {entry['id']}  {entry['at']}  {entry['act']:<12}  seal {seal}")
    print("head ", dossier["seals"][-1]["digest"] if dossier["seals"] else "-")
    try:
        faults = list(faults_in(dossier))
    except (KeyError, TypeError, ValueError) as error:
        faults = [f"this is not a whole dossier ({type(error).__name__})"]
    for fault in faults:
        print("FAULT:", fault)
    proven = sum(1 for entry in dossier["ledger"] if entry["proof"])
    younger = len(dossier["ledger"]) - proven
    if faults:
        print(f"{len(faults)} faults: this dossier does not verify")
        return 1
    print(
        f"all {proven} entries verified" + (f", {younger} too young for a seal" if younger else "")
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
