"""The only writer of suppressions and of the consent ledger.

Every function works inside the caller's transaction, which holds the subscriber's lock
(app.core.subscribers): the state and the entry that explains it are written together or not at all.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.core.database import insert
from app.core.models import Act, LedgerEntry, Suppression

OPT_OUT = "opt_out"  # the reason of a suppression that the person asked for
PROVIDER_OPT_OUT = "provider_opt_out"  # the provider held an opt-out that we did not know of


@dataclass(frozen=True, slots=True)
class Evidence:
    """What an act rests on. `door`: where it came in. `text`: the words used, if any.

    `details` must hold no telephone number and no text of a person: erasure does not reach it.
    """

    door: str
    text: str | None = None
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NewSuppression:
    """A suppression to be made. `since`: when messages were first stopped elsewhere, if known."""

    fingerprint: bytes
    program: str
    reason: str
    evidence: Evidence
    since: datetime | None = None


def opt_out(
    connection: Connection, fingerprint: bytes, program: str, evidence: Evidence, at: datetime
) -> None:
    """The person wants no more messages, of one program or (ALL_PROGRAMS, `*`) of any."""
    entry = record(connection, Act.OPT_OUT, fingerprint, program, evidence, at)
    _suppress(connection, fingerprint, program, OPT_OUT, entry, at)


def suppress(
    connection: Connection,
    fingerprint: bytes,
    program: str,
    reason: str,
    evidence: Evidence,
    at: datetime,
) -> bool:
    """Somebody else than the person stops the messages. False if they were stopped already."""
    wanted = NewSuppression(fingerprint, program, reason, evidence)
    return bool(suppress_all(connection, [wanted], at))


def suppress_all(connection: Connection, wanted: Sequence[NewSuppression], at: datetime) -> int:
    """As `suppress`, for many, whose locks are all held; how many were new.

    A suppression of one program is kept beside one of all: whatever is lifted, the other stays.
    """
    missing = _missing(connection, wanted)
    if not missing:
        return 0
    entries = [
        _entry(Act.SUPPRESS, each.fingerprint, each.program, each.evidence, at)
        for each in missing.values()
    ]
    recorded = sa.insert(LedgerEntry).returning(
        LedgerEntry.id, LedgerEntry.fingerprint, LedgerEntry.program
    )
    numbers = {
        (row.fingerprint, row.program): row.id for row in connection.execute(recorded, entries)
    }
    rows = [
        _suppression(*key, each.reason, numbers[key], min(each.since or at, at))
        for key, each in missing.items()
    ]
    connection.execute(sa.insert(Suppression).returning(Suppression.program), rows)
    return len(rows)


def opt_in(connection: Connection, fingerprint: bytes, evidence: Evidence, at: datetime) -> bool:
    """The person wants messages again: lifts every suppression. False if there was none.

    It restores what the opt-out had withdrawn, and makes no consent out of nothing.
    """
    return _lift(connection, Act.OPT_IN, fingerprint, None, evidence, at)


def lift(
    connection: Connection, fingerprint: bytes, program: str, evidence: Evidence, at: datetime
) -> bool:
    """An operator lifts one suppression, with evidence. False if there was none."""
    return _lift(connection, Act.LIFT, fingerprint, program, evidence, at)


def record(
    connection: Connection,
    act: Act,
    fingerprint: bytes,
    program: str,
    evidence: Evidence,
    at: datetime,
) -> int:
    """Append an entry to the ledger; its number."""
    entry = _entry(act, fingerprint, program, evidence, at)
    query = sa.insert(LedgerEntry).values(entry).returning(LedgerEntry.id)
    return connection.execute(query).scalar_one()


def _entry(
    act: Act, fingerprint: bytes, program: str, evidence: Evidence, at: datetime
) -> dict[str, Any]:
    return {
        "at": at,
        "act": act,
        "fingerprint": fingerprint,
        "program": program,
        "door": evidence.door,
        "text": evidence.text,
        "evidence": evidence.details,
    }


def _suppression(
    fingerprint: bytes, program: str, reason: str, entry: int, since: datetime
) -> dict[str, Any]:
    return {
        "fingerprint": fingerprint,
        "program": program,
        "reason": reason,
        "since": since,
        "ledger_entry_id": entry,
    }


def _missing(
    connection: Connection, wanted: Sequence[NewSuppression]
) -> dict[tuple[bytes, str], NewSuppression]:
    """Those that there are not yet, by number and program; of two equal ones the first."""
    missing = {(each.fingerprint, each.program): each for each in reversed(wanted)}
    query = sa.select(Suppression.fingerprint, Suppression.program).where(
        Suppression.fingerprint.in_({each.fingerprint for each in wanted})
    )
    for fingerprint, program in connection.execute(query):
        missing.pop((fingerprint, program), None)
    return missing


def _suppress(
    connection: Connection,
    fingerprint: bytes,
    program: str,
    reason: str,
    entry: int,
    at: datetime,
) -> None:
    row = _suppression(fingerprint, program, reason, entry, at)
    query = insert(connection, Suppression).values(row)
    # A later opt-out by the person says more than an earlier import or operator.
    connection.execute(
        query.on_conflict_do_update(
            index_elements=["fingerprint", "program"],
            set_={"reason": reason, "ledger_entry_id": entry},
            where=Suppression.reason != reason,
        )
    )


def _lift(
    connection: Connection,
    act: Act,
    fingerprint: bytes,
    program: str | None,
    evidence: Evidence,
    at: datetime,
) -> bool:
    lifted = sa.delete(Suppression).where(Suppression.fingerprint == fingerprint)
    if program is not None:
        lifted = lifted.where(Suppression.program == program)
    programs = connection.execute(lifted.returning(Suppression.program)).scalars().all()
    for each in programs:
        record(connection, act, fingerprint, each, evidence, at)
    return bool(programs)
