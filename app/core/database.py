"""The database: engine, transactions, and everything in which SQLite and PostgreSQL differ."""

import hmac
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Connection, Engine, ExceptionContext, make_url
from sqlalchemy.exc import DatabaseError, DataError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import ConnectionPoolEntry

from app.core.encryption import Cipher, set_cipher
from app.core.errors import InvalidInputError, StorageUnavailableError
from app.core.keys import FingerprintKeys
from app.core.statements import Statement

# Seconds to wait for a connection or a lock. Twilio gives a webhook 15 s in all.
_PATIENCE = 5

# read_only_sql_transaction: during a failover, or on a standby.
# https://www.postgresql.org/docs/current/errcodes-appendix.html
_READ_ONLY = "25006"

# Seconds for which a process relies on what it last read of the keys (app.core.rekeying).
KEYS_TRUSTED = 5


class Database:
    """Transactions on one database. Threads share it; processes each make their own.

    Every new connection first proves that it reaches a migrated database whose fingerprints were
    made with our keys: with others every suppressed number would look reachable. As the key can be
    changed meanwhile, every few seconds the first transaction looks again.

    `is_rekeying`: whether some rows may still stand under the fingerprints of the former key.
    """

    def __init__(
        self,
        url: str,
        fingerprint_key: str,
        former_keys: Sequence[str] = (),
        steady: Callable[[], float] = time.monotonic,
        cipher: Cipher | None = None,
    ) -> None:
        self.engine = make_engine(url, cipher)
        self._cipher = cipher
        self._keys = FingerprintKeys(fingerprint_key, former_keys)
        self._steady = steady
        self._trusted_until = steady()
        self.is_rekeying = bool(former_keys)
        sa.event.listen(self.engine, "connect", self._verify)
        self._reading = _without_transactions(self.engine)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction, durable when the block ends; rolled back if it raises.

        Raises StorageUnavailableError when the database can't be reached.
        """
        with translated_errors(), self.engine.begin() as connection:
            self._look_again(connection)
            if self.is_rekeying:
                connection.execution_options(rekeying=self._keys)
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """For reading only: each statement sees what is committed at that moment."""
        with translated_errors(), self._reading.connect() as connection:
            self._look_again(connection)
            yield connection

    def read_keys_again(self) -> None:
        """Look now what the database says of its keys, which somebody has just changed."""
        self._trusted_until = self._steady()
        with self.read():
            pass

    def scrub(self) -> bool:
        """After a deletion: let SQLite's log forget too; False where it is busy, then try later.

        PostgreSQL's vacuum does it by itself, in its own time (docs/personal-data.md).
        """
        if self.engine.dialect.name != "sqlite":
            return True
        try:
            with self.read() as connection:
                log = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()
        except StorageUnavailableError:
            return False
        return not log[0]

    @property
    def writers_at_once(self) -> int:
        """How many threads of a process can usefully write: SQLite has one writer at a time."""
        return 2 if self.engine.dialect.name == "sqlite" else 16

    def close(self) -> None:
        self.engine.dispose()

    def _verify(self, connection: Any, _: ConnectionPoolEntry) -> None:
        try:
            self._recognise(connection)
        except BaseException:
            connection.close()  # the pool forgets a connection that it could not take in
            raise

    def _recognise(self, connection: Any) -> None:
        asked_at = self._steady()
        try:
            row = connection.execute(INSTALLED).fetchone()
        except (sqlite3.OperationalError, psycopg.errors.ProgrammingError) as error:
            if not any(name in str(error) for name in ("installation", "encryption_check")):
                raise
            raise StorageUnavailableError(
                "the database is not prepared: run `optout migrate`"
            ) from error
        connection.rollback()
        self._take(row, asked_at)

    def _look_again(self, connection: Connection) -> None:
        asked_at = self._steady()
        if asked_at >= self._trusted_until:
            self._take(connection.exec_driver_sql(INSTALLED).fetchone(), asked_at)

    def _take(self, row: Any, asked_at: float) -> None:
        """Take over what the database says of its keys. Raises StorageUnavailableError."""
        check, stage, encryption = row or ("", None, None)
        if hmac.compare_digest(check, self._keys.former_check() or ""):
            raise StorageUnavailableError(
                "FINGERPRINT_KEY is a new one that this database does not know yet: "
                "run `optout key rotate`"
            )
        if not hmac.compare_digest(check, self._keys.check()):
            raise StorageUnavailableError(_WRONG_KEY)
        if stage == ANNOUNCED:
            raise StorageUnavailableError(
                "a key is being changed: `optout key …` has not got far enough yet"
            )
        self._refuse_unreadable(encryption)
        self.is_rekeying = stage == REKEYING
        self._trusted_until = asked_at + KEYS_TRUSTED

    def _refuse_unreadable(self, encrypted_with: str | None) -> None:
        ours = self._cipher.check if self._cipher else None
        if encrypted_with == ours:
            return
        if ours is None:
            raise StorageUnavailableError("ENCRYPTION_KEY is missing: this database is encrypted")
        raise StorageUnavailableError(
            "ENCRYPTION_KEY is not the key that this database is encrypted with. If it is new, run "
            "`optout key encrypt`, with the one before, if any, in ENCRYPTION_KEY_OLD"
        )


# What a database says of its keys; the stages of a change (app.core.rekeying).
INSTALLED = "SELECT fingerprint_check, key_change, encryption_check FROM installation"
ANNOUNCED, REKEYING = "announced", "rekeying"

_WRONG_KEY = (
    "FINGERPRINT_KEY is not the key this database was made with: suppressed numbers would not be "
    "recognised. Set the original key; if it was changed, set the one before in FINGERPRINT_KEY_OLD"
)


@contextmanager
def translated_errors() -> Iterator[None]:
    """Say in our words what the driver says when it can't reach the database, or store a value.

    Raises StorageUnavailableError, InvalidInputError.
    """
    try:
        yield
    except (OperationalError, InterfaceError, PoolTimeoutError) as error:
        raise StorageUnavailableError("the database can't be reached") from error
    except (DataError, UnicodeEncodeError) as error:
        raise InvalidInputError(
            "a value is too long, or holds characters that no text can have"
        ) from error
    except DBAPIError as error:
        if type(error) is DatabaseError:  # what SQLite says of a damaged file
            raise StorageUnavailableError("the database can't be read") from error
        if getattr(error.orig, "sqlstate", None) == _READ_ONLY:
            raise StorageUnavailableError("the database can only be read at the moment") from error
        if error.connection_invalidated:
            raise StorageUnavailableError("the connection to the database broke") from error
        raise


def make_engine(url: str, cipher: Cipher | None = None) -> Engine:
    """An engine whose errors never show parameters: those are numbers and texts of people.

    With a `cipher` it encrypts what is `Encrypted`.
    """
    is_sqlite = make_url(url).get_backend_name() == "sqlite"
    engine = _sqlite_engine(url) if is_sqlite else _postgresql_engine(url)
    set_cipher(engine.dialect, cipher)
    return engine


def _postgresql_engine(url: str) -> Engine:
    engine = sa.create_engine(
        url,
        hide_parameters=True,
        pool_size=16,
        pool_timeout=_PATIENCE,
        pool_use_lifo=True,
        connect_args={
            "connect_timeout": _PATIENCE,
            "options": f"-c lock_timeout={_PATIENCE}s -c timezone=UTC",
            # A server that vanished without a word is noticed, not waited for.
            "keepalives_idle": 30,
            "tcp_user_timeout": 2 * _PATIENCE * 1000,
        },
    )
    sa.event.listen(engine, "handle_error", _leave_out_details)
    return engine


def _leave_out_details(context: ExceptionContext) -> None:
    """PostgreSQL shows the whole row in the DETAIL of an error; only its first line may stay."""
    error = context.original_exception
    if isinstance(error, psycopg.Error) and error.diag.message_primary:
        error.args = (error.diag.message_primary,)
        if context.sqlalchemy_exception:
            context.sqlalchemy_exception.args = (f"({type(error).__name__}) {error}",)


def _sqlite_engine(url: str) -> Engine:
    with suppress(OSError):  # without its folder, connecting fails and says so
        Path(make_url(url).database or "").parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(
        url,
        hide_parameters=True,
        pool_size=16,
        pool_timeout=_PATIENCE,
        connect_args={"timeout": _PATIENCE},
    )
    sa.event.listen(engine, "connect", _set_up_sqlite)
    sa.event.listen(engine, "begin", _begin_immediate)
    return engine


def _set_up_sqlite(connection: Any, _: ConnectionPoolEntry) -> None:
    # The driver must not open transactions by itself: _begin_immediate does, so that a
    # transaction that reads and then writes can't find that another one came between.
    connection.isolation_level = None
    # secure_delete: what is deleted or replaced is overwritten in the file at once, by every
    # connection, as later ones can't find what an earlier one left. It costs nothing measurable.
    pragmas = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON")
    for pragma in pragmas:
        connection.execute(f"PRAGMA {pragma}")


_BEGIN_IMMEDIATE = Statement(sa.text("BEGIN IMMEDIATE"))


def _begin_immediate(connection: Connection) -> None:
    if not connection.get_execution_options().get("reading"):
        _BEGIN_IMMEDIATE.run(connection, {})


def _without_transactions(engine: Engine) -> Engine:
    """For single reading statements: no BEGIN and ROLLBACK around them, no lock in SQLite."""
    if engine.dialect.name == "sqlite":
        return engine.execution_options(reading=True)
    return engine.execution_options(isolation_level="AUTOCOMMIT")


def insert(model: type[Any]) -> postgresql.Insert:
    """An INSERT that knows ON CONFLICT, which SQL's common part lacks.

    SQLite took it from PostgreSQL word for word, so SQLAlchemy writes this one for both.
    """
    return postgresql.insert(model)


class UtcDateTime(sa.TypeDecorator[datetime]):
    """An aware time in UTC on both databases; a naive one is refused."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("times must be aware")
        in_utc = value.astimezone(UTC)
        return in_utc.replace(tzinfo=None) if dialect.name == "sqlite" else in_utc

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002
        if value is None or value.tzinfo is not None:
            return value
        return value.replace(tzinfo=UTC)


class PlainText(sa.TypeDecorator[str]):
    """Text as both databases can keep it: PostgreSQL takes no NUL, neither takes lone surrogates.

    What people send may hold either; losing the message for it would be worse.
    """

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> str | None:  # noqa: ARG002
        return None if value is None else storable(value)


def storable(text: str) -> str:
    """The text as it will be read back."""
    if text.isascii() and "\0" not in text:
        return text
    return text.replace("\0", "").encode("utf-8", "replace").decode()


# SQLite numbers rows by itself only in a column declared INTEGER.
RowNumber = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def append_only_ddl(
    dialect: str, table: str, kept: tuple[str, ...], may_blank: tuple[str, ...]
) -> list[str]:
    """Statements after which rows of `table` can't be deleted, nor their `kept` columns changed.

    The columns in `may_blank` can be set to NULL, and to nothing else: erasure blanks the person,
    not the fact. For migrations.
    """
    differs = "IS NOT" if dialect == "sqlite" else "IS DISTINCT FROM"
    unblanked = " OR ".join(
        f"(NEW.{column} IS NOT NULL AND NEW.{column} {differs} OLD.{column})"
        for column in may_blank
    )
    if dialect == "sqlite":
        refuse = f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        row = f"ON {table}"
        setup = []
    else:
        function = f"{table}_append_only()"
        refuse = f"EXECUTE FUNCTION {function}"
        row = f"ON {table} FOR EACH ROW"
        setup = [
            f"CREATE FUNCTION {function} RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{table} is append-only'; END $$"
        ]
    statements = [
        *setup,
        f"CREATE TRIGGER {table}_kept BEFORE UPDATE OF {', '.join(kept)} {row} {refuse}",
        f"CREATE TRIGGER {table}_delete BEFORE DELETE {row} {refuse}",
    ]
    if may_blank:
        blank = f"CREATE TRIGGER {table}_blank BEFORE UPDATE OF {', '.join(may_blank)} {row}"
        statements.append(f"{blank} WHEN ({unblanked}) {refuse}")
    return statements
