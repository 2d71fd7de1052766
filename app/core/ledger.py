"""The consent ledger's seal: what is once in it can't be changed, removed or slipped in unseen.

Entries are sealed in batches, behind the webhook's back: each batch is a Merkle tree, each seal
holds the digest of the one before. An entry's person and text are in its digest by salted hashes,
so that erasure can blank them (and the salt) and the chain still verifies.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.core import merkle
from app.core.database import Database, insert
from app.core.models import LedgerEntry, LedgerSeal
from app.core.policy import Clock

_BATCH = 1000
# No transaction of ours is open for longer: a younger entry may still get an older neighbour.
_SETTLED_AFTER = timedelta(seconds=60)
_FIRST = bytes(32)  # what stands for the digest before the first


@dataclass(slots=True)
class Verification:
    """`faults` say what is wrong and where; `head` is the last seal's digest: keep it elsewhere."""

    sealed: int = 0
    unsealed: int = 0
    seals: int = 0
    head: str | None = None
    faults: list[str] = field(default_factory=list)


class Ledger:
    """Seals and verifies."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def seal(self) -> int:
        """Seal all entries that are settled; how many there were. Safe to run twice at once."""
        sealed = 0
        while count := self._seal_batch():
            sealed += count
        return sealed

    def verify(
        self,
        expected_head: str | None = None,
        watch: Callable[[Iterator[Any]], Iterable[Any]] = iter,
    ) -> Verification:
        """Read the whole ledger against its seals.

        `expected_head`: a head that was written down earlier; a history that does not contain it
        was cut off or made anew. `watch` is given the seals to hand on, to show how far it is.
        """
        found = Verification()
        previous: bytes = _FIRST
        last_id: int | None = None
        heads: set[str] = set()
        for seal in watch(self._seals()):
            found.seals += 1
            _verify_seal(seal, found, previous)
            self._verify_entries(seal, found, last_id)
            previous, last_id = seal.digest, seal.last_id
            heads.add(previous.hex())
        found.head = previous.hex() if found.seals else None
        found.unsealed = self._count_after(last_id)
        if expected_head is not None and expected_head.strip().lower() not in heads:
            found.faults.append("no seal has the expected head: the history was cut or made anew")
        return found

    def head(self) -> Any:
        """The newest seal, a row of LedgerSeal; None where nothing is sealed yet."""
        with self._database.read() as connection:
            return connection.execute(_LAST_SEAL).first()

    def count_seals(self) -> int:
        with self._database.read() as connection:
            return connection.execute(sa.select(sa.func.count(LedgerSeal.number))).scalar_one()

    def _seal_batch(self) -> int:
        settled = self._clock() - _SETTLED_AFTER
        with self._database.write() as connection:
            last = connection.execute(_LAST_SEAL).first()
            after = last.last_id if last else 0
            entries = _entries(connection, after, _BATCH)
            ready = _prefix(entries, settled)
            if not ready:
                return 0
            row = _seal_of(ready, last, self._clock())
            query = insert(LedgerSeal).values(row).on_conflict_do_nothing()
            done = connection.execute(query.returning(LedgerSeal.number)).first()
        return len(ready) if done is not None else 0

    def _seals(self) -> Iterator[Any]:
        number = 0
        while True:
            query = sa.select(LedgerSeal).where(LedgerSeal.number > number)
            with self._database.read() as connection:
                rows = connection.execute(query.order_by(LedgerSeal.number).limit(100)).all()
            if not rows:
                return
            yield from rows
            number = rows[-1].number

    def _verify_entries(self, seal: Any, found: Verification, after: int | None) -> None:
        with self._database.read() as connection:
            query = _after(_ENTRIES, after).where(LedgerEntry.id <= seal.last_id)
            present = {row.id: row for row in connection.execute(query)}
        for number, digest in zip(_ids(seal), _leaves(seal), strict=True):
            row = present.pop(number, None)
            if row is None:
                found.faults.append(f"entry {number} was removed")
            elif fault := fault_of(row, digest):
                found.faults.append(f"entry {number} {fault}")
            else:
                found.sealed += 1
        found.faults += [f"entry {number} was slipped in" for number in sorted(present)]

    def _count_after(self, last_id: int | None) -> int:
        query = _after(sa.select(sa.func.count(LedgerEntry.id)), last_id)
        with self._database.read() as connection:
            return int(connection.execute(query).scalar_one())


@dataclass(frozen=True, slots=True)
class Digests:
    """What a new entry says of its person and its text, in a form that outlives them."""

    salt: bytes
    person_digest: bytes
    text_digest: bytes | None


def digests_of(salt: bytes, fingerprint: bytes, text: str | None) -> Digests:
    return Digests(salt, _salted(salt, fingerprint), _text_digest(salt, text))


def leaf_of(row: Any) -> bytes:
    """An entry's digest: of every column, person and text by their own digests."""
    return merkle.leaf(content_of(row))


def content_of(row: Any) -> bytes:
    """What is hashed, as JSON: the same wherever it is computed."""
    text_digest = row.text_digest.hex() if row.text_digest else None
    content = {
        "id": row.id,
        "at": row.at.isoformat(timespec="microseconds"),
        "act": row.act,
        "program": row.program,
        "door": row.door,
        "evidence": row.evidence,
        "person": row.person_digest.hex(),
        "text": text_digest,
    }
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()


def fault_of(row: Any, digest: bytes) -> str | None:
    """What is wrong with an entry, beside the digest that was sealed."""
    if leaf_of(row) != digest:
        return "was changed"
    if row.salt is None:
        return None if row.fingerprint is None and row.text is None else "was changed"
    if row.fingerprint is not None and _salted(row.salt, row.fingerprint) != row.person_digest:
        return "was given to another person"
    if row.text is not None and _text_digest(row.salt, row.text) != row.text_digest:
        return "has another text"
    return None


def proof_of(connection: Connection, entry_ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    """For each sealed entry: its seal's number and the steps to that seal's root, as JSON."""
    proofs: dict[int, dict[str, Any]] = {}
    for entry_id in entry_ids:
        if entry_id in proofs:
            continue
        query = sa.select(LedgerSeal).where(
            LedgerSeal.first_id <= entry_id, LedgerSeal.last_id >= entry_id
        )
        seal = connection.execute(query).first()
        if seal is None:
            continue
        ids, leaves = _ids(seal), _leaves(seal)
        for each in set(ids) & set(entry_ids):
            steps = merkle.proof(leaves, ids.index(each))
            path = [[step.digest.hex(), "left" if step.is_left else "right"] for step in steps]
            proofs[each] = {"seal": seal.number, "path": path}
    return proofs


def chain(connection: Connection, first: int) -> list[dict[str, Any]]:
    """The seals from `first` to the head, as JSON: what ties a proof to the head."""
    query = sa.select(LedgerSeal).where(LedgerSeal.number >= first).order_by(LedgerSeal.number)
    return [
        {
            "number": seal.number,
            "previous": seal.previous.hex(),
            "root": seal.root.hex(),
            "first_id": seal.first_id,
            "last_id": seal.last_id,
            "sealed_at": seal.sealed_at.isoformat(timespec="microseconds"),
            "digest": seal.digest.hex(),
        }
        for seal in connection.execute(query)
    ]


def seal_digest(
    number: int, previous: bytes, root: bytes, first_id: int, last_id: int, sealed_at: datetime
) -> bytes:
    content = [
        number,
        previous.hex(),
        root.hex(),
        first_id,
        last_id,
        sealed_at.isoformat(timespec="microseconds"),
    ]
    return hashlib.sha256(json.dumps(content, separators=(",", ":")).encode()).digest()


_ENTRIES = sa.select(LedgerEntry).order_by(LedgerEntry.id)
_LAST_SEAL = sa.select(LedgerSeal).order_by(LedgerSeal.number.desc()).limit(1)


def _after(query: sa.Select[Any], last_id: int | None) -> sa.Select[Any]:
    """What follows an entry; all, where there is none: an id below the first is no hiding place."""
    return query if last_id is None else query.where(LedgerEntry.id > last_id)


def _entries(connection: Connection, after: int, limit: int) -> Sequence[Any]:
    return connection.execute(_ENTRIES.where(LedgerEntry.id > after).limit(limit)).all()


def _prefix(entries: Sequence[Any], settled: datetime) -> list[Any]:
    """The entries up to the first that is too young: what follows it waits, so none is skipped."""
    ready = []
    for entry in entries:
        if entry.at > settled:
            break
        ready.append(entry)
    return ready


def _seal_of(entries: Sequence[Any], last: Any, now: datetime) -> dict[str, Any]:
    leaves = [leaf_of(entry) for entry in entries]
    number, previous = (last.number + 1, last.digest) if last else (1, _FIRST)
    root = merkle.root(leaves)
    first_id, last_id = entries[0].id, entries[-1].id
    return {
        "number": number,
        "previous": previous,
        "first_id": first_id,
        "last_id": last_id,
        "ids": b"".join(entry.id.to_bytes(8) for entry in entries),
        "leaves": b"".join(leaves),
        "root": root,
        "digest": seal_digest(number, previous, root, first_id, last_id, now),
        "sealed_at": now,
    }


def _verify_seal(seal: Any, found: Verification, previous: bytes) -> None:
    digest = seal_digest(
        seal.number, seal.previous, seal.root, seal.first_id, seal.last_id, seal.sealed_at
    )
    if seal.previous != previous:
        found.faults.append(f"seal {seal.number} does not follow the one before it")
    leaves = _leaves(seal)
    if seal.digest != digest or len(_ids(seal)) != len(leaves) or merkle.root(leaves) != seal.root:
        found.faults.append(f"seal {seal.number} was changed")


def _ids(seal: Any) -> list[int]:
    return [int.from_bytes(seal.ids[i : i + 8]) for i in range(0, len(seal.ids), 8)]


def _leaves(seal: Any) -> list[bytes]:
    return [seal.leaves[i : i + 32] for i in range(0, len(seal.leaves), 32)]


def _salted(salt: bytes, content: bytes) -> bytes:
    return hashlib.sha256(salt + content).digest()


def _text_digest(salt: bytes, text: str | None) -> bytes | None:
    return None if text is None else _salted(salt, text.encode())
