"""Databases for tests, on SQLite and on PostgreSQL: migrated once, as good as new every time."""

import secrets
import shutil
from pathlib import Path
from typing import Protocol

import sqlalchemy as sa
from sqlalchemy.engine import Engine, make_url
from sqlalchemy.pool import NullPool

from app.core.models import Base
from app.core.schema import migrate

FINGERPRINT_KEY = "made up for tests: fingerprints"
BRAND = "Demo"


class Databases(Protocol):
    """Where the databases of one dialect come from."""

    def empty(self) -> str:
        """The URL of a new database without any table."""

    def migrated(self) -> str:
        """The URL of a database as `optout migrate` leaves it, with nothing else in it."""


class SqliteDatabases:
    """Files in one folder; a migrated one is a copy of the first."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._template = folder / "template.db"
        migrate(f"sqlite:///{self._template}", FINGERPRINT_KEY, BRAND)

    def empty(self) -> str:
        return f"sqlite:///{self._new_path()}"

    def migrated(self) -> str:
        copy = self._new_path()
        shutil.copyfile(self._template, copy)
        return f"sqlite:///{copy}"

    def _new_path(self) -> Path:
        return self._folder / f"{secrets.token_hex(8)}.db"


class PostgresDatabases:
    """Databases of our own on a given server; whatever else is there stays untouched.

    To make a database takes 30 ms, to empty one takes 2: migrated() is always the same one, put
    back to what it was. Who is still connected to it from an earlier test is thrown out first.
    """

    def __init__(self, server_url: str) -> None:
        self._url = make_url(server_url).set(drivername="postgresql+psycopg")
        self._server = _autocommit_engine(self._url.render_as_string(hide_password=False))
        self._made: list[str] = []
        self._shared = self.empty()
        migrate(self._shared, FINGERPRINT_KEY, BRAND)
        self._keeper = _autocommit_engine(self._shared).connect()
        self._keeper.exec_driver_sql(_remember_sql())

    def empty(self) -> str:
        name = f"optout_test_{secrets.token_hex(8)}"
        with self._server.connect() as server:
            server.exec_driver_sql(f"CREATE DATABASE {name}")
            self._made.append(name)
            # Tests don't pull the plug, and need not wait for the disk.
            server.exec_driver_sql(f"ALTER DATABASE {name} SET synchronous_commit = off")
        return self._url.set(database=name).render_as_string(hide_password=False)

    def migrated(self) -> str:
        self._keeper.exec_driver_sql(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        self._keeper.exec_driver_sql(_restore_sql())
        return self._shared

    def drop_all(self) -> None:
        self._keeper.close()
        with self._server.connect() as server:
            for name in self._made:
                server.exec_driver_sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def _autocommit_engine(url: str) -> Engine:
    return sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)


def _remember_sql() -> str:
    """Keep a copy of what a new database has in its tables."""
    copies = [f"CREATE TABLE pristine.{table} AS TABLE public.{table}" for table in _tables()]
    return "; ".join(["CREATE SCHEMA pristine", *copies])


def _restore_sql() -> str:
    """Put every table back to its copy, past the triggers that keep the ledger: one transaction."""
    steps = []
    for table in reversed(_tables()):
        steps += [
            f"ALTER TABLE {table} DISABLE TRIGGER USER",
            f"DELETE FROM {table}",  # noqa: S608 - our own names
            f"ALTER TABLE {table} ENABLE TRIGGER USER",
        ]
    steps += [f"INSERT INTO {table} SELECT * FROM pristine.{table}" for table in _tables()]  # noqa: S608
    return "; ".join(steps)


def _tables() -> list[str]:
    """Every table, those that others refer to first."""
    return ["alembic_version", *(table.name for table in Base.metadata.sorted_tables)]
