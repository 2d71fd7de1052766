"""The change of FINGERPRINT_KEY: every row goes from the former fingerprint to the one of now.

A person's rows are brought forward all at once, in a transaction that holds the person's lock: by
whoever touches the person first, or by `optout key rotate`, which goes through all of them. So a
person stands under one fingerprint at any time, and docs/keys.md says why no door can miss it.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.core.database import (
    ANNOUNCED,
    INSTALLED,
    KEYS_TRUSTED,
    REKEYING,
    Database,
    make_engine,
    translated_errors,
)
from app.core.errors import InvalidInputError, StorageUnavailableError
from app.core.keys import FingerprintKeys
from app.core.models import Base, FormerFingerprint, Installation, LedgerEntry, Subscriber
from app.core.phone import Phone

_BATCH = 200  # people in one transaction: others wait for it on SQLite

# All tables that know a person, but for the one that is the lock and the one that is sealed.
_TABLES = [
    table
    for table in Base.metadata.sorted_tables
    if "fingerprint" in table.c and table.name not in {"subscribers", "ledger_entries"}
]
_was: sa.BindParameter[bytes] = sa.bindparam("was", type_=sa.LargeBinary(32))
_becomes: sa.BindParameter[bytes] = sa.bindparam("becomes", type_=sa.LargeBinary(32))


def keys_of(connection: Connection) -> FingerprintKeys | None:
    """The keys, while some rows may still stand under the former fingerprints; else None."""
    keys: FingerprintKeys | None = connection.get_execution_options().get("rekeying")
    return keys


def bring_forward(connection: Connection, former: Iterable[bytes]) -> dict[bytes, bytes]:
    """Bring forward those of these people who still stand under a former fingerprint.

    Inside a writing transaction, which holds their locks from then on. What each one was → is now.
    """
    keys = keys_of(connection)
    wanted = sorted(set(former))
    if keys is None or not wanted:
        return {}
    query = sa.select(Subscriber.fingerprint).where(
        Subscriber.fingerprint.in_(wanted), Subscriber.key_generation < keys.generation
    )
    # In the one order that keeps two batches from a deadlock.
    locked = query.order_by(Subscriber.fingerprint).with_for_update()
    moves = [_a_move(keys, each) for each in connection.execute(locked).scalars()]
    if moves:
        _move(connection, moves, keys.generation)
    return {move["was"]: move["becomes"] for move in moves}


def settle(database: Database, phones: Iterable[Phone]) -> None:
    """Before something is read of these numbers: that it stands where it is looked for."""
    if database.is_rekeying:
        former = iter([phone.former for phone in phones if phone.former])
        while some := list(islice(former, _BATCH)):
            with database.write() as connection:
                bring_forward(connection, some)


def _move(connection: Connection, moves: Sequence[dict[str, bytes]], generation: int) -> None:
    connection.execute(_copied(generation), moves)
    for table in _TABLES:
        moved = table.update().where(table.c.fingerprint == _was).values(fingerprint=_becomes)
        connection.execute(moved, moves)
    connection.execute(_REMEMBERED, moves)
    connection.execute(sa.delete(Subscriber).where(Subscriber.fingerprint == _was), moves)


def _copied(generation: int) -> sa.Insert:
    """The subscriber's row again: rows that refer to it have to be moved between the two."""
    table = sa.inspect(Subscriber).local_table
    new = {"fingerprint": _becomes, "key_generation": sa.literal(generation)}
    columns: list[Any] = [new.get(column.name, column) for column in table.c]
    query = sa.select(*columns).where(table.c.fingerprint == _was)
    return sa.insert(Subscriber).from_select(list(table.c.keys()), query)


_has_entries = sa.exists().where(LedgerEntry.fingerprint == _was)
_REMEMBERED = sa.insert(FormerFingerprint).from_select(
    ["former", "fingerprint"], sa.select(_was, _becomes).where(_has_entries)
)


def all_of(connection: Connection, fingerprint: bytes) -> Sequence[bytes]:
    """Under what the ledger knows a person: their fingerprint, and their former ones."""
    query = sa.select(FormerFingerprint.former).where(FormerFingerprint.fingerprint == fingerprint)
    return [fingerprint, *connection.execute(query).scalars()]


def person_of_entry() -> sa.ColumnElement[bytes]:
    """In a query of ledger entries: the fingerprint by which other tables know the person."""
    now = sa.select(FormerFingerprint.fingerprint).where(
        FormerFingerprint.former == LedgerEntry.fingerprint
    )
    return sa.func.coalesce(now.correlate(LedgerEntry).scalar_subquery(), LedgerEntry.fingerprint)


class Rekeying:
    """Goes through all people. May be killed at any moment and run again, while others serve."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def count(self) -> int:
        """How many people there are to go through."""
        query = sa.select(sa.func.count()).select_from(Subscriber)
        with self._database.read() as connection:
            return connection.execute(query).scalar_one()

    def run(self) -> Iterator[int]:
        """Yields how many people each batch went through; ends when the change is complete."""
        after = b""
        while self._database.is_rekeying:
            with self._database.write() as connection:
                batch = _next_people(connection, after)
                bring_forward(connection, batch)
            if batch:
                after = batch[-1]
                yield len(batch)
            elif self._complete():
                return
            else:
                after = b""

    def _complete(self) -> bool:
        """Nobody stands under a former fingerprint any more: nobody has to look there."""
        with self._database.write() as connection:
            keys = keys_of(connection)
            if keys is None:
                return True
            left = sa.exists().where(Subscriber.key_generation < keys.generation)
            if connection.execute(sa.select(left)).scalar():
                return False
            _remember_the_pruned(connection, keys)
            connection.execute(sa.update(Installation).values(key_change=None))
        self._database.read_keys_again()
        return True


def _remember_the_pruned(connection: Connection, keys: FingerprintKeys) -> None:
    """People whose row has passed its period, but not yet their entries: should they come back.

    Once, at the end: nothing in the database tells whether this was done to a fingerprint.
    """
    known = sa.exists().where(Subscriber.fingerprint == FormerFingerprint.fingerprint)
    pruned = sa.select(FormerFingerprint.fingerprint).where(~known).distinct()
    moves = [_a_move(keys, each) for each in connection.execute(pruned).scalars()]
    if moves:
        table = sa.update(FormerFingerprint).where(FormerFingerprint.fingerprint == _was)
        connection.execute(table.values(fingerprint=_becomes), moves)
    held = sa.exists().where(Subscriber.fingerprint == LedgerEntry.fingerprint)
    remembered = sa.exists().where(FormerFingerprint.former == LedgerEntry.fingerprint)
    lost = sa.select(LedgerEntry.fingerprint).where(
        LedgerEntry.fingerprint.is_not(None), ~held, ~remembered
    )
    moves = [_a_move(keys, each) for each in connection.execute(lost.distinct()).scalars() if each]
    if moves:
        connection.execute(_REMEMBERED, moves)


def _a_move(keys: FingerprintKeys, was: bytes) -> dict[str, bytes]:
    return {"was": was, "becomes": keys.next_of(was)}


def _next_people(connection: Connection, after: bytes) -> Sequence[bytes]:
    query = sa.select(Subscriber.fingerprint).where(Subscriber.fingerprint > after)
    return connection.execute(query.order_by(Subscriber.fingerprint).limit(_BATCH)).scalars().all()


def begin(url: str, keys: FingerprintKeys, sleep: Callable[[float], None] = time.sleep) -> bool:
    """Make the database one of the new key: False where it was so already, and all is done.

    First nobody is let in, until the last process that knows the former key alone has noticed, and
    what it had begun has ended; then only processes that know both keys are.
    Raises InvalidInputError where settings and database do not fit, StorageUnavailableError.
    """
    engine = make_engine(url)
    try:
        with translated_errors(), engine.begin() as connection:
            check, stage, _ = connection.exec_driver_sql(INSTALLED).one()
            if check == keys.check() and stage != ANNOUNCED:
                return bool(stage == REKEYING)
            _refuse_unfit(check, stage, keys)
            _write_stage(connection, keys, ANNOUNCED)
        sleep(2 * KEYS_TRUSTED)
        with translated_errors(), engine.begin() as connection:
            if connection.dialect.name == "postgresql":  # SQLite has one writer at a time anyway
                connection.exec_driver_sql("LOCK TABLE subscribers IN SHARE ROW EXCLUSIVE MODE")
            _write_stage(connection, keys, REKEYING)
    finally:
        engine.dispose()
    return True


def _refuse_unfit(check: str, stage: str | None, keys: FingerprintKeys) -> None:
    if check == keys.check():
        return
    if check != keys.former_check():
        raise InvalidInputError(
            "FINGERPRINT_KEY_OLD does not end with the key that this database was made with: set "
            "the new key in FINGERPRINT_KEY and the one before in FINGERPRINT_KEY_OLD"
        )
    if stage is not None:
        raise StorageUnavailableError(
            "an earlier change of the key is not complete: finish it with the earlier settings"
        )


def _write_stage(connection: Connection, keys: FingerprintKeys, stage: str) -> None:
    row = {"fingerprint_check": keys.check(), "key_change": stage}
    connection.execute(sa.update(Installation).values(row))
