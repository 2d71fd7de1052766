import os
import runpy
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from app.core.schema import migrate
from tests.databases import BRAND, FINGERPRINT_KEY
from tests.making import ACCOUNT_SID

REPOSITORY = Path(__file__).parents[2]
CONFIGURATION = REPOSITORY / "app/web/gunicorn_conf.py"
BARE = {"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY)}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@contextmanager
def gunicorn(
    folder: Path, *arguments: str, **environ: str
) -> Iterator[tuple[int, subprocess.Popen]]:
    """A gunicorn with our configuration, ready to answer: its port and its process."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "--config", str(CONFIGURATION), *arguments],
        cwd=folder,
        env=BARE
        | {"PORT": str(port), "WEB_CONCURRENCY": "1", "TMPDIR": str(folder)}
        | {"FINGERPRINT_KEY": FINGERPRINT_KEY}
        | environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert any("simulated phone" in line for line in process.stdout), process.stderr.read()
        yield port, process
    finally:
        process.terminate()
        process.communicate()


@pytest.fixture(scope="module")
def port(tmp_path_factory) -> Iterator[int]:
    """The gateway itself, with a database of its own."""
    folder = tmp_path_factory.mktemp("gateway")
    migrate(f"sqlite:///{folder}/instance/optout.db", FINGERPRINT_KEY, BRAND)
    with gunicorn(folder) as (port, _):
        yield port


def answer_to(port: int, raw: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(raw)
        connection.shutdown(socket.SHUT_WR)
        return connection.makefile("rb").read()


HOST = b"Host: localhost\r\nConnection: close\r\n"


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET /\xff\xfe HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET /" + b"a" * 5_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"X-Big: " + b"a" * 9_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"X-Many: a\r\n" * 200 + b"\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"Authorization: Basic \x00\r\n\r\n",
        b"POST /webhooks/twilio/inbound HTTP/1.1\r\n" + HOST + b"X-Twilio-Signature: \xff\r\n\r\n",
        b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: many\r\n\r\n",
        b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 100\r\n\r\ncut off",
        b"GET / HTTP/9.9\r\n" + HOST + b"\r\n",
        b"\x16\x03\x01\x02\x00\r\n\r\n",
    ],
)
def test_a_malformed_request_is_the_clients_fault(port, request_bytes):
    """Whatever comes over the wire is answered with a 4xx, and with nothing of our inside."""
    answer = answer_to(port, request_bytes)
    assert answer.startswith(b"HTTP/1.1 4"), answer
    assert b"Traceback" not in answer
    assert b".py" not in answer


def test_metrics_are_counted_over_the_workers(port):
    """/metrics speaks for the whole gateway: the counts are kept where all workers see them."""
    answer_to(port, b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n")
    metrics = answer_to(port, b"GET /metrics HTTP/1.1\r\n" + HOST + b"\r\n")
    assert b'optout_http_request_seconds_count{route="/healthz",status="200"}' in metrics
    assert b"python_info" not in metrics  # a single process would speak of itself


def test_a_request_in_hand_is_finished_before_the_server_stops(tmp_path):
    """A STOP that arrived is answered although the server was told to end."""
    begun, let_go = tmp_path / "begun", tmp_path / "let-go"
    os.mkfifo(begun)
    os.mkfifo(let_go)
    waiting = {"TEST_BEGUN": str(begun), "TEST_LET_GO": str(let_go)}
    with (
        gunicorn(tmp_path, "tests.web.waiting_app:app", **waiting) as (port, process),
        ThreadPoolExecutor() as pool,
    ):
        answer = pool.submit(answer_to, port, b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")
        begun.read_text()
        process.send_signal(signal.SIGTERM)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=0.5)  # long enough for a server that would not wait to end
        with let_go.open("r+b", buffering=0) as gate:  # opened both ways it never blocks
            gate.write(b".")
            assert b"finished" in answer.result()
        assert process.wait() == 0


def test_nothing_is_left_behind(tmp_path):
    """The folder in which the workers count goes with the server."""
    migrate(f"sqlite:///{tmp_path}/instance/optout.db", FINGERPRINT_KEY, BRAND)
    with gunicorn(tmp_path):
        assert list(tmp_path.glob("optout-metrics-*"))
    assert not list(tmp_path.glob("optout-metrics-*"))


def chores_of(server: subprocess.Popen) -> list[psutil.Process]:
    children = psutil.Process(server.pid).children()
    return [child for child in children if "chores" in child.cmdline()]


def test_chores_that_were_killed_are_started_again(tmp_path):
    """By the server, without anybody's help, and its log says so."""
    with gunicorn(tmp_path) as (_, process):
        [chores] = chores_of(process)
        chores.kill()
        assert any("chores process has ended" in line for line in process.stderr)
        assert any("chores process is started" in line for line in process.stderr)
        [again] = chores_of(process)
        assert again.pid != chores.pid


def test_the_log_tells_where_the_server_listens(tmp_path):
    """The address and the process id are no telephone number, and are not masked as one."""
    with gunicorn(tmp_path) as (port, process):
        line = next(line for line in process.stderr if "Listening at" in line)
        assert f"http://127.0.0.1:{port} ({process.pid})" in line


def test_the_chores_run_beside_the_workers_and_end_with_them(tmp_path):
    """One process does them, without a cron; it ends with the server, also with a killed one."""
    for kill in (False, True):
        with gunicorn(tmp_path) as (_, process):
            [chores] = chores_of(process)
            if kill:
                process.kill()
                assert psutil.wait_procs([chores], timeout=20)[1] == []
        assert not chores.is_running()


def test_wrong_settings_do_not_start(tmp_path):
    """A server whose settings are wrong ends, and says which they are."""
    ended = subprocess.run(
        [sys.executable, "-m", "gunicorn", "--config", str(CONFIGURATION)],
        cwd=tmp_path,
        env=BARE | {"CONSENT": "perhaps", "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode != 0
    assert "CONSENT must be" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not list(tmp_path.glob("optout-metrics-*"))


@pytest.fixture
def configuration(monkeypatch, tmp_path):
    """The configuration's names, read as gunicorn reads them, with an environment of a test's."""

    def read(**environ: str) -> dict[str, Any]:
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
        return runpy.run_path(str(CONFIGURATION))

    return read


def test_a_silent_client_is_given_up(configuration):
    """A half-sent request can't hold a thread for ever: its connection has a time limit."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        configuration()["give_up_on_silent_clients"]([listener])
        with socket.create_connection(listener.getsockname()):
            accepted, _ = listener.accept()
            with accepted:
                kept = accepted.getsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, 16)
    seconds, _ = struct.unpack("ll", kept)
    assert 5 <= seconds <= 15


def test_the_simulator_is_for_this_machine_alone(configuration):
    """A telephone that asks nobody for a password is not offered to the network."""
    assert configuration(PORT="9000")["bind"] == "127.0.0.1:9000"


def test_a_real_provider_reaches_the_gateway(configuration):
    """With a real provider, requests from outside come in, on the port that the host names."""
    account = {"SMS_PROVIDER": "twilio", "TWILIO_ACCOUNT_SID": ACCOUNT_SID}
    secrets = dict.fromkeys(("TWILIO_AUTH_TOKEN", "SECRET_KEY", "FINGERPRINT_KEY"), "made up" * 3)
    assert configuration(PORT="9000", **account, **secrets)["bind"] == "0.0.0.0:9000"
