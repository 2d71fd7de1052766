"""The STOP barrier under load: what the provider accepts after a STOP was answered.

    python -m bench.barrier [--database sqlite|postgresql] [--stops 2000] [--naive] [--broker URL]

People text STOP and START through two servers, while every door sends to them without end and the
provider is 150 ms away. On PostgreSQL and with a broker (BROKER_URL by default; its queue must be
nobody else's) two Celery workers send the campaigns, else a process of their own does. Judged
afterwards, by one clock: the provider's log against the times of the answers.
"""

import argparse
import itertools
import os
import random
import sys
import tempfile
import threading
import time
from bisect import bisect_right
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path

import sqlalchemy as sa

from app.config import Settings
from app.core.gate import Scope
from app.core.models import Purpose
from app.gateway import Gateway
from bench.barrier_processes import DELAY, sender, slow_provider, worker
from bench.barrier_senders import GUARDED
from bench.database import engine_of, new_database, new_file, postgresql
from bench.servers import gunicorn
from bench.settings import environment
from bench.webhook import deliver

_PEOPLE = 32
_SERVERS = _WORKERS = 2
_PROGRESS_EVERY = 5.0
_SILENCE = 0.4  # seconds at most from a STOP's answer to the next START: when violations show
_TALK = 0.3  # seconds at most from a START's answer to the next STOP


@dataclass(slots=True)
class Heard:
    """Of one number: when a STOP's answer had arrived, when the START after it was sent."""

    silences: list[tuple[int, int]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Verdict:
    """`violations` were accepted in a silence; `noted`: the ledger says late messages so often."""

    stops: int
    accepted: Counter[str]
    violations: Counter[str]
    noted: int
    latest: float  # seconds after the answer, of the worst


class People:
    """Each texts STOP, is silent for a while, texts START, and so on, until enough was said."""

    def __init__(self, ports: list[int], stops: int, deadline: float) -> None:
        self.numbers = [f"+39333{7_000_000 + i}" for i in range(_PEOPLE)]
        self.heard = {number: Heard() for number in self.numbers}
        self.stops = 0
        self._ports = ports
        self._wanted = stops
        self._deadline = deadline
        self._ids = itertools.count(1)
        self._lock = threading.Lock()

    def talk(self) -> None:
        """Returns when all STOPs were said, or the time is up."""
        threads = [threading.Thread(target=self._live, args=(each,)) for each in self.numbers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _live(self, number: str) -> None:
        chance = random.Random(number)
        while self._goes_on():
            time.sleep(chance.random() * _TALK)
            self._text(number, "STOP", chance)
            answered = time.monotonic_ns()
            time.sleep(chance.random() * _SILENCE)
            self.heard[number].silences.append((answered, time.monotonic_ns()))
            self._text(number, "START", chance)

    def _goes_on(self) -> bool:
        with self._lock:
            if self.stops >= self._wanted or time.monotonic() > self._deadline:
                return False
            self.stops += 1
            return True

    def _text(self, number: str, body: str, chance: random.Random) -> None:
        """Until it is answered with 200, as a provider that is set to retry does."""
        sid = f"SM{next(self._ids):032x}"
        while True:
            try:
                status, _ = deliver(chance.choice(self._ports), number, body, sid)
                if status == HTTPStatus.OK:
                    return
            except (OSError, HTTPException):
                pass
            time.sleep(0.05)


def judge(log: str, heard: dict[str, Heard], noted: int, stops: int) -> Verdict:
    """Every message that was accepted between a STOP's answer and the next START."""
    accepted: Counter[str] = Counter()
    violations: Counter[str] = Counter()
    latest = 0
    starts = {number: [since for since, _ in each.silences] for number, each in heard.items()}
    for line in log.splitlines():
        moment, number, door = line.split()
        at = int(moment)
        accepted[door] += 1
        index = bisect_right(starts.get(number, []), at) - 1
        if index >= 0:
            since, until = heard[number].silences[index]
            if since < at < until:
                violations[door] += 1
                latest = max(latest, at - since)
    return Verdict(stops, accepted, violations, noted, latest / 1e9)


def run(database: str, broker: str, *, stops: int, seconds: float, naive: bool) -> Verdict:
    """One run on one database; the senders are ours, or those that check and then send."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        log = folder / "accepted"
        provider = stack.enter_context(slow_provider(log))
        given = {**environment(database), "TWILIO_API_BASE_URL": provider, "BROKER_URL": broker}
        for place in range(_WORKERS if broker else 0):
            stack.enter_context(worker(given, folder, f"worker{place}"))
        servers = [
            stack.enter_context(gunicorn("app:create_app()", given, workers=1))
            for _ in range(_SERVERS)
        ]
        people = People([each.port for each in servers], stops, time.monotonic() + seconds)
        asked = {
            "database": database,
            "broker": broker,
            "provider": provider,
            "servers": [f"http://127.0.0.1:{each.port}" for each in servers],
            "api_key": _api_key(given),
            "numbers": people.numbers,
        }
        for door in ["naive"] if naive else GUARDED:
            stack.enter_context(sender(door, asked))
        _wait_for_the_first(log, doors=1 if naive else len(GUARDED))
        _talk_and_tell(people, log)
        time.sleep(2 * DELAY)
        return judge(log.read_text(), people.heard, _noted(database), people.stops)


def _talk_and_tell(people: People, log: Path) -> None:
    over = threading.Event()

    def tell() -> None:
        started = time.monotonic()
        while not over.wait(_PROGRESS_EVERY):
            accepted = log.read_text().count("\n")
            passed = time.monotonic() - started
            print(f"  {passed:4.0f} s  {people.stops} STOPs  {accepted} accepted", flush=True)

    telling = threading.Thread(target=tell)
    telling.start()
    try:
        people.talk()
    finally:
        over.set()
        telling.join()


def _wait_for_the_first(log: Path, doors: int) -> None:
    """Until every door has sent something: a sender that does not start would prove nothing."""
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        seen = {line.split()[2] for line in log.read_text().splitlines()}
        if len(seen) >= doors:
            return
        time.sleep(0.2)
    raise SystemExit("not every door sends")


def _api_key(given: dict[str, str]) -> str:
    with Gateway(Settings.from_env(given)) as gateway:
        key = gateway.services.api_keys.create("barrier", Scope("default", Purpose.MARKETING))
        return key.secret


def _noted(database: str) -> int:
    late = sa.text("SELECT count(*) FROM ledger_entries WHERE act = 'late_message'")
    with engine_of(database).connect() as connection:
        return int(connection.execute(late).scalar_one())


def _tell(name: str, verdict: Verdict, seconds: float) -> None:
    doors = ", ".join(f"{door} {n}" for door, n in sorted(verdict.accepted.items()))
    print(f"{name}: {verdict.stops} STOPs in {seconds:.0f} s; accepted: {doors}")
    print(f"  late messages noted in the ledger: {verdict.noted}")
    print(f"  accepted after a STOP was answered: {sum(verdict.violations.values())}", flush=True)
    if verdict.violations:
        print(f"  the latest {verdict.latest:.3f} s after the answer")


def main() -> None:
    """Run what was asked for; exit code 1 where the product broke its promise."""
    parser = argparse.ArgumentParser(prog="python -m bench.barrier", description=__doc__)
    parser.add_argument("--database", choices=["sqlite", "postgresql"], action="append")
    parser.add_argument("--stops", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=300, help="at most, for each run")
    parser.add_argument("--broker", default=os.environ.get("BROKER_URL", ""))
    parser.add_argument("--naive", action="store_true", help="senders that check and then send")
    asked = parser.parse_args()
    broken = False
    with ExitStack() as stack:
        for database in asked.database or ["sqlite", "postgresql"]:
            is_file = database == "sqlite"
            # Workers may be on other hosts, and no other host has the file.
            broker = "" if is_file or asked.naive else asked.broker
            server = "" if is_file else stack.enter_context(postgresql())
            with new_file() if is_file else new_database(server) as url:
                started = time.monotonic()
                limits = {"stops": asked.stops, "seconds": asked.seconds}
                verdict = run(url, broker, naive=asked.naive, **limits)
            doors = "check-then-send" if asked.naive else "every door"
            workers = f", campaigns by {_WORKERS} Celery workers" if broker else ""
            _tell(f"{database}, {doors}{workers}", verdict, time.monotonic() - started)
            broken = broken or bool(verdict.violations)
    if broken and not asked.naive:
        sys.exit(1)
    if asked.naive and not broken:
        sys.exit("the run saw no violation of a sender that has no barrier: it shows nothing")


if __name__ == "__main__":
    main()
