"""A campaign whose processes are killed again and again, against a provider that fails at random.

    python -m bench.crash postgresql://user:password@host/ [--broker amqp://…]

In the end everybody on the list was taken by the provider exactly once. Needs a PostgreSQL on which
it may make a database; with --broker two Celery workers send, without it two command lines.
"""

import argparse
import json
import os
import random
import secrets
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import make_url

from app.config import Settings
from app.gateway import Gateway

_SENDS_FOR = (0.0, 2.0)  # seconds between the first sign that it sends and the kill
_START_LIMIT = 120.0  # seconds
_PATIENCE = 40 * 60.0  # seconds for all


def main() -> int:
    options = _options()
    environment, drop = _environment(options.server, options.broker)
    os.environ |= environment
    started = time.monotonic()
    try:
        with tempfile.TemporaryDirectory() as folder, _provider() as provider:
            os.environ["TWILIO_API_BASE_URL"] = provider
            _prepare(Path(folder), options.people)
            kills = _kill_again_and_again(options, Path(folder))
            _finish(options, Path(folder), started)
            return _verdict(provider, options.people, kills, time.monotonic() - started)
    finally:
        drop()


def _options() -> Any:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("server")
    parser.add_argument("--broker", default="")
    parser.add_argument("--people", type=int, default=5000)
    parser.add_argument("--kills", type=int, default=24)
    return parser.parse_args()


def _environment(server: str, broker: str) -> tuple[dict[str, str], Any]:
    """The settings of a gateway with a database of its own, and what removes it again."""
    url = make_url(server).set(drivername="postgresql+psycopg")
    name = f"optout_crash_{secrets.token_hex(4)}"
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")

    def drop() -> None:
        with engine.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")

    return {
        "DATABASE_URL": url.set(database=name).render_as_string(hide_password=False),
        "SMS_PROVIDER": "twilio",
        "TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
        "TWILIO_AUTH_TOKEN": "made up for this run",
        "TWILIO_FROM": "+393399957505",
        "SECRET_KEY": secrets.token_hex(16),
        "FINGERPRINT_KEY": secrets.token_hex(16),
        "CONSENT": "assumed",
        "BROKER_URL": broker,
    }, drop


@contextmanager
def _provider() -> Iterator[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.unreliable"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.kill()


def _prepare(folder: Path, people: int) -> None:
    rows = (f"+39333{place:07d},Anna {place}" for place in range(people))
    (folder / "list.csv").write_text("\n".join(["telefono,nome", *rows]))
    (folder / "text.txt").write_text("Ciao {nome}, saldi!")
    _optout("migrate")
    _optout(
        *("campaign", "create", "--to", str(folder / "list.csv"), "--rate", "90"),
        *("--body-file", str(folder / "text.txt")),
    )


def _optout(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "app.cli", *arguments], check=True)


def _sender(options: Any, folder: Path, place: int) -> subprocess.Popen[bytes]:
    """A process group that sends, with its output out of the way."""
    if options.broker:
        command = [
            *(sys.executable, "-m", "celery", "--app", "app.worker", "worker", "--beat"),
            *("--schedule", str(folder / f"beat{place}"), "--concurrency", "2"),
            *("--hostname", f"w{place}-{secrets.token_hex(2)}@%h", "--loglevel", "WARNING"),
        ]
    else:
        command = [sys.executable, "-m", "app.cli", "campaign", "run", "1"]
    with (folder / f"sender{place}.log").open("ab") as log:
        return subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)


def _kill_again_and_again(options: Any, folder: Path) -> int:
    """Two at a time, each killed while the campaign is being sent; it is never left in peace."""
    with _gateway() as gateway:
        gateway.services.campaigns.start(1)
        senders = [_sender(options, folder, place) for place in range(2)]
        for kill in range(options.kills):
            _wait_for_progress(gateway)
            time.sleep(random.uniform(*_SENDS_FOR))
            place = kill % 2
            os.killpg(senders[place].pid, signal.SIGKILL)
            senders[place].wait()
            print(f"kill {kill + 1}: {_standing(gateway)}", flush=True)
            senders[place] = _sender(options, folder, place)
        for sender in senders:
            os.killpg(sender.pid, signal.SIGKILL)
            sender.wait()
    return options.kills + 2


def _wait_for_progress(gateway: Gateway) -> None:
    """A kill of a process that has done nothing yet would show nothing."""
    before, deadline = _standing(gateway), time.monotonic() + _START_LIMIT
    while _standing(gateway) == before:
        if time.monotonic() > deadline:
            raise SystemExit("nothing is sent any more")
        time.sleep(0.1)


def _finish(options: Any, folder: Path, started: float) -> None:
    """Left in peace: it is sent to the end, and what is unknown is looked up."""
    sender = None
    with _gateway() as gateway:
        while time.monotonic() - started < _PATIENCE:
            shown = gateway.services.campaigns.show(1)
            print(f"{time.monotonic() - started:4.0f} s  {_standing(gateway)}", flush=True)
            if shown.status == "finished" and not shown.counts["unknown"]:
                break
            if sender is None or sender.poll() is not None:
                sender = _sender(options, folder, 0)
            gateway.services.unknowns.settle()
            gateway.services.campaigns.settle_all()
            time.sleep(15)
    if sender:
        os.killpg(sender.pid, signal.SIGKILL) if sender.poll() is None else None
        sender.wait()


@contextmanager
def _gateway() -> Iterator[Gateway]:
    with Gateway(Settings.from_env()) as gateway:
        yield gateway


def _standing(gateway: Gateway) -> str:
    shown = gateway.services.campaigns.show(1)
    counts = ", ".join(f"{count} {name}" for name, count in shown.counts.items() if count)
    return f"{shown.status}: {counts}"


def _verdict(provider: str, people: int, kills: int, took: float) -> int:
    with urllib.request.urlopen(f"{provider}/taken") as answer:
        log = json.load(answer)
    taken = Counter(log["taken"].values())
    with _gateway() as gateway:
        print(f"\n{people} recipients, {kills} kills with -9, {took:.0f} s")
        print(f"the provider's faults: {log['happened']}")
        print(f"the campaign: {_standing(gateway)}")
        counts = gateway.services.campaigns.show(1).counts
    twice = sum(count for times, count in taken.items() if times > 1)
    missing = people - sum(taken.values())
    print(f"taken by the provider once: {taken[1]}, more than once: {twice}, never: {missing}")
    agreed = counts["sent"] == taken[1] and not counts["unknown"]
    print("PASSED" if not twice and not missing and agreed else "FAILED")
    return int(bool(twice or missing or not agreed))


if __name__ == "__main__":
    sys.exit(main())
