from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError, StatementError

from app.core.database import Database, insert
from app.core.errors import StorageUnavailableError
from app.core.models import LedgerEntry, Program, SimulatorMessage, Subscriber, Suppression

NOW = datetime(2026, 11, 24, 12, 30, 0, 123456, tzinfo=UTC)
PERSON = b"\x01" * 32
NUMBER = "+393331234567"

POSTGRESQL_ONLY = pytest.mark.parametrize("databases", ["postgresql"], indirect=True)
SQLITE_ONLY = pytest.mark.parametrize("databases", ["sqlite"], indirect=True)


def add_program(connection, slug, at=NOW):
    connection.execute(sa.insert(Program).values(slug=slug, brand=slug, created_at=at))


def programs(database):
    with database.read() as connection:
        return set(connection.execute(sa.select(Program.slug)).scalars()) - {"default"}


def add_entry(connection):
    query = sa.insert(LedgerEntry).values(
        at=NOW,
        act="opt_out",
        fingerprint=PERSON,
        program="*",
        door="webhook",
        text="STOP",
        evidence={"id": "SM1"},
        salt=b"s" * 16,
        person_digest=b"p" * 32,
        text_digest=b"t" * 32,
    )
    return connection.execute(query.returning(LedgerEntry.id)).scalar_one()


def test_a_finished_block_is_kept(database):
    """What was written in a block is there for everybody when the block has ended."""
    with database.write() as connection:
        add_program(connection, "promo")
    assert programs(database) == {"promo"}


def test_a_failed_block_leaves_nothing(database):
    """When a block raises, nothing of it is kept: no half-written state."""

    def fail() -> None:
        with database.write() as connection:
            add_program(connection, "promo")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert programs(database) == set()


def test_reading_does_not_wait_for_a_writer(database):
    """A gate that reads the list isn't held up by somebody who writes, and sees no half of it."""
    with database.write() as connection:
        add_program(connection, "promo")
        assert programs(database) == set()
    assert programs(database) == {"promo"}


@SQLITE_ONLY
def test_writers_of_sqlite_come_one_after_the_other(database):
    """A transaction that reads and then writes never finds that another one came between."""

    def count_up(_: int) -> None:
        with database.write() as connection:
            count = int(connection.execute(sa.select(Program.brand)).scalar_one())
            connection.execute(sa.update(Program).values(brand=str(count + 1)))

    with database.write() as connection:
        connection.execute(sa.update(Program).values(brand="0"))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(count_up, range(60)))
    with database.read() as connection:
        assert connection.execute(sa.select(Program.brand)).scalar_one() == "60"


@SQLITE_ONLY
def test_a_commit_of_sqlite_is_on_the_disk(database):
    """What was answered 200 survives a power cut: commits are synchronous, references checked."""
    with database.write() as connection:
        found = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
    assert found == ["wal", 2, 1]


@pytest.mark.parametrize("offset", [-11, 0, 2, 5.5])
def test_times_are_utc(database, offset):
    """A time of any zone is the same moment afterwards, aware and in UTC."""
    local = NOW.astimezone(timezone(timedelta(hours=offset)))
    with database.write() as connection:
        add_program(connection, "promo", local)
    query = sa.select(Program.created_at).where(Program.created_at == local)
    with database.read() as connection:
        read = connection.execute(query.where(Program.slug == "promo")).scalar_one()
    assert (read, read.utcoffset()) == (NOW, timedelta(0))


def test_times_without_a_zone_are_refused(database):
    """A naive time can't be stored, for nobody knows what it means."""
    naive = NOW.replace(tzinfo=None)
    with pytest.raises(StatementError, match="aware"), database.write() as connection:
        add_program(connection, "promo", naive)


def test_any_text_can_be_kept(database):
    """A text with a NUL or half a character is kept, as far as it can be: it may be a STOP."""
    message = {"sid": "SM1", "direction": "inbound", "sender": "a", "recipient": "b"}
    message |= {"status": "received", "created_at": NOW}
    with database.write() as connection:
        connection.execute(sa.insert(SimulatorMessage).values(body="ST\0OP \ud83d è 🛑", **message))
    with database.read() as connection:
        assert connection.execute(sa.select(SimulatorMessage.body)).scalar_one() == "STOP ? è 🛑"


def test_a_second_insert_is_not_an_error_where_it_is_expected(database):
    """The key of a row, not a look before the insert, decides what is a duplicate."""
    row = {"slug": "promo", "brand": "promo", "created_at": NOW}
    added = []
    for _ in range(2):
        with database.write() as connection:
            query = insert(Program).values(row).on_conflict_do_nothing()
            added.append(connection.execute(query.returning(Program.slug)).scalar())
    assert added == ["promo", None]


def test_references_are_checked(database):
    """No suppression without its subscriber and its ledger entry."""
    query = sa.insert(Suppression).values(
        fingerprint=PERSON, program="*", reason="opt_out", since=NOW, ledger_entry_id=1
    )
    with pytest.raises(IntegrityError), database.write() as connection:
        connection.execute(query)


def test_another_key_is_refused(settings):
    """With another FINGERPRINT_KEY every suppressed number would look reachable: nothing works."""
    database = Database(settings.database_url, "another key, made up")
    for door in (database.write, database.read):
        with pytest.raises(StorageUnavailableError, match="FINGERPRINT_KEY"), door():
            pytest.fail("it opened")
    database.close()


def test_an_unprepared_database_is_refused(databases):
    """A database without tables is refused, with the advice that helps."""
    database = Database(databases.empty(), "made up for tests: fingerprints")
    with pytest.raises(StorageUnavailableError, match="optout migrate"), database.read():
        pytest.fail("it opened")
    database.close()


def test_a_database_out_of_reach_is_one_kind_of_error():
    """When the list can't be read, callers learn it in one way, and can fail closed."""
    database = Database("postgresql+psycopg://me@127.0.0.1:1/name", "made up for tests")
    for door in (database.write, database.read):
        with pytest.raises(StorageUnavailableError), door():
            pytest.fail("it opened")


@POSTGRESQL_ONLY
def test_a_broken_connection_is_replaced(database):
    """After the database was restarted, one request may fail; the next one works."""
    with pytest.raises(StorageUnavailableError), database.write() as connection:
        connection.execute(sa.text("SELECT pg_terminate_backend(pg_backend_pid())"))
    assert programs(database) == set()


@POSTGRESQL_ONLY
def test_sessions_of_postgresql_speak_utc_and_lose_patience(database):
    """No session depends on the server's settings for zone and for waiting."""
    with database.read() as connection:
        found = [
            connection.exec_driver_sql(f"SHOW {name}").scalar()
            for name in ("timezone", "lock_timeout")
        ]
    assert found == ["UTC", "5s"]


@pytest.mark.parametrize(
    "row",
    [
        {"fingerprint": PERSON, "number": NUMBER, "first_seen_at": None},
        {"fingerprint": None, "number": NUMBER, "first_seen_at": NOW},
    ],
)
def test_an_error_of_the_database_shows_no_number(database, row):
    """What a driver says about a failed statement holds nothing of the row: logs repeat it."""
    with pytest.raises(DBAPIError) as failed, database.write() as connection:
        connection.execute(sa.insert(Subscriber).values(row))
    said = [repr(failed.value), str(failed.value), repr(failed.value.orig)]
    assert "subscribers" in said[0].lower()
    assert not any(NUMBER in text or "3331234567" in text for text in said)


def test_a_ledger_entry_can_not_be_deleted(database):
    """What happened stays on record, whoever asks the database."""
    with database.write() as connection:
        add_entry(connection)
    with pytest.raises(DBAPIError, match="append-only"), database.write() as connection:
        connection.execute(sa.delete(LedgerEntry))


@pytest.mark.parametrize(
    "change",
    [
        {"at": NOW + timedelta(1)},
        {"act": "opt_in"},
        {"program": "promo"},
        {"door": "operator"},
        {"evidence": {}},
        {"text": "START"},
        {"fingerprint": b"\x02" * 32},
        {"text": None, "fingerprint": b"\x02" * 32},
        {"id": 99},
        {"salt": b"x" * 16},
        {"person_digest": b"x" * 32},
        {"text_digest": b"x" * 32},
    ],
)
def test_a_ledger_entry_can_not_be_changed(database, change):
    """No column of a ledger entry can be given another value."""
    with database.write() as connection:
        add_entry(connection)
    with pytest.raises(DBAPIError, match="append-only"), database.write() as connection:
        connection.execute(sa.update(LedgerEntry).values(change))


def test_erasure_blanks_the_person_and_keeps_the_fact(database):
    """The person can be taken out of a ledger entry, for good; the entry stays."""
    with database.write() as connection:
        add_entry(connection)
        connection.execute(sa.update(LedgerEntry).values(text=None))
        connection.execute(sa.update(LedgerEntry).values(fingerprint=None, salt=None))
    with database.read() as connection:
        entry = connection.execute(sa.select(LedgerEntry)).one()
    assert (entry.act, entry.at, entry.evidence) == ("opt_out", NOW, {"id": "SM1"})
    assert (entry.text, entry.fingerprint) == (None, None)
    with pytest.raises(DBAPIError, match="append-only"), database.write() as connection:
        connection.execute(sa.update(LedgerEntry).values(fingerprint=PERSON))
