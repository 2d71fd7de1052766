"""Verifies a dossier with nothing but Python.

To be called as: python3 verify_dossier.py dossier.json

Written apart from the product's own check, so that nobody has to trust that one.
"""

import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def sha256(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()


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


def faults_in_entry(entry: Any, seals: Any, person: str) -> Iterator[str]:
    if root_above(entry) != seals[entry["proof"]["seal"]]["root"]:
        yield "does not lead to its seal"
    if salted(entry, bytes.fromhex(person)) != entry["person_digest"]:
        yield "is about another person"
    if entry["text"] is not None and salted(entry, entry["text"].encode()) != entry["text_digest"]:
        yield "has another text"


def faults_in(dossier: Any) -> Iterator[str]:
    before = None
    for seal in dossier["seals"]:
        if digest_of_seal(seal) != seal["digest"] or before not in {None, seal["previous"]}:
            yield f"seal {seal['number']} does not verify"
        before = seal["digest"]
    seals = {seal["number"]: seal for seal in dossier["seals"]}
    for entry in dossier["ledger"]:
        if entry["proof"] is not None:
            for fault in faults_in_entry(entry, seals, dossier["fingerprint"]):
                yield f"entry {entry['id']} {fault}"


def main(path: str) -> int:
    dossier = json.loads(Path(path).read_bytes())
    for entry in dossier["ledger"]:
        seal = entry["proof"]["seal"] if entry["proof"] else "none yet"
        print(f"entry {entry['id']}  {entry['at']}  {entry['act']:<12}  seal {seal}")
    print("head ", dossier["seals"][-1]["digest"] if dossier["seals"] else "-")
    faults = list(faults_in(dossier))
    for fault in faults:
        print("FAULT:", fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
