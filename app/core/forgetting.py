"""What erasure and retention take out of consents and ledger: the person, never the fact.

Works inside the caller's transaction. An entry loses its person, its words and its salt: its seal
still verifies, and nothing tells whom it was about.
"""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.core import rekeying
from app.core.models import Consent, FormerFingerprint, LedgerEntry

_BLANK = {"fingerprint": None, "text": None, "salt": None}


def forget_person(connection: Connection, fingerprint: bytes) -> dict[str, int]:
    """All consents of one person, and the person in all entries; how many rows of each table."""
    consents = sa.delete(Consent).where(Consent.fingerprint == fingerprint)
    mine = LedgerEntry.fingerprint.in_(rekeying.all_of(connection, fingerprint))
    entries = sa.update(LedgerEntry).where(mine).values(_BLANK)
    former = sa.delete(FormerFingerprint).where(FormerFingerprint.fingerprint == fingerprint)
    return {
        "consents": connection.execute(consents).rowcount,
        "ledger_entries": connection.execute(entries).rowcount,
        "former_fingerprints": connection.execute(former).rowcount,
    }


def expired_consents(now: datetime) -> sa.ColumnElement[bool]:
    return Consent.expires_at <= now


def settled_entries(before: datetime) -> sa.ColumnElement[bool]:
    """Entries so old that nobody asks for their proof; not those of who still has a consent."""
    consented = sa.exists().where(Consent.fingerprint == rekeying.person_of_entry())
    return sa.and_(LedgerEntry.salt.is_not(None), LedgerEntry.at <= before, ~consented)


def drop_expired_consents(connection: Connection, now: datetime, limit: int) -> int:
    """Of a batch of expired consents; one that is given anew at this moment stays."""
    keys = sa.select(Consent.fingerprint, Consent.program).where(expired_consents(now)).limit(limit)
    query = sa.delete(Consent).where(
        sa.tuple_(Consent.fingerprint, Consent.program).in_(keys), expired_consents(now)
    )
    return connection.execute(query).rowcount


def blank_settled_entries(connection: Connection, before: datetime, limit: int) -> int:
    ids = sa.select(LedgerEntry.id).where(settled_entries(before)).limit(limit)
    query = sa.update(LedgerEntry).where(LedgerEntry.id.in_(ids)).values(_BLANK)
    return connection.execute(query).rowcount
