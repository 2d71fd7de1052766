"""Prune and erasure, killed with -9 at random moments and run again: the result is whole.

    python -m bench.killed [--kills 12] [--people 400]

On SQLite and on PostgreSQL (BENCH_DATABASE_URL, or an embedded one). Each time a fresh copy of the
same database is worked on by a process that is killed; a second one finishes, and what is then in
the tables must be what a run without any kill leaves.
"""

import argparse
import multiprocessing
import random
import secrets
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import make_url

from app.core import retention
from app.core.models import Act, Base
from app.gateway import Gateway
from bench.database import engine_of, new_database, new_file, postgresql
from bench.people import fill, gateway_of, number_of

_NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)  # years after the people's last words
_ERASED = range(0, 60, 5)
_BATCH = 10  # rows in one transaction of the prune: more of them to be killed in
# Made at random, or told apart by it: by these two runs may differ.
_CHANCE = {"salt", "person_digest", "text_digest", "certificate", "ledger_entry_id"}
_OWN_ENTRIES = {Act.ERASE, Act.PRUNE}  # run again, it may say so again

Copies = Callable[[], AbstractContextManager[str]]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.killed", description=__doc__)
    parser.add_argument("--kills", type=int, default=12)
    parser.add_argument("--people", type=int, default=400)
    given = parser.parse_args()
    with new_file() as url:
        fill(url, given.people)
        whole = _measure("SQLite", lambda: _copied_file(url), given.kills)
    with postgresql() as server, new_database(server) as url:
        fill(url, given.people)
        whole = _measure("PostgreSQL", lambda: _copied_database(url), given.kills) and whole
    print("PASSED" if whole else "FAILED")
    return int(not whole)


def _prune(url: str, begun: Callable[[], None]) -> None:
    retention._BATCH = _BATCH  # noqa: SLF001
    with gateway_of(url, lambda: _NOW) as gateway:
        begun()
        gateway.services.retention.prune()


def _erase(url: str, begun: Callable[[], None]) -> None:
    with gateway_of(url, lambda: _NOW) as gateway:
        begun()
        for place in _ERASED:
            gateway.services.privacy.erase(number_of(place), "the person", "bench")
        gateway.services.deletions.run()  # as the chores do: what a killed one had still to ask


_WORKS: dict[str, Callable[[str, Callable[[], None]], None]] = {"prune": _prune, "erase": _erase}


def _measure(name: str, copies: Copies, kills: int) -> bool:
    results = [_try(name, work, copies, kills) for work in _WORKS]
    return all(results)


def _try(name: str, work: str, copies: Copies, kills: int) -> bool:
    with copies() as url:
        lasts = _finish(work, url)
        expected = _rows(url)
        with copies() as untouched:
            half_way = _rows(untouched)
    outcomes = [_kill_and_finish(work, copies, lasts, expected, half_way) for _ in range(kills)]
    whole, under_way = sum(each[0] for each in outcomes), sum(each[1] for each in outcomes)
    said = f"{kills} kills, {under_way} with work half done, whole after: {whole}"
    print(f"{name}, {work}: {said}", flush=True)
    return whole == kills


def _kill_and_finish(
    work: str, copies: Copies, lasts: float, expected: Any, untouched: Any
) -> tuple[bool, bool]:
    """Whether the result is whole; whether the kill had left some done and some not."""
    while True:
        with copies() as url:
            process = _start(work, url)
            time.sleep(random.uniform(0, lasts * 0.9))
            process.kill()
            process.join()
            if process.exitcode != -signal.SIGKILL:
                continue  # it was faster
            _wait_until_gone(url)
            left = _rows(url)
            _finish(work, url)
            now = _rows(url)
            for table in now:
                if now[table] != expected[table]:
                    print(f"  not as expected: {table}", set(now[table]) ^ set(expected[table]))
            return now == expected and _verifies(url), left not in (untouched, expected)


def _start(work: str, url: str) -> Any:
    """A process of its own, once it has begun. A fork: to import everything anew takes seconds."""
    context = multiprocessing.get_context("fork")
    begun = context.Event()
    process = context.Process(target=_WORKS[work], args=(url, begun.set))
    process.start()
    begun.wait()
    return process


def _finish(work: str, url: str) -> float:
    """Let it run to its end; in how many seconds."""
    process = _start(work, url)
    started = time.monotonic()
    process.join()
    if process.exitcode:
        raise SystemExit(f"{work} failed")
    return time.monotonic() - started


def _rows(url: str) -> dict[str, list[str]]:
    """All tables, without what chance has made."""
    with gateway_of(url) as gateway, gateway.services.database.read() as connection:
        return {
            table.name: sorted(
                _comparable(table.name, row)
                for row in connection.execute(sa.select(table)).mappings()
                if row.get("act") not in _OWN_ENTRIES
            )
            for table in Base.metadata.sorted_tables
        }


def _comparable(table: str, row: Any) -> str:
    left_out = _CHANCE | ({"id"} if table in {"ledger_entries", "copy_searches"} else set())
    return str([value for column, value in row.items() if column not in left_out])


def _verifies(url: str) -> bool:
    with gateway_of(url) as gateway:
        return _sealed(gateway) == []


def _sealed(gateway: Gateway) -> list[str]:
    gateway.services.ledger.seal()
    return gateway.services.ledger.verify().faults


def _wait_until_gone(url: str) -> None:
    """PostgreSQL notices in a moment that its client is dead; until then it keeps its locks."""
    if make_url(url).get_backend_name() == "sqlite":
        return
    others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    with engine_of(url).connect() as connection:
        while connection.exec_driver_sql(f"SELECT count(*) {others}").scalar_one():
            time.sleep(0.05)


@contextmanager
def _copied_file(url: str) -> Iterator[str]:
    with new_file() as copy:
        for path in (url, copy):
            with engine_of(path).connect() as connection:
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        shutil.copyfile(Path(make_url(url).database or ""), Path(make_url(copy).database or ""))
        yield copy


@contextmanager
def _copied_database(url: str) -> Iterator[str]:
    original = make_url(url)
    name = f"optout_bench_{secrets.token_hex(6)}"
    server = engine_of(original.set(database="postgres").render_as_string(hide_password=False))
    with server.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE {original.database}")
    try:
        yield original.set(database=name).render_as_string(hide_password=False)
    finally:
        with server.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")


if __name__ == "__main__":
    sys.exit(main())
