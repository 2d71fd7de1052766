"""A STOP through gunicorn, beside Flask with less in it: throughput, and the workers' CPU time."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict
from itertools import count
from statistics import median

from bench import limits
from bench.database import engine_of, new_database
from bench.load import Answered, Load
from bench.servers import Server, gunicorn
from bench.settings import environment
from bench.table import Row, milliseconds, times

_APPLICATIONS = {
    "gateway": "app:create_app()",
    "upsert": "bench.limits:upsert()",
    "bare": "bench.limits:bare()",
}
_WORKERS = 2
_CONNECTIONS = 16
_WARM_UP = 400  # requests


def measure(server_url: str, rounds: int, requests: int) -> list[Row]:
    """Rounds of each in turn, so that what else the machine does falls on all alike."""
    with new_database(server_url) as url, ExitStack() as stack:
        limits.SUPPRESSED.create(engine_of(url))
        running = {
            name: stack.enter_context(gunicorn(app, environment(url), _WORKERS))
            for name, app in _APPLICATIONS.items()
        }
        numbers = count(0, requests)
        for server in running.values():
            _load(server, next(numbers), _WARM_UP)
        measured = [
            {name: _round(server, next(numbers), requests) for name, server in running.items()}
            for _ in range(rounds)
        ]
    return list(_rows(measured))


_Round = tuple[float, float, Answered]  # requests a second, CPU seconds a request, the rest


def _round(server: Server, first: int, requests: int) -> _Round:
    before = server.cpu_seconds()
    answered = _load(server, first, requests)
    cpu = (server.cpu_seconds() - before) / requests
    return requests / answered.seconds, cpu, answered


def _load(server: Server, first: int, requests: int) -> Answered:
    load = Load(server.port, first, requests, _CONNECTIONS)
    command = [sys.executable, "-m", "bench.load", json.dumps(asdict(load))]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=os.environ)
    return Answered(**json.loads(done.stdout))


def _rows(measured: list[dict[str, _Round]]) -> Iterator[Row]:
    for beside, aim in (("upsert", "≥ 0.6 ×"), ("bare", "")):  # noqa: RUF001 - the sign is meant
        ratio = median(each["gateway"][0] / each[beside][0] for each in measured)
        ours, theirs = (median(each[name][0] for each in measured) for name in ("gateway", beside))
        yield Row(
            f"inbound STOP, requests a second, beside {_NAMES[beside]}",
            f"{ours:.0f}",
            f"{theirs:.0f}",
            times(ratio),
            aim,
        )
    for beside, aim in (("upsert", "< 2 ms"), ("bare", "")):
        ratio = median(each["gateway"][1] / each[beside][1] for each in measured)
        ours, theirs = (median(each[name][1] for each in measured) for name in ("gateway", beside))
        yield Row(
            f"inbound STOP, CPU of the workers a request, beside {_NAMES[beside]}",
            milliseconds(ours),
            milliseconds(theirs),
            times(ratio),
            aim,
        )
    half, most = (
        {name: median(getattr(each[name][2], field) for each in measured) for name in _APPLICATIONS}
        for field in ("median", "slowest_percent")
    )
    yield Row(
        f"inbound STOP, time to the answer at {_CONNECTIONS} at once, median (99 %)",
        f"{milliseconds(half['gateway'])} ({milliseconds(most['gateway'])})",
        f"{milliseconds(half['upsert'])} ({milliseconds(most['upsert'])})",
    )


_NAMES = {"upsert": "signature and one upsert", "bare": "bare Flask"}
