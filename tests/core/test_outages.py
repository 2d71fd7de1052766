"""The database goes away in the middle: nothing is half done, nothing is sent, then all goes on."""

import sqlite3
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from app.core.database import Database
from app.core.errors import NotSentError, StorageUnavailableError
from app.core.models import (
    InboundMessage,
    LedgerEntry,
    OutboundMessage,
    Subscriber,
    Suppression,
)
from tests.fakes import Outage
from tests.making import PERSON, draft, text

TABLES = (InboundMessage, LedgerEntry, OutboundMessage, Subscriber, Suppression)
on_sqlite = pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
on_postgresql = pytest.mark.parametrize("databases", ["postgresql"], indirect=True)

# The statements of a STOP: SQLite's BEGIN is one, PostgreSQL's is the driver's own.
STEPS = {"sqlite": 6, "postgresql": 4}
at_each_statement = pytest.mark.parametrize(
    ("databases", "step"),
    [(name, step) for name, count in STEPS.items() for step in range(count)],
    indirect=["databases"],
)


def contents(database: Database) -> dict[str, int]:
    with database.read() as connection:
        return {
            table.__tablename__: connection.execute(
                sa.select(sa.func.count()).select_from(table)
            ).scalar_one()
            for table in TABLES
        }


def stops(database: Database) -> tuple[int, int, int]:
    found = contents(database)
    return (found["suppressions"], found["ledger_entries"], found["inbound_messages"])


@pytest.fixture
def server(databases, database: Database):
    """The same server by another database: from there one can do things to ours."""
    engine = sa.create_engine(databases.empty(), isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        yield connection
    engine.dispose()


@pytest.fixture
def end_sessions(databases, server, database: Database):
    """Let the server end all sessions on our database, but the one that keeps it for tests."""
    query = sa.text(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE datname = :name AND pid <> :keeper"
    )
    keeper = databases._keeper.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
    values = {"name": database.engine.url.database, "keeper": keeper}
    return lambda: server.execute(query, values)


@contextmanager
def _at_statement(database: Database, number: int, happens):
    """Do something just before the given statement, once."""
    seen = iter(range(1000))

    def look(*_):
        if next(seen) == number:
            happens()

    sa.event.listen(database.engine, "before_cursor_execute", look)
    try:
        yield
    finally:
        sa.event.remove(database.engine, "before_cursor_execute", look)


@at_each_statement
def test_a_stop_is_stored_whole_or_not_at_all(services, database, outage: Outage, step: int):
    """Whichever statement fails: no row is left, and the same STOP then counts once."""
    empty = contents(database)
    outage.begin(after=step)
    with pytest.raises(StorageUnavailableError):
        services.inbox.receive(text("STOP"))
    outage.end()
    assert contents(database) == empty

    assert services.inbox.receive(text("STOP")).reply
    stored = contents(database)
    assert (stored["suppressions"], stored["ledger_entries"], stored["inbound_messages"]) == (
        1,
    ) * 3


@at_each_statement
def test_a_connection_that_broke_unnoticed_loses_no_stop(
    services, database, outage: Outage, step: int
):
    """One failure at any step is met by a second attempt: stored once, answered."""
    outage.begin(1, after=step)
    assert services.inbox.receive(text("STOP")).reply
    stored = contents(database)
    assert (stored["suppressions"], stored["ledger_entries"], stored["inbound_messages"]) == (
        1,
    ) * 3


@on_postgresql
@pytest.mark.parametrize("step", range(STEPS["postgresql"]))
def test_a_backend_that_is_killed_loses_no_stop(services, database, end_sessions, step: int):
    """PostgreSQL ends our session in the middle of a STOP: it is stored whole all the same."""
    services.inbox.receive(text("INFO", message_id="SM0"))

    with _at_statement(database, step, end_sessions):
        assert services.inbox.receive(text("STOP")).reply
    stored = contents(database)
    assert (stored["suppressions"], stored["ledger_entries"], stored["inbound_messages"]) == (
        1,
        1,
        2,
    )


@on_postgresql
@pytest.mark.parametrize("step", [0, 2, 3])
def test_a_backend_that_is_killed_sends_nothing(services, provider, database, end_sessions, step):
    """A claim that broke is no claim; the next one is one."""
    services.outbox.send(draft())
    with (
        _at_statement(database, step, end_sessions),
        pytest.raises(StorageUnavailableError),
    ):
        services.outbox.send(draft())
    assert len(provider.sent) == contents(database)["outbound_messages"] == 1
    services.outbox.send(draft())
    assert len(provider.sent) == 2


@on_postgresql
def test_a_server_that_takes_nobody_in(services, provider, database, server, end_sessions):
    """PostgreSQL refuses every connection: STOP and send say so; once it is back, all goes on."""
    services.inbox.receive(text("INFO", message_id="SM0"))
    name = database.engine.url.database
    server.exec_driver_sql(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    try:
        end_sessions()
        with pytest.raises(StorageUnavailableError):
            services.inbox.receive(text("STOP"))
        with pytest.raises(StorageUnavailableError):
            services.outbox.send(draft())
    finally:
        server.exec_driver_sql(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    assert provider.sent == []
    assert services.inbox.receive(text("STOP")).reply
    with pytest.raises(NotSentError):
        services.outbox.send(draft())


@on_sqlite
def test_a_file_that_somebody_else_has_locked(services, provider, database: Database):
    """Whoever holds SQLite's file too long: STOP and send say so, and go on when it is free."""
    sa.event.listen(database.engine, "checkout", _be_impatient)
    with sqlite3.connect(str(database.engine.url.database)) as other:
        other.execute("BEGIN IMMEDIATE")
        for attempt in (
            lambda: services.inbox.receive(text("STOP")),
            lambda: services.outbox.send(draft()),
        ):
            with pytest.raises(StorageUnavailableError):
                attempt()
        other.rollback()
    other.close()
    assert provider.sent == []
    assert services.inbox.receive(text("STOP")).reply


def _be_impatient(connection, *_) -> None:
    connection.execute("PRAGMA busy_timeout = 20")


@on_sqlite
@pytest.mark.parametrize("content", [b"", b"this is no database" * 400, None])
def test_a_file_that_is_damaged_or_gone(services, provider, database: Database, content):
    """Empty, garbage or missing: nothing is read from it as if nobody were suppressed."""
    services.inbox.receive(text("STOP"))
    database.close()
    file = Path(str(database.engine.url.database))
    kept = file.read_bytes()
    for beside in file.parent.glob(f"{file.name}-*"):
        beside.unlink()
    file.unlink() if content is None else file.write_bytes(content)

    with pytest.raises(StorageUnavailableError):
        services.outbox.send(draft())
    with pytest.raises(StorageUnavailableError):
        services.inbox.receive(text("STOP", message_id="SM2"))
    assert provider.sent == []

    database.close()
    for beside in file.parent.glob(f"{file.name}-*"):
        beside.unlink()
    file.write_bytes(kept)
    with pytest.raises(NotSentError):
        services.outbox.send(draft(PERSON))
