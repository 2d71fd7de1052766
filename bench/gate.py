"""One decision of the gate, at growing lists: it must not matter how long the list is."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from statistics import median

import sqlalchemy as sa

from app.config import Settings
from app.core import consent
from app.core.consent import Evidence
from app.core.gate import Scope, refusals
from app.core.models import ALL_PROGRAMS, Act, Purpose, Subscriber, Suppression
from app.core.schema import DEFAULT_PROGRAM
from app.gateway import Gateway
from bench.database import new_database, new_file
from bench.settings import environment
from bench.table import Row, milliseconds, times

_BATCH = 10_000  # rows in one INSERT
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
                _suppress_many(gateways[size], size)
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
    for number in numbers:
        gateway.check([number])
    return (time.perf_counter() - started) / len(numbers)


def _claims(gateway: Gateway, numbers: list[str]) -> float:
    """Seconds a decision as a claim takes it: the query alone, on an open connection."""
    services = gateway.services
    people = [services.phones.parse(number) for number in numbers]
    with services.database.read() as connection:
        started = time.perf_counter()
        for person in people:
            refusals(connection, [person], _SCOPE, services.policy, datetime.now(UTC))
        return (time.perf_counter() - started) / len(people)


def _sample(size: int) -> list[str]:
    """Half of them suppressed, spread over the list."""
    picked = random.Random().sample(range(size), _DECISIONS // 2)
    return [_number(i) for i in picked] + [_number(size + i) for i in picked]


def _number(i: int) -> str:
    return f"+39{3330000000 + i}"


def _suppress_many(gateway: Gateway, size: int) -> None:
    """Put `size` numbers on the list, past the core, which would write a ledger entry for each."""
    database, phones = gateway.services.database, gateway.services.phones
    now = datetime.now(UTC)
    with database.write() as connection:
        nobody = bytes(32)
        entry = consent.record(
            connection, Act.SUPPRESS, nobody, ALL_PROGRAMS, Evidence("bench"), now
        )
        for start in range(0, size, _BATCH):
            numbers = [_number(i) for i in range(start, min(start + _BATCH, size))]
            people = [(phones.fingerprint(number), number) for number in numbers]
            connection.execute(
                sa.insert(Subscriber),
                [{"fingerprint": f, "number": n, "first_seen_at": now} for f, n in people],
            )
            connection.execute(
                sa.insert(Suppression),
                [_suppression(fingerprint, entry, now) for fingerprint, _ in people],
            )
    with database.read() as connection:
        connection.exec_driver_sql("ANALYZE")


def _suppression(fingerprint: bytes, entry: int, now: datetime) -> dict[str, object]:
    return {
        "fingerprint": fingerprint,
        "program": ALL_PROGRAMS,
        "reason": "import",
        "since": now,
        "ledger_entry_id": entry,
    }
