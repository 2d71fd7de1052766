"""The commands for what the law asks for: erase, prune, renew, tell."""

import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.config import Settings
from app.core import reencrypting, rekeying
from app.core.encryption import Cipher
from app.core.keys import FingerprintKeys
from app.gateway import Gateway
from tests.test_cli import NUMBER, done, environment, failed, run

__all__ = ["environment"]  # the fixture of all commands

ASKED = ("--requested-by", "the person, by letter")
pytestmark = pytest.mark.usefixtures("environment")


def test_erase_prints_its_certificate(settings):
    """The certificate as text or JSON, without the number; it can be shown again by its id."""
    shown = done("subscriber", "erase", NUMBER, *ASKED, "--json").stdout
    certificate = json.loads(shown)

    again = done("privacy", "certificate", certificate["certificate"]).stdout
    assert "by letter" in again
    assert "deleted 0" in again
    assert NUMBER[3:] not in shown + again
    with Gateway(settings) as gateway:
        assert not gateway.check([NUMBER])[0].allowed
    assert "requested-by" in failed("subscriber", "erase", NUMBER, code=2)
    assert "no certificate" in failed("privacy", "certificate", "x")


def test_prune_tells_what_it_does():
    """With nothing past its period it says so, and a dry run does not pretend."""
    assert "Nothing has passed" in done("prune").stdout
    assert "Nothing has passed" in done("prune", "--dry-run").stdout


def test_the_notice_and_the_map_are_printed():
    """In both languages, with the periods that the settings give."""
    assert "730 giorni" in done("privacy", "notice").stdout
    assert "730 days" in done("privacy", "notice", "--language", "en").stdout
    assert "`subscribers`" in done("privacy", "map").stdout


def test_the_list_of_erasures_goes_out_and_in(tmp_path):
    """What one command writes the other reads; a file of something else is refused by line."""
    file = tmp_path / "erasures.txt"
    done("subscriber", "erase", NUMBER, *ASKED)
    done("privacy", "erasures", "export", str(file))

    assert "were erased: 1" in done("privacy", "reapply-erasures", str(file)).stdout
    file.write_text(f"{NUMBER}\n")
    said = failed("privacy", "reapply-erasures", str(file))
    assert "line 1" in said
    assert NUMBER[3:] not in said


def test_exposure_names_who_took_what():
    """An export of the list, by the account on this machine."""
    done("suppress", NUMBER)
    done("suppressions", "export", "-")

    shown = done("privacy", "exposure", "--since", "2020-01-01").stdout
    assert "suppressions export  1 people" in shown
    done("subscriber", "export", NUMBER)
    done("review", "list")
    shown = done("privacy", "exposure", "--since", "2020-01-01").stdout
    assert "dossier  +39•••••••567" in shown
    assert "reviews  0 people" in shown
    assert "Nothing" in done("privacy", "exposure", "--since", "2999-01-01").stdout


def test_a_request_is_noted_listed_and_closed():
    """One that came by letter is in the list with its date until it is closed, without number."""
    assert "Nobody is waiting" in done("privacy", "requests", "list").stdout
    done("privacy", "requests", "add", NUMBER, "--kind", "access", "--asked", "2026-11-01")
    shown = done("privacy", "requests", "list").stdout
    assert "access    2026-11-01" in shown
    assert NUMBER[3:] not in shown
    assert "1  requests for access" in run("privacy", "due").stdout

    done("privacy", "requests", "close", shown.split()[0])
    assert "Nobody is waiting" in done("privacy", "requests", "list").stdout
    assert "no open request" in failed("privacy", "requests", "close", "99")


def test_due_deletions_and_renewals_say_that_all_is_well():
    """With nothing to do each says so and ends well."""
    assert "texts held for review" in done("privacy", "due").stdout
    assert "waiting: 0" in done("privacy", "deletions").stdout
    assert "No consent is near" in done("renewals", "list").stdout
    assert "Asked 0" in done("renewals", "ask").stdout
    assert run("renewals", "ask", "--program", "none").exit_code == 1


# A process that dies as by kill -9 at its n-th statement, in the middle of whatever it does.
DIES = """
import os, signal, sys
import sqlalchemy as sa
from app import cli
left = [int(sys.argv.pop(1))]
def count(*_):
    left[0] -= 1
    if left[0] < 0:
        os.kill(os.getpid(), signal.SIGKILL)
sa.event.listen(sa.engine.Engine, "before_cursor_execute", count)
cli.main()
"""


def killed(statement: int, *arguments: str) -> None:
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    command = [sys.executable, "-c", DIES, str(statement), *arguments]
    ended = subprocess.run(command, env=environ, capture_output=True, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr


def long_ago() -> datetime:
    return datetime(2020, 1, 1, tzinfo=UTC)


def texts(settings) -> list[str | None]:
    with Gateway(settings) as gateway:
        return [each["body"] for each in gateway.services.dossiers.export(NUMBER)["messages_sent"]]


def test_killed_in_the_middle_and_run_again_it_is_whole(settings):
    """Kill -9 in an erasure leaves all as it was, in a prune what is whole; again, all is done."""
    with Gateway(settings, clock=long_ago) as gateway:
        for number in range(3):
            gateway.messages.create(to=NUMBER, body=f"Ciao {number}", purpose="service")
    before = texts(settings)

    killed(14, "subscriber", "erase", NUMBER, *ASKED)
    assert texts(settings) == before
    killed(6, "prune")
    done("subscriber", "erase", NUMBER, *ASKED)
    assert set(texts(settings)) <= {None}
    done("prune")
    assert texts(settings) == []
    assert "Nothing" in done("prune", "--dry-run").stdout


NEW_KEY = "made up for tests: the second key"


def test_the_change_of_the_key_survives_a_kill(settings, monkeypatch):
    """Killed with -9 between and inside its batches and run again, all are under the new key."""
    with Gateway(settings) as gateway:
        for place in range(5):
            gateway.services.privacy.erase(f"+39333123456{place}", "the person", "web")
    monkeypatch.setenv("FINGERPRINT_KEY", NEW_KEY)
    monkeypatch.setenv("FINGERPRINT_KEY_OLD", settings.fingerprint_key)
    keys = FingerprintKeys(NEW_KEY, [settings.fingerprint_key])
    rekeying.begin(settings.database_url, keys, lambda _: None)
    for statement in (6, 12):
        killed(statement, "key", "rotate")

    assert "under the new key" in done("key", "rotate").stdout
    assert "already" in done("key", "rotate").stdout
    with Gateway(Settings.from_env()) as gateway:
        assert not any(each.allowed for each in gateway.check(f"+39333123456{i}" for i in range(5)))


def test_the_key_is_not_changed_without_the_one_before(settings, monkeypatch):
    """With a new key alone nothing is changed, and it says what is missing."""
    monkeypatch.setenv("FINGERPRINT_KEY", NEW_KEY)
    assert "FINGERPRINT_KEY_OLD" in failed("key", "rotate")
    monkeypatch.setenv("FINGERPRINT_KEY_OLD", "short")
    assert "FINGERPRINT_KEY_OLD must have at least 16" in failed("key", "rotate", code=2)


ENCRYPTION_KEY = "made up for tests: encryption"


def test_encryption_survives_a_kill(settings, monkeypatch):
    """Killed with -9 between and inside its batches and run again, all is encrypted, not lost."""
    assert "ENCRYPTION_KEY is missing" in failed("key", "encrypt", code=2)
    with Gateway(settings) as gateway:
        for place in range(3):
            to = f"+39333123456{place}"
            gateway.messages.create(to=to, body=f"Ciao {place}", purpose="service")
    monkeypatch.setenv("ENCRYPTION_KEY", ENCRYPTION_KEY)
    reencrypting.begin(settings.database_url, Cipher(ENCRYPTION_KEY), lambda _: None)
    for statement in (18, 24):
        killed(statement, "key", "encrypt")

    assert "All is encrypted" in done("key", "encrypt").stdout
    none_left = reencrypting.count_lost(settings.database_url, Cipher("another one, to compare"))
    assert (none_left["subscribers"], none_left["outbound_messages"]) == (3, 3)
    with Gateway(Settings.from_env()) as gateway:
        sent = gateway.services.dossiers.export("+393331234561")["messages_sent"]
        assert [each["body"] for each in sent] == ["Ciao 1"]


def test_a_lost_key_is_given_up_only_when_asked(settings, monkeypatch):
    """It first shows what would go; with --yes it goes, and the gateway serves with the new key."""
    monkeypatch.setenv("ENCRYPTION_KEY", ENCRYPTION_KEY)
    assert "nothing is lost" in failed("key", "lost")
    reencrypting.begin(settings.database_url, Cipher(ENCRYPTION_KEY), lambda _: None)
    done("suppress", NUMBER)
    monkeypatch.setenv("ENCRYPTION_KEY", "made up for tests: a new one")
    assert "ENCRYPTION_KEY is not the key" in failed("subscriber", "export", NUMBER)

    assert "subscribers: 1" in done("key", "lost").stdout
    assert "ENCRYPTION_KEY is not the key" in failed("subscriber", "export", NUMBER)
    assert "Emptied" in done("key", "lost", "--yes").stdout
    with Gateway(Settings.from_env()) as gateway:
        assert not gateway.check([NUMBER])[0].allowed
