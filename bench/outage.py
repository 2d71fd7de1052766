"""An outage: people text while the gateway is down, and afterwards nothing is lost.

    python -m bench.outage [--database sqlite|postgresql] [--texts 500] [--pause 300]

Two gateways with a database each live through the same day. One is never down; the other is while
people text, and has only the provider's log. Afterwards, while texts come in again, some of which
are in that log as well, `optout reconcile` runs twice. Then both must hold the same.
"""

import argparse
import os
import random
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from itertools import count

import sqlalchemy as sa

from app.core.database import UtcDateTime
from app.core.replies import CODE_PLACE
from bench.database import engine_of, new_database, new_file, postgresql
from bench.outage_provider import Entry, Log, logging_provider
from bench.outage_story import CODE, WRONG_CODE, Line, code_in, story
from bench.servers import gunicorn
from bench.settings import environment
from bench.webhook import deliver

_PACE = 0.05  # seconds between two texts
_YOUNG = 0.2  # the share that is texted just before the gateway is back
_ANSWERED_WITHIN = timedelta(minutes=5)
_SETTLED_AFTER = 65.0  # seconds after which a text's webhook is not waited for
_DAYS_OF_TEXTS = 2500  # more than two pages of the log, in one hour of it

_STATES = {
    "suppressions": "SELECT fingerprint, program, reason FROM suppressions",
    "consents": "SELECT fingerprint, program, channel, withdrawn_at IS NULL FROM consents",
    "open reviews": "SELECT fingerprint FROM review_holds WHERE decided_at IS NULL",
    "texts": "SELECT fingerprint, meaning, body FROM inbound_messages ORDER BY id",
    # Who asked to join too long ago is sent no code any more: that one act is rightly missing.
    "ledger acts": (
        "SELECT fingerprint, act, program FROM ledger_entries WHERE act <> 'code_sent' ORDER BY id"
    ),
}

_ANSWERS = sa.text(
    "SELECT i.provider_message_id AS sid, i.received_at AS received, o.created_at AS answered, "
    "o.body FROM outbound_messages o JOIN inbound_messages i "
    "ON o.requester = 'answer' AND o.idempotency_key = CAST(i.id AS VARCHAR)"
).columns(received=UtcDateTime(), answered=UtcDateTime())


@dataclass(slots=True)
class World:
    """A gateway, its database and its provider; `codes` that the people in it were sent."""

    name: str
    settings: dict[str, str]
    log: Log
    port: int = 0
    codes: dict[str, str] = field(default_factory=dict)
    replies: dict[str, str] = field(default_factory=dict)

    def says(self, line: Line, sid: str, *, delivered: bool) -> None:
        """Somebody texts: the provider's log has it, and the webhook comes or not."""
        body = line.in_words(self.codes.get(line.number))
        self.log.add(Entry(sid, inbound=True, number=line.number, body=body, at=datetime.now(UTC)))
        if delivered:
            self.deliver(line.number, body, sid)

    def deliver(self, number: str, body: str, sid: str) -> None:
        status, answer = deliver(self.port, number, body, sid)
        if status != HTTPStatus.OK:
            raise SystemExit(f"{self.name}: a webhook was answered with {status}")
        reply = re.search("<Message>(.*)</Message>", answer, re.DOTALL)
        if reply:
            self.replies[sid] = reply[1]
            self.codes[number] = code_in(reply[1]) or self.codes.get(number, "")

    def state(self, name: str) -> dict[bytes, list[tuple[object, ...]]]:
        """What it holds, by number and in its order."""
        found: dict[bytes, list[tuple[object, ...]]] = {}
        with engine_of(self.settings["DATABASE_URL"]).connect() as connection:
            for person, *values in connection.execute(sa.text(_STATES[name])):
                row = tuple(_plain(each) if isinstance(each, str) else each for each in values)
                found.setdefault(bytes(person), []).append(row)
        return found

    def reconcile(self, since: str) -> str:
        command = [sys.executable, "-m", "app.cli", "reconcile", "--since", since]
        ended = subprocess.run(
            command, env=os.environ | self.settings, check=True, capture_output=True, text=True
        )
        return ended.stdout


@contextmanager
def world(name: str, database: str) -> Iterator[World]:
    """A gateway's surroundings; the gateway itself comes and goes."""
    with logging_provider() as (url, log):
        settings = environment(database) | {"TWILIO_API_BASE_URL": url, "CONSENT": "required"}
        yield World(name, settings, log)


class Day:
    """The same day in both worlds: one gateway is down for a part of it."""

    def __init__(self, up: World, down: World, texts: int, pause: float) -> None:
        self._up, self._down, self._pause = up, down, pause
        self._ids = count(1)
        self._tellers, self._lines = story(texts, random.Random(5))
        self._sids: dict[str, Line] = {}
        self.young: list[str] = []

    def before(self) -> None:
        """Some subscribe, others have only asked for a code yet."""
        for number in self._tellers["subscribed"] + self._tellers["asked"]:
            self._text([Line(number, "ISCRIVIMI", last=False, alone=False)], both=True)
        for number in self._tellers["subscribed"]:
            self._text([Line(number, CODE, last=True, alone=False)], both=True)

    def outage(self) -> None:
        """They text. The first of it is long ago when the gateway is back, the rest is not."""
        young = round(len(self._lines) * _YOUNG)
        self._text(self._lines[:-young], both=False, pace=_PACE)
        time.sleep(self._pause)
        self._text(self._lines[-young:], both=False, pace=_PACE)
        self.young = list(self._sids)[-young:]

    def live(self) -> int:
        """Webhooks come again: for new texts, and late for some that the log has; of how many."""
        # A code may be over by then: what a webhook brings counts as said when it came.
        codes = {CODE, WRONG_CODE}
        late = [
            sid for sid in self.young if self._sids[sid].alone and self._sids[sid].body not in codes
        ]
        for place, sid in enumerate(late):
            line = self._sids[sid]
            body = line.in_words(self._down.codes.get(line.number))
            self._down.deliver(line.number, body, sid)
            body = random.choice(["STOP", "Ciao", "START"])
            new = Line(f"+39333900{place:04d}", body, last=True, alone=True)
            self._text([new], both=True)
        # To an earlier text of somebody no answer is due once the last one has been read.
        self.young = [sid for sid in self.young if sid not in late and self._sids[sid].last]
        return 2 * len(late)

    def _text(self, lines: Iterable[Line], *, both: bool, pace: float = 0.0) -> None:
        for line in lines:
            sid = f"SM{next(self._ids):032x}"
            self._sids[sid] = line
            self._up.says(line, sid, delivered=True)
            self._down.says(line, sid, delivered=both)
            time.sleep(pace)


def run(up: World, down: World, texts: int, pause: float) -> bool:
    """One day; whether nothing was lost."""
    day = Day(up, down, texts, pause)
    with _serving(up):
        with _serving(down):
            day.before()
        print(f"  down; {texts} texts come in", flush=True)
        day.outage()
        with _serving(down):
            _come_back(day, down)
            faults = _differences(up, down) + _wrong_answers(up, down, day.young)
            _show_watermark(down)
            faults += _after_days(down)
    for fault in faults:
        print(f"  {fault}", flush=True)
    return not faults


@contextmanager
def _serving(each: World) -> Iterator[None]:
    with gunicorn("app:create_app()", each.settings, workers=1) as server:
        each.port = server.port
        yield


def _come_back(day: Day, down: World) -> None:
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(down.reconcile, "2h")
        webhooks = day.live()
        print(f"  first run, beside {webhooks} webhooks:\n{_indented(first.result())}", flush=True)
    time.sleep(_SETTLED_AFTER)
    runs = [down.reconcile("2h"), down.reconcile("2h")]
    print(f"  when all is a minute old:\n{_indented(runs[0])}")
    print(f"  once more:\n{_indented(runs[1])}", flush=True)


def _differences(up: World, down: World) -> list[str]:
    faults = []
    for name in _STATES:
        ours, theirs = up.state(name), down.state(name)
        numbers = ours.keys() | theirs.keys()
        unequal = [each for each in numbers if ours.get(each) != theirs.get(each)]
        rows = sum(map(len, ours.values()))
        print(f"  {name}: {rows} of {len(ours)} people, {len(unequal)} people differ")
        faults += [f"{name}: {ours.get(each)} became {theirs.get(each)}" for each in unequal]
    return faults


def _wrong_answers(up: World, down: World, young: list[str]) -> list[str]:
    """Who was answered apart: only for what was young, and as it would have been."""
    with engine_of(down.settings["DATABASE_URL"]).connect() as connection:
        rows = connection.execute(_ANSWERS).all()
    ages = [row.answered - row.received for row in rows]
    replies = {row.sid: row.body for row in rows}
    expected = {sid: up.replies[sid] for sid in young if sid in up.replies}
    print(f"  answered apart: {len(rows)}, the oldest after {max(ages, default=timedelta(0))}")
    print(f"  of {len(expected)} last and young texts that the other gateway answered", flush=True)
    late = [f"answered after {age}" for age in ages if age > _ANSWERED_WITHIN]
    missing = [f"not answered: {reply}" for sid, reply in expected.items() if sid not in replies]
    other = [
        f"answered {replies[sid]!r}, not {reply!r}"
        for sid, reply in expected.items()
        if sid in replies and _plain(replies[sid]) != _plain(reply)
    ]
    return late + missing + other


def _show_watermark(down: World) -> None:
    for path in ("readyz", "metrics"):
        with urllib.request.urlopen(f"http://127.0.0.1:{down.port}/{path}") as answer:
            lines = answer.read().decode().splitlines()
        print("\n".join(f"  /{path}: {each}" for each in lines if _tells(each)), flush=True)


def _tells(line: str) -> bool:
    return line.startswith(("ready", "texts received", "optout_watermark"))


def _after_days(down: World) -> list[str]:
    """An hour of two days ago with more texts than the log has on a page, none of them known."""
    at = datetime.now(UTC) - timedelta(days=2)
    for place in range(_DAYS_OF_TEXTS):
        number, body = f"+39334{place:07d}", "STOP" if place % 2 else "Ciao"
        moment = at + timedelta(seconds=place)
        down.log.add(Entry(f"SMd{place:031x}", inbound=True, number=number, body=body, at=moment))
    pages, silent = down.log.pages, len(down.log.sent())
    stopped = len(down.state("suppressions"))
    started = time.monotonic()
    said = down.reconcile("3d")
    took, pages = time.monotonic() - started, down.log.pages - pages
    print(f"  after days, {_DAYS_OF_TEXTS} texts, {pages} pages, {took:.0f} s:\n{_indented(said)}")
    stopped = len(down.state("suppressions")) - stopped
    answered = len(down.log.sent()) - silent
    print(f"  {stopped} more are suppressed, {answered} were answered", flush=True)
    wrong = stopped != _DAYS_OF_TEXTS // 2 or answered
    return ["days of outage: not all were suppressed in silence"] if wrong else []


def _plain(text: str) -> str:
    return re.sub(rf"\b\d{{6}}\b|{re.escape(CODE_PLACE)}", "#", text)


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())


def main() -> None:
    """Run what was asked for; exit code 1 where something was lost."""
    parser = argparse.ArgumentParser(prog="python -m bench.outage", description=__doc__)
    parser.add_argument("--database", choices=["sqlite", "postgresql"], action="append")
    parser.add_argument("--texts", type=int, default=500)
    parser.add_argument("--pause", type=float, default=300, help="seconds; answers are due for 300")
    asked = parser.parse_args()
    kept = True
    for database in asked.database or ["sqlite", "postgresql"]:
        print(f"{database}:", flush=True)
        with ExitStack() as stack:
            server = "" if database == "sqlite" else stack.enter_context(postgresql())
            up, down = (
                stack.enter_context(world(name, stack.enter_context(_database(server))))
                for name in ("never down", "down")
            )
            kept &= run(up, down, asked.texts, asked.pause)
    print("PASSED" if kept else "FAILED")
    sys.exit(not kept)


def _database(server: str) -> AbstractContextManager[str]:
    return new_database(server) if server else new_file()


if __name__ == "__main__":
    main()
