"""One decision of the gate, at growing lists: it must not matter how long the list is."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from statistics import median

from app.config import Settings
from app.core.gate import Scope, refusals
from app.core.models import Purpose
from app.core.schema import DEFAULT_PROGRAM
from app.gateway import Gateway
from bench.database import new_database, new_file
from bench.long_list import number, suppress_many
from bench.settings import environment
from bench.table import Row, milliseconds, times

_ROUNDS = 60
_DECISIONS = 20  # in each round
_AIM = "≤ 1.20 ×"  # noqa: RUF001 - the sign is meant
_SCOPE = Scope(DEFAULT_PROGRAM, Purpose.MARKETING)


def measure(server_url: str, sizes: list[int]) -> Iterator[Row]:
    """On both databases; rounds over the sizes in turn."""
    for name, make in (("PostgreSQL", lambda: new_database(server_url)), ("SQLite", new_file)):
        with ExitStack() as stack:
            gateways = {}
            for size in sizes:
                settings = Settings.from_env(environment(stack.enter_context(make())))
                gateways[size] = stack.enter_context(Gateway(settings))
                suppress_many(gateways[size], size)
            yield from decision_rows(name, gateways)


def decision_rows(name: str, gateways: dict[int, Gateway]) -> Iterator[Row]:
    """Both decisions, for gateways by the length of their lists."""
    yield from _rows(f"gate check of one number, {name}", gateways, _checks)
    yield from _rows(f"the claim's decision, {name}", gateways, _claims)


def _rows(
    what: str, gateways: dict[int, Gateway], timed: Callable[[Gateway, list[str]], float]
) -> Iterator[Row]:
    """The time of one decision for each size, and its ratio to that at the smallest."""
    smallest = min(gateways)
    rounds = [
        {size: timed(gateway, _sample(size)) for size, gateway in gateways.items()}
        for _ in range(_ROUNDS)
    ][_ROUNDS // 10 :]  # the first warm up
    for size in gateways:
        ours, theirs = (median(each[key] for each in rounds) for key in (size, smallest))
        beside = f"{milliseconds(theirs)} at {smallest:,}"
        yield Row(
            f"{what}, {size:,} suppressed", milliseconds(ours), beside, times(ours / theirs), _AIM
        )


def _checks(gateway: Gateway, numbers: list[str]) -> float:
    """Seconds a decision by the public check, one number at a time."""
    started = time.perf_counter()
    for each in numbers:
        gateway.check([each])
    return (time.perf_counter() - started) / len(numbers)


def _claims(gateway: Gateway, numbers: list[str]) -> float:
    """Seconds a decision as a claim takes it: the query alone, on an open connection."""
    services = gateway.services
    people = [services.phones.parse(each) for each in numbers]
    with services.database.read() as connection:
        started = time.perf_counter()
        for person in people:
            refusals(connection, [person], _SCOPE, services.policy, datetime.now(UTC))
        return (time.perf_counter() - started) / len(people)


def _sample(size: int) -> list[str]:
    """Half of them suppressed, spread over the list."""
    picked = random.Random().sample(range(size), _DECISIONS // 2)
    return [number(i) for i in picked] + [number(size + i) for i in picked]
