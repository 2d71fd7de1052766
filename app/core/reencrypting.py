"""Changes of ENCRYPTION_KEY: what was stored before is encrypted anew; a key that was lost."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.core.database import (
    ANNOUNCED,
    INSTALLED,
    KEYS_TRUSTED,
    Database,
    make_engine,
    translated_errors,
)
from app.core.encrypted import Encrypted, as_stored
from app.core.encryption import MARK_OF_ANY, Cipher
from app.core.errors import InvalidInputError
from app.core.models import Base, Installation, LedgerEntry

_BATCH = 500  # rows in one transaction: others wait for it on SQLite


def begin(url: str, cipher: Cipher, sleep: Callable[[float], None] = time.sleep) -> None:
    """Make the database one of this key: from now on every process must have it.

    As app.core.rekeying.begin: nobody is let in until those without the key have noticed. Does
    nothing where it was done. Raises InvalidInputError where settings and database do not fit.
    """
    engine = make_engine(url)
    try:
        with translated_errors(), engine.begin() as connection:
            _, stage, encryption = connection.exec_driver_sql(INSTALLED).one()
            if encryption == cipher.check and stage != ANNOUNCED:
                return
            if stage not in {None, ANNOUNCED}:
                raise InvalidInputError("finish `optout key rotate` first")
            if not cipher.knows(encryption):
                raise InvalidInputError(
                    "ENCRYPTION_KEY_OLD lacks the key that this database is encrypted with"
                )
            _write(connection, encryption_check=cipher.check, key_change=ANNOUNCED)
        sleep(2 * KEYS_TRUSTED)
        with translated_errors(), engine.begin() as connection:
            _write(connection, key_change=None)
    finally:
        engine.dispose()


def _write(connection: Connection, **row: str | None) -> None:
    connection.execute(sa.update(Installation).values(row))


class Reencrypting:
    """Goes through all rows. May be killed at any moment and run again, while others serve."""

    def __init__(self, database: Database, cipher: Cipher) -> None:
        self._database = database
        self._cipher = cipher

    def count(self) -> int:
        """How many rows there are to go through."""
        with self._database.read() as connection:
            return sum(
                connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
                for table in _tables()
            )

    def run(self) -> Iterator[int]:
        """Yields how many rows each batch went through."""
        for table in _tables():
            place: Sequence[Any] | None = None
            while rows := self._batch(table, place):
                yield len(rows)
                place = rows[-1][: len(table.primary_key)]
        self._database.scrub()

    def _batch(self, table: sa.Table, after: Sequence[Any] | None) -> Sequence[Sequence[Any]]:
        key = sa.tuple_(*table.primary_key)
        stored = [as_stored(column) for column in _encrypted(table)]
        query = sa.select(*table.primary_key, *stored).order_by(*table.primary_key).limit(_BATCH)
        if after is not None:
            query = query.where(key > sa.tuple_(*after))
        with self._database.write() as connection:
            rows = connection.execute(query).all()
            for row in rows:
                self._encrypt(connection, table, row)
        return rows

    def _encrypt(self, connection: Connection, table: sa.Table, row: Any) -> None:
        keys = list(table.primary_key)
        this = [column == value for column, value in zip(keys, row, strict=False)]
        columns = _encrypted(table)
        for column, stored in zip(columns, row[len(keys) :], strict=True):
            if stored is not None and not self._cipher.is_current(stored):
                name = f"{table.name}.{column.name}"
                anew = self._cipher.encrypt(name, self._cipher.decrypt(name, stored))
                # Only what was read: somebody may have been erased meanwhile.
                unchanged = as_stored(column) == stored
                values = {column.name: sa.literal(anew, sa.Text())}
                connection.execute(sa.update(table).where(*this, unchanged).values(values))


def count_lost(url: str, cipher: Cipher) -> dict[str, int]:
    """Per table, the rows in which something is encrypted with a key that is not at hand."""
    engine = make_engine(url)
    try:
        with translated_errors(), engine.connect() as connection:
            return _count_lost(connection, cipher)
    finally:
        engine.dispose()


def give_up(url: str, cipher: Cipher) -> None:
    """Empty what nobody can read any more, and make the database one of this key.

    All in one transaction. The ledger's seals hold: an entry without its text is as one that was
    erased. Whom suppressions and consents are about is known by the fingerprint, and stays.
    """
    engine = make_engine(url)
    try:
        with translated_errors(), engine.begin() as connection:
            for table in _all_tables():
                _empty(connection, table, cipher)
            _write(connection, encryption_check=cipher.check)
    finally:
        engine.dispose()


def _count_lost(connection: Connection, cipher: Cipher) -> dict[str, int]:
    counts = {}
    for table in _all_tables():
        lost = sa.or_(*(_is_lost(column, cipher) for column in _encrypted(table)))
        query = sa.select(sa.func.count()).select_from(table).where(lost)
        counts[table.name] = connection.execute(query).scalar_one()
    return {name: count for name, count in counts.items() if count}


def _empty(connection: Connection, table: sa.Table, cipher: Cipher) -> None:
    for column in _encrypted(table):
        lost = _is_lost(column, cipher)
        if column.nullable:
            connection.execute(sa.update(table).where(lost).values({column.name: None}))
        else:
            connection.execute(sa.delete(table).where(lost))


def _is_lost(column: sa.Column[Any], cipher: Cipher) -> sa.ColumnElement[bool]:
    stored = as_stored(column)
    readable = (stored.startswith(prefix) for prefix in cipher.prefixes())
    return sa.and_(stored.like(MARK_OF_ANY + "%"), *(~each for each in readable))


def _encrypted(table: sa.Table) -> list[sa.Column[Any]]:
    return [column for column in table.c if isinstance(column.type, Encrypted)]


def _tables() -> list[sa.Table]:
    """Not the ledger's, which is never written to again: its entries keep the key of their time."""
    return [table for table in _all_tables() if table.name != LedgerEntry.__tablename__]


def _all_tables() -> list[sa.Table]:
    return [table for table in Base.metadata.sorted_tables if _encrypted(table)]
