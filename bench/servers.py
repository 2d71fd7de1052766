"""Gunicorn, started as the product starts it: the same for every application that is compared."""

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

_ROOT = Path(__file__).parent.parent
OUR_CONFIG = str(_ROOT / "app/web/gunicorn_conf.py")
NO_CONFIG = "/dev/null"  # gunicorn's defaults
_START_LIMIT = 300.0  # seconds


@dataclass(frozen=True, slots=True)
class Server:
    """A running gunicorn. `started_in`: seconds until the first answer."""

    port: int
    master: psutil.Process
    started_in: float

    def cpu_seconds(self) -> float:
        """What the workers have used up to now."""
        return sum(sum(worker.cpu_times()[:2]) for worker in self._workers())

    def memory(self) -> float:
        """Bytes that the master and its workers hold together; what they share counts once."""
        return float(sum(each.memory_full_info().pss for each in (self.master, *self._workers())))

    def _workers(self) -> list[psutil.Process]:
        """Without the process that does the chores."""
        return [each for each in self.master.children() if "chores" not in each.cmdline()]


@contextmanager
def gunicorn(
    application: str, environment: Mapping[str, str], workers: int, config: str = OUR_CONFIG
) -> Iterator[Server]:
    """Serve `module:factory()`, by default with the product's own settings of gunicorn."""
    port = _free_port()
    command = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}"]
    command += ["--config", config, "--workers", str(workers)]
    path = {"PYTHONPATH": str(_ROOT)}
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "log").open("wb") as log:
        started = time.perf_counter()
        process = subprocess.Popen(
            [*command, application],
            env={**os.environ, **environment, **path},
            cwd=folder,  # no `.env` of a developer counts
            stdout=log,
            stderr=log,
        )
        try:
            _wait_until_answered(port, process, Path(log.name))
            took = time.perf_counter() - started
            yield Server(port, psutil.Process(process.pid), took)
        finally:
            process.terminate()
            process.wait()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _wait_until_answered(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_LIMIT
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5):
                return
        except OSError:
            time.sleep(0.005)
    raise SystemExit(f"a server did not start:\n{log.read_text()}")
