"""How long a worker takes to start and what it holds, beside an empty Flask application."""

from collections.abc import Iterator
from statistics import median

from bench.database import new_database
from bench.servers import NO_CONFIG, OUR_CONFIG, gunicorn
from bench.settings import environment
from bench.table import Row, times

_ROUNDS = 3
_EMPTY = "bench.limits:empty()"
_MEGABYTE = 2**20


def measure(server_url: str) -> Iterator[Row]:
    """From the command to the first answer of one worker, and what the processes then hold."""
    with new_database(server_url) as url:
        rounds = [
            (_start("app:create_app()", url, OUR_CONFIG), _start(_EMPTY, url, NO_CONFIG))
            for _ in range(_ROUNDS)
        ]
    for i, (what, unit) in enumerate(
        (("start to first answer", "s"), ("memory of gunicorn with one worker", "MB"))
    ):
        ours, theirs = (median(each[side][i] for each in rounds) for side in (0, 1))
        yield Row(
            what,
            f"{ours:.2f} {unit}",
            f"{theirs:.2f} {unit}, an empty Flask application",
            times(ours / theirs),
        )


def _start(application: str, url: str, config: str) -> tuple[float, float]:
    with gunicorn(application, environment(url), 1, config) as server:
        return server.started_in, server.memory() / _MEGABYTE
