"""A list of ten million: one decision, and a file of a million filtered. Takes some minutes."""

import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import psycopg

from app.config import Settings
from app.gateway import Gateway
from bench.database import new_database
from bench.gate import decision_rows
from bench.long_list import consent_many, number, suppress_many, suppress_millions
from bench.settings import environment
from bench.table import Row, times

_PLAIN = """
    CREATE TABLE bench_plain (number text);
    INSERT INTO bench_plain SELECT '+39' || (3330000000 + i) FROM generate_series(0, {last}) AS i;
    ALTER TABLE bench_plain ADD PRIMARY KEY (number);
    ANALYZE bench_plain
"""
_ANTI_JOIN = """
    COPY (SELECT number FROM asked WHERE NOT EXISTS
        (SELECT FROM bench_plain WHERE bench_plain.number = asked.number)
    ) TO STDOUT (FORMAT csv, HEADER)
"""


def measure(server_url: str, size: int, asked: int, rounds: int) -> Iterator[Row]:
    """PostgreSQL; the gate at `size` beside 10,000, then a file of `asked` numbers filtered."""
    with ExitStack() as stack:
        short, long = (stack.enter_context(new_database(server_url)) for _ in range(2))
        gateways = {
            length: stack.enter_context(Gateway(Settings.from_env(environment(url))))
            for length, url in ((10_000, short), (size, long))
        }
        suppress_many(gateways[10_000], 10_000)
        suppress_millions(gateways[size], size)
        yield from decision_rows("PostgreSQL", gateways)
        consent_many(gateways[size], size, asked)
        yield from _filter_rows(long, size, asked, rounds)


def _filter_rows(url: str, size: int, asked: int, rounds: int) -> Iterator[Row]:
    """Half of the numbers are suppressed, the others have consented; in turns with plain SQL."""
    plain_url = url.replace("+psycopg", "")
    with psycopg.connect(plain_url) as connection:
        connection.execute(_PLAIN.format(last=size - 1))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = _file(folder, size, asked)
        runs = [
            (
                _plain_seconds(plain_url, source, folder),
                _filter(url, source, folder, "assumed"),
                _filter(url, source, folder, "required"),
            )
            for _ in range(rounds)
        ]
        assert len(_lines(folder / "plain.csv")) == len(_lines(folder / "out.csv"))
    limit = median(plain for plain, *_ in runs)
    for place, consents in ((1, "assumed"), (2, "required")):
        what = f"optout filter, {asked:,} of {size:,}, CONSENT={consents}"
        seconds = median(run[place][0] for run in runs)
        ratio = median(run[place][0] / run[0] for run in runs)
        beside = f"{limit:.1f} s, COPY and anti-join"
        yield Row(what, f"{seconds:.1f} s", beside, times(ratio), "≤ 1.50 ×")  # noqa: RUF001
        cpu, peak = (median(run[place][i] for run in runs) for i in (1, 2))
        yield Row(f"{what}: CPU of the process", f"{cpu:.1f} s")
        yield Row(f"{what}: most memory (RSS)", f"{peak / 1024:.0f} MB", aim="< 200 MB")


def _file(folder: Path, size: int, asked: int) -> Path:
    numbers = [number(i) for i in range(size - asked // 2, size + asked // 2)]
    random.shuffle(numbers)
    source = folder / "in.csv"
    source.write_text("\n".join(["number", *numbers, ""]))
    return source


def _plain_seconds(url: str, source: Path, folder: Path) -> float:
    """The numbers into a table, and back without those that are on a list of plain numbers."""
    started = time.perf_counter()
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE asked (number text) ON COMMIT DROP")
        with (
            source.open("rb") as file,
            cursor.copy("COPY asked FROM STDIN (FORMAT csv, HEADER)") as copy,
        ):
            while piece := file.read(262_144):
                copy.write(piece)
        cursor.execute("ANALYZE asked")
        with (folder / "plain.csv").open("wb") as file, cursor.copy(_ANTI_JOIN) as copy:
            for row in copy:
                file.write(row)
    return time.perf_counter() - started


def _filter(url: str, source: Path, folder: Path, consents: str) -> tuple[float, float, int]:
    """Seconds from start to end, CPU seconds, and the most memory the process had, in kB."""
    command = [sys.executable, "-m", "app.cli", "filter", str(source), str(folder / "out.csv")]
    given = {**os.environ, **environment(url), "CONSENT": consents}
    started = time.perf_counter()
    process = subprocess.Popen(command, env=given, stderr=subprocess.DEVNULL)
    # What the system counts as its most includes this process, of which it began as a copy.
    peak, ended = 0, 0
    while not ended:
        time.sleep(0.05)
        peak = max(peak, _most_memory(process.pid))
        ended, status, used = os.wait4(process.pid, os.WNOHANG)
    assert status == 0
    return time.perf_counter() - started, used.ru_utime + used.ru_stime, peak


def _most_memory(pid: int) -> int:
    """The most that a running process ever had in memory, in kB (Linux)."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+)", status)
    return int(found[1]) if found else 0


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines()
