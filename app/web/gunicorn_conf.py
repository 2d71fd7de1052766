"""How gunicorn runs the gateway: `optout serve`, or `gunicorn --config app/web/gunicorn_conf.py`.

Gunicorn executes this file before it starts workers; the names are its settings
(https://docs.gunicorn.org/en/stable/settings.html). GUNICORN_CMD_ARGS overrides each of them.
"""

import gc
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

# The Prometheus client decides when it is imported whether the workers are counted together, so
# the folder has to be named before anything else is imported. It is new for every start: what an
# earlier run counted is not ours.
_OUR_METRICS = "optout-metrics-"
if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix=_OUR_METRICS)

from prometheus_client import multiprocess  # noqa: E402 - see above

from app.config import Settings, SettingsError  # noqa: E402 - see above
from app.web import logs  # noqa: E402 - see above
from app.web.chores_process import ChoresProcess  # noqa: E402 - see above

_OBJECTS_BETWEEN_COLLECTIONS = 20_000  # a request makes some thousands, nearly none in circles


def _discard_counts() -> None:
    folder = Path(os.environ["PROMETHEUS_MULTIPROC_DIR"])
    if folder.name.startswith(_OUR_METRICS):
        shutil.rmtree(folder, ignore_errors=True)


try:
    _settings = Settings.from_env()
except SettingsError as error:
    _discard_counts()
    raise SystemExit(str(error)) from error
_simulated = _settings.sms_provider == "simulator"

wsgi_app = "app:create_app()"

# The simulator's telephone asks nobody for a password: it is for this machine alone.
bind = f"{'127.0.0.1' if _simulated else '0.0.0.0'}:{_settings.port}"  # noqa: S104

# A request waits for the database or for the provider most of its time: threads share a processor
# well. As many threads as a process has connections to the database.
worker_class = "gthread"
workers = _settings.web_concurrency
threads = 16

# Each worker makes its own app: connections to a database must not be shared by a fork.
preload_app = False

# A worker that is told to stop takes no new request and finishes those that it has. Hosts wait 30
# seconds before they kill.
graceful_timeout = 25
timeout = 30

# Longer than the 60 seconds after which the usual load balancers drop an idle connection: if we
# dropped it first, a webhook just under way would be lost.
keepalive = 75

# Workers show that they are alive by touching a file, which a slow disk would delay.
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108

# Gunicorn's own remote control, a socket in the home directory: not needed, so not there.
control_socket_disable = True

# The app writes a line for each request, without numbers; gunicorn's would have them.
accesslog = None

# Seconds without a byte after which a half-sent request is given up: it holds a thread.
_PATIENCE_WITH_CLIENTS = 10


# Seconds between two rounds of what has to be done again and again; nobody needs a cron for it.
_CHORES_EVERY = 60


def _start_chores() -> "subprocess.Popen[bytes]":
    """In a process of its own: a fork of this one, or a thread, would share what must not be."""
    command = [sys.executable, "-m", "app.cli", "chores", f"--every={_CHORES_EVERY}"]
    command.append(f"--parent={os.getpid()}")
    environment = {name: each for name, each in os.environ.items() if "PROMETHEUS" not in name}
    return subprocess.Popen(command, env=environment)  # noqa: S603


_chores = ChoresProcess(_start_chores)


def on_starting(server: Any) -> None:
    """Send gunicorn's lines the way of all others: structured, and with numbers masked."""
    logs.configure()
    server.log.error_log.handlers.clear()
    server.log.error_log.propagate = True


def when_ready(server: Any) -> None:
    _chores.keep()
    give_up_on_silent_clients([listener.sock for listener in server.LISTENERS])
    if _simulated:
        print(f"\nThe simulated phone: http://127.0.0.1:{_settings.port}/simulator\n", flush=True)  # noqa: T201


def post_worker_init(_: Any) -> None:
    """What is loaded now stays: not to walk through it at every collection saves CPU."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS, 20, 20)


def child_exit(_: Any, worker: Any) -> None:
    multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def on_exit(server: Any) -> None:
    """Leave nothing behind, unless a newer gunicorn has taken over and counts there."""
    _chores.end()
    if not server.reexec_pid:
        _discard_counts()


def give_up_on_silent_clients(listeners: list[socket.socket]) -> None:
    """Bound every wait for a client's next byte; a connection inherits it from its listener."""
    patience = struct.pack("ll", _PATIENCE_WITH_CLIENTS, 0)
    for listener in listeners:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, patience)
