"""An outage, from the telephone to the end: texts whose webhooks were lost, found and acted on."""

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient

from app import create_app
from app.cli import main
from app.core.policy import utc_now
from tests.making import made_settings

ROOT = str(Path(__file__).parents[2])
NUMBERS = [f"+39333123{i}" for i in range(4000, 4010)]


@pytest.fixture
def client(database_url):
    application = create_app(made_settings(database_url=database_url))
    yield application.test_client()
    application.extensions["gateway"].close()


def lose(client: FlaskClient, number: str) -> None:
    given = {"number": number, "body": "STOP", "lost": True}
    assert client.post("/simulator/text", json=given).status_code == 204


def test_after_an_outage_nobody_who_said_stop_is_reached(client):
    """Ten webhooks lost: until then the gateway knows nothing; then all are suppressed."""
    for number in NUMBERS:
        lose(client, number)
    gateway = client.application.extensions["gateway"]
    assert len(list(gateway.allowed(NUMBERS))) == len(NUMBERS)

    later = lambda: utc_now() + timedelta(minutes=3)  # noqa: E731
    gateway.services.reconciler._clock = later
    done = gateway.services.reconciler.run(utc_now() - timedelta(hours=1))

    assert done.missed == len(NUMBERS)
    assert list(gateway.allowed(NUMBERS)) == []


def test_readyz_and_metrics_tell_until_when_texts_are_known(client):
    """A note that there is none, then the watermark and its age; ready all the same."""
    assert b"never compared" in client.get("/readyz").data
    assert b"optout_watermark_age_seconds" not in client.get("/metrics").data
    gateway = client.application.extensions["gateway"]
    gateway.services.reconciler.run(utc_now() - timedelta(minutes=5))
    ready = client.get("/readyz")
    assert (ready.status_code, b"complete until" in ready.data) == (200, True)
    [line] = [
        line
        for line in client.get("/metrics").text.splitlines()
        if line.startswith("optout_watermark_age_seconds")
    ]
    assert 60 <= float(line.split()[1]) < 120


def test_the_age_of_the_watermark_is_told_once(tmp_path):
    """However many processes are counted together: what each once read is not shown again."""
    ask = "from app.web.metrics import exposition as e; e(1.0); print(e(2.0).decode())"
    shown = subprocess.run(
        [sys.executable, "-c", ask],
        env=os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path), "PYTHONPATH": ROOT},
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    lines = [line for line in shown.splitlines() if line.startswith("optout_watermark")]
    assert lines == ["optout_watermark_age_seconds 2.0"]


def test_the_commands(client, database_url, monkeypatch):
    """`reconcile`, `messages` and `chores` say what they did, and show no number."""
    given = made_settings(database_url=database_url)
    monkeypatch.setattr("app.cli.common.Settings.from_env", lambda: given)
    lose(client, NUMBERS[0])
    for command, said in {
        "reconcile --since 90m": "texts in the provider's log",
        "messages unknown": "There are none.",
        "messages settle": "0 never arrived there",
        "chores": "",
    }.items():
        done = CliRunner().invoke(main, command.split(), prog_name="optout")
        assert (done.exit_code, said in done.output) == (0, True), done.output
        assert NUMBERS[0] not in done.output
    wrong = CliRunner().invoke(main, ["reconcile", "--since", "soon"], prog_name="optout")
    assert (wrong.exit_code, "90m, 24h, 7d" in wrong.output) == (2, True)
