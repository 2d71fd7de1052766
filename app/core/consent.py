"""The only writer of suppressions, consents and the consent ledger.

Every function works inside the caller's transaction, which holds the subscriber's lock
(app.core.subscribers): the state and the entry that explains it are written together or not at all.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Connection

from app.core.database import insert, storable
from app.core.ledger import digests_of
from app.core.models import ALL_PROGRAMS, Act, Channel, Consent, LedgerEntry, Suppression
from app.core.statements import Statement

OPT_OUT = "opt_out"  # the reason of a suppression that the person asked for
UNREACHABLE = "unreachable"  # report after report said that there is no such handset
PROVIDER_OPT_OUT = "provider_opt_out"  # the provider held an opt-out that we did not know of
ERASED = "erased"  # the person was erased, and is not to be written to again

_RECORD = Statement(sa.insert(LedgerEntry).returning(LedgerEntry.id))


def _or_correct(added: postgresql.Insert) -> postgresql.Insert:
    """A later opt-out by the person says more than an earlier import or operator."""
    new = added.excluded
    return added.on_conflict_do_update(
        index_elements=["fingerprint", "program"],
        set_={"reason": new.reason, "ledger_entry_id": new.ledger_entry_id},
        where=Suppression.reason != new.reason,
    )


def _both_in_one() -> sa.Select[Any]:
    """The entry and the suppression that rests on it: one way to the database instead of two."""
    columns = sa.inspect(LedgerEntry).columns
    values = {each.name: sa.bindparam(each.name, type_=each.type) for each in columns}
    del values["id"]
    recorded = sa.insert(LedgerEntry).values(values).returning(LedgerEntry.id).cte("recorded")
    rows = sa.select(
        values["fingerprint"],
        values["program"],
        sa.bindparam("reason", type_=Suppression.reason.type),
        sa.bindparam("since", type_=Suppression.since.type),
        recorded.c.id,
    )
    names = ["fingerprint", "program", "reason", "since", "ledger_entry_id"]
    suppressed = _or_correct(insert(Suppression).from_select(names, rows)).cte("suppressed")
    return sa.select(recorded.c.id).add_cte(suppressed)


_SUPPRESS = Statement(_or_correct(insert(Suppression)))
_RECORD_AND_SUPPRESS = Statement(_both_in_one())


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
    connection: Connection,
    fingerprint: bytes,
    program: str,
    evidence: Evidence,
    at: datetime,
    *,
    consented: bool = True,
    said_at: datetime | None = None,
) -> None:
    """The person wants no more messages, of one program or (ALL_PROGRAMS, `*`) of any.

    `consented`: False where it is known, under the lock, that there is no consent to withdraw.
    `said_at`: where that was earlier than now.
    """
    entry = _entry(Act.OPT_OUT, fingerprint, program, evidence, at)
    number = _record_and_suppress(connection, entry, said_at or at)
    if consented:
        _withdraw(connection, fingerprint, program, number, at)


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

    It restores the consents that the opt-out had withdrawn, as far as they have not expired
    meanwhile, and makes no consent out of nothing.
    """
    lifted = _lift(connection, Act.OPT_IN, fingerprint, None, evidence, at)
    _restore(connection, fingerprint, evidence, at)
    return lifted


def lift(
    connection: Connection,
    fingerprint: bytes,
    program: str,
    evidence: Evidence,
    at: datetime,
    act: Act = Act.LIFT,
) -> bool:
    """One suppression ends: by an operator with evidence, or (OPT_IN) by the code from the handset.

    False if there was none.
    """
    return _lift(connection, act, fingerprint, program, evidence, at)


@dataclass(frozen=True, slots=True)
class Given:
    """A consent as it was given: to which program and text, on which request, until when.

    `given_at`: where that was earlier than it is written down.
    """

    program: str
    request_id: str
    text_version: int
    expires_at: datetime
    channel: Channel = Channel.SMS
    email: str | None = None
    given_at: datetime | None = None


def give(
    connection: Connection, fingerprint: bytes, given: Given, evidence: Evidence, at: datetime
) -> None:
    """A consent begins, or begins anew: the code came back, or there is proof from elsewhere."""
    sealed = evidence.details | {"expires_at": given.expires_at.isoformat()}
    evidence = replace(evidence, details=sealed)
    entry = record(connection, Act.CONSENT, fingerprint, given.program, evidence, at)
    row = {
        "request_id": given.request_id,
        "text_version": given.text_version,
        "given_at": given.given_at or at,
        "expires_at": given.expires_at,
        "withdrawn_at": None,
        "channel": given.channel,
        "email": given.email,
        "ledger_entry_id": entry,
        "renewal_asked_at": None,
    }
    key = {"fingerprint": fingerprint, "program": given.program}
    query = insert(Consent).values(**key, **row)
    connection.execute(
        query.on_conflict_do_update(index_elements=["fingerprint", "program"], set_=row)
    )


def note_renewal(
    connection: Connection, fingerprint: bytes, program: str, evidence: Evidence, at: datetime
) -> None:
    """The person is asked to consent again: once, until the consent is given anew."""
    record(connection, Act.RENEWAL_ASKED, fingerprint, program, evidence, at)
    connection.execute(
        sa.update(Consent)
        .where(Consent.fingerprint == fingerprint, Consent.program == program)
        .values(renewal_asked_at=at)
    )


def prefer(
    connection: Connection,
    fingerprint: bytes,
    program: str,
    channel: Channel,
    email: str | None,
    evidence: Evidence,
    at: datetime,
) -> None:
    """The person chooses how to be reached; the consent itself stays as it is."""
    record(connection, Act.PREFERENCE, fingerprint, program, evidence, at)
    connection.execute(
        sa.update(Consent)
        .where(Consent.fingerprint == fingerprint, Consent.program == program)
        .values(channel=channel, email=email)
    )


def record(
    connection: Connection,
    act: Act,
    fingerprint: bytes | None,
    program: str,
    evidence: Evidence,
    at: datetime,
) -> int:
    """Append an entry to the ledger; its number. Without fingerprint it is about nobody to tell."""
    entry = _entry(act, fingerprint, program, evidence, at)
    (recorded,) = _RECORD.run(connection, entry)
    return int(recorded.id)


def _entry(
    act: Act, fingerprint: bytes | None, program: str, evidence: Evidence, at: datetime
) -> dict[str, Any]:
    text = None if evidence.text is None or fingerprint is None else storable(evidence.text)
    digests = digests_of(os.urandom(16), fingerprint or os.urandom(32), text)
    return {
        "at": at,
        "act": act,
        "fingerprint": fingerprint,
        "program": program,
        "door": evidence.door,
        "text": text,
        "evidence": evidence.details,
        "salt": digests.salt if fingerprint else None,
        "person_digest": digests.person_digest,
        "text_digest": digests.text_digest,
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


def _record_and_suppress(connection: Connection, entry: dict[str, Any], since: datetime) -> int:
    """Write an opt-out by the person; the entry's number."""
    state = {"reason": OPT_OUT, "since": since}
    if connection.dialect.name == "postgresql":  # SQLite has no INSERT within another statement
        (recorded,) = _RECORD_AND_SUPPRESS.run(connection, entry | state)
        return int(recorded.id)
    (recorded,) = _RECORD.run(connection, entry)
    key = {name: entry[name] for name in ("fingerprint", "program")}
    _SUPPRESS.run(connection, key | state | {"ledger_entry_id": recorded.id})
    return int(recorded.id)


def _withdraw(
    connection: Connection, fingerprint: bytes, program: str, entry: int, at: datetime
) -> None:
    query = sa.update(Consent).where(
        Consent.fingerprint == fingerprint, Consent.withdrawn_at.is_(None)
    )
    if program != ALL_PROGRAMS:
        query = query.where(Consent.program == program)
    query = query.values(withdrawn_at=at).returning(Consent.program)
    for each in connection.execute(query).scalars().all():
        evidence = Evidence("ledger", details={"entry": entry})
        record(connection, Act.WITHDRAW, fingerprint, each, evidence, at)


def _restore(connection: Connection, fingerprint: bytes, evidence: Evidence, at: datetime) -> None:
    query = sa.update(Consent).where(
        Consent.fingerprint == fingerprint,
        Consent.withdrawn_at.is_not(None),
        Consent.expires_at > at,
    )
    query = query.values(withdrawn_at=None).returning(Consent.program)
    for each in connection.execute(query).scalars().all():
        record(connection, Act.RESTORE, fingerprint, each, evidence, at)


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
