"""`optout campaign …`: what it prints, what it leaves behind, how it fails."""

import json
import re
from pathlib import Path

import pytest

from app.cli import campaign_runs
from app.config import Settings
from app.core.campaigns import Campaigns
from app.gateway import Gateway
from tests.test_cli import done, environment, failed, run

__all__ = ["environment"]

PEOPLE = "nome;telefono\nAnna;333 1234567\nAnna;+393331234567\nBruno;+393337654321\nCarla;12\n"


@pytest.fixture
def listed(environment, monkeypatch) -> None:
    """A list and a text, of a program with a sender."""
    monkeypatch.setenv("TWILIO_FROM", "+393399957505")
    Path("people.csv").write_text(PEOPLE)
    Path("text.txt").write_text("Ciao {nome}, saldi!\n")


def create(*more: str):
    return done(
        *("campaign", "create", "--to", "people.csv", "--body-file", "text.txt", "--rate", "0"),
        *more,
    )


def created() -> str:
    """The id of a new campaign of two."""
    return re.match(r"Campaign (\d+):", create().stdout)[1]


def test_a_plan_says_what_it_would_come_to(listed):
    """Recipients, duplicates, unreadable lines with their report, segments, cost; no number."""
    result = create("--cost-per-segment", "0.5")
    said = result.stdout
    for part in ("2 recipients", "1 duplicates, 1 unreadable", "2 segments", "cost 1.00"):
        assert part in said
    assert "333" not in said
    assert Path("people.report.csv").read_text().startswith("line,reason\n5,")


def test_a_place_without_column_is_refused(listed):
    """Before anything is kept, and with what to do."""
    Path("text.txt").write_text("Ciao {cognome}")
    said = failed("campaign", "create", "--to", "people.csv", "--body-file", "text.txt")
    assert "{cognome}" in said
    assert done("campaign", "list").stdout == ""


def test_a_text_that_is_not_utf8_is_refused(listed):
    """With what to do, and no traceback; nothing is kept."""
    Path("text.txt").write_bytes("Perché no?".encode("latin-1"))
    said = failed("campaign", "create", "--to", "people.csv", "--body-file", "text.txt")
    assert "text.txt is not UTF-8" in said
    assert done("campaign", "list").stdout == ""


@pytest.mark.parametrize("cost", ["-0.5", "nan", "inf"])
def test_a_cost_that_is_none_is_refused(listed, cost):
    """What would make the estimate nonsense is said before the list is read."""
    said = failed(
        *("campaign", "create", "--to", "people.csv", "--body-file", "text.txt"),
        *("--cost-per-segment", cost),
    )
    assert "a segment costs from 0" in said


def test_a_campaign_is_sent_shown_and_reported(listed):
    """Run, status, list, and the report in its three forms."""
    campaign_id = created()
    assert "2 sent" in done("campaign", "run", campaign_id).stdout
    assert "finished" in done("campaign", "status", campaign_id).stdout
    assert (
        json.loads(done("campaign", "status", campaign_id, "--json").stdout)["counts"]["sent"] == 2
    )
    assert done("campaign", "list").stdout.split() == [campaign_id, "finished", "2/2", "people.csv"]
    report = json.loads(done("campaign", "report", campaign_id).stdout)
    assert report["standing"]["counts"]["sent"] == 2
    done("campaign", "report", campaign_id, "--format", "html", "--out", "report.html")
    assert "<svg" in Path("report.html").read_text()
    lines = done("campaign", "report", campaign_id, "--format", "csv").stdout.splitlines()
    assert [line.split(",")[:3] for line in lines[1:]] == [
        ["1", "+393331234567", "sent"],
        ["2", "+393337654321", "sent"],
    ]


def test_a_paused_campaign_is_only_resumed(listed):
    """Run refuses with the reason, resume goes on."""
    campaign_id = created()
    with Gateway(Settings.from_env()) as gateway:
        gateway.services.campaigns.start(int(campaign_id))
    done("campaign", "pause", campaign_id, "--reason", "wrong price")
    assert "wrong price" in failed("campaign", "run", campaign_id)
    assert "2 sent" in done("campaign", "resume", campaign_id).stdout
    assert "no such campaign" in failed("campaign", "run", "99999")


def test_ctrl_c_stops_cleanly(listed, monkeypatch):
    """Exit code 130, the campaign paused, and how to go on."""
    campaign_id = created()

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(campaign_runs, "wait", interrupted)
    monkeypatch.setattr(Campaigns, "work", lambda *_: True)
    result = run("campaign", "run", campaign_id)
    assert result.exit_code == 130
    assert f"optout campaign resume {campaign_id}" in result.stderr
    assert "paused" in done("campaign", "status", campaign_id).stdout
