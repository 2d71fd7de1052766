"""Brings a database to the current schema, and tells whether it is there."""

import functools
from collections.abc import Sequence
from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Connection

from app.core.database import (
    Database,
    insert,
    make_engine,
    translated_errors,
)
from app.core.encryption import Cipher
from app.core.keys import FingerprintKeys
from app.core.models import Installation, Program
from app.core.programs import follow_text
from app.core.replies import default_consent_text, default_purpose

DEFAULT_PROGRAM = "default"


def migrate(
    url: str,
    fingerprint_key: str,
    brand: str,
    language: str = "it",
    former_keys: Sequence[str] = (),
    cipher: Cipher | None = None,
) -> None:
    """Prepare an empty database or bring an older one up to date; safe to run at any time, twice.

    Raises StorageUnavailableError when the database can't be reached.
    """
    engine = make_engine(url, cipher)
    try:
        with translated_errors(), engine.begin() as connection:
            _take_turns(connection)
            config = _alembic()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            keys = FingerprintKeys(fingerprint_key, former_keys)
            _furnish(connection, keys, cipher)
            _make_first_program(connection, brand, language)
    finally:
        engine.dispose()


def is_current(database: Database) -> bool:
    """Whether the database has exactly the schema this code was written for."""
    with database.read() as connection:
        revision = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
    return revision == _newest_revision()


@functools.cache
def _newest_revision() -> str | None:
    return ScriptDirectory.from_config(_alembic()).get_current_head()


def _take_turns(connection: Connection) -> None:
    """Two hosts may release at once: the second waits and finds nothing left to do.

    SQLite's transactions exclude each other anyway.
    """
    if connection.dialect.name == "postgresql":
        patience = connection.exec_driver_sql("SHOW lock_timeout").scalar_one()
        connection.exec_driver_sql("SET LOCAL lock_timeout = '10min'")  # for a long migration
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(21610)")
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{patience}'")


def _alembic() -> Config:
    config = Config()
    config.set_main_option("script_location", "app:migrations")
    config.set_main_option("path_separator", "os")
    return config


def _furnish(connection: Connection, keys: FingerprintKeys, cipher: Cipher | None) -> None:
    """What a new database has from the start: the marks of its keys."""
    installed = sa.select(Installation.id)
    if connection.execute(installed).first() is None:
        row = {
            "id": 1,
            "fingerprint_check": keys.check(),
            "encryption_check": cipher.check if cipher else None,
        }
        connection.execute(sa.insert(Installation).values(row))


def _make_first_program(connection: Connection, brand: str, language: str) -> None:
    now = datetime.now(UTC)
    program = {"slug": DEFAULT_PROGRAM, "created_at": now}
    query = insert(Program).values(program).on_conflict_do_nothing()
    if connection.execute(query.returning(Program.slug)).first() is not None:
        text = default_consent_text(language, brand, default_purpose(language))
        follow_text(connection, DEFAULT_PROGRAM, text, now)
