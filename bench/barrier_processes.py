"""The processes of a barrier run: the provider, one sender for each door, and Celery's workers."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

DELAY = 0.15  # seconds from us to the provider


@contextmanager
def slow_provider(log: Path) -> Iterator[str]:
    """The base URL of a provider that writes into `log` what it accepts."""
    command = [sys.executable, "-m", "bench.slow_provider", str(DELAY), str(log)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ)
    assert process.stdout
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.terminate()
        process.wait()


@contextmanager
def sender(door: str, given: Mapping[str, object]) -> Iterator[None]:
    """Sends by that door until the block ends."""
    command = [sys.executable, "-m", "bench.barrier_senders", door, json.dumps(given)]
    process = subprocess.Popen(command, env=os.environ)
    try:
        yield
    finally:
        process.kill()
        process.wait()


@contextmanager
def worker(given: Mapping[str, str], folder: Path, name: str) -> Iterator[None]:
    """A Celery worker of one process and its sixteen threads, with the chores' beat."""
    command = [sys.executable, "-m", "celery", "--app", "app.worker", "worker", "--beat"]
    command += ["--schedule", str(folder / f"{name}.beat"), "--concurrency", "1"]
    command += ["--hostname", f"{name}@%h", "--loglevel", "WARNING"]
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            command, env={**os.environ, **given}, stdout=log, stderr=log, start_new_session=True
        )
        try:
            yield
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
