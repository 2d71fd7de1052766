"""The commands around consent: programs, the ledger, dossiers, consents from elsewhere."""

import hashlib
import json
from datetime import datetime
from pathlib import Path

import pytest

from app.config import Settings
from app.gateway import Gateway
from tests.core.test_optin import NUMBER, Clock, Handset, code_in
from tests.test_cli import done, failed, run

CONSENTS = f"""number,date,source,text,confirmed_at
{NUMBER},2026-01-10,shop,I agree to SMS,2026-01-10 10:00
+393337654321,2026-01-10,shop,I agree to SMS,
+393330000000,,shop,I agree to SMS,
"""


@pytest.fixture(autouse=True)
def _environment(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("database_url", "fingerprint_key", "secret_key"):
        monkeypatch.setenv(name.upper(), getattr(settings, name))


@pytest.fixture
def joined(settings: Settings) -> None:
    """Somebody joined by text, long enough ago to be sealed."""
    settings = settings.model_copy(update={"consent": "required"})
    with Gateway(settings, clock=Clock()) as gateway:
        handset = Handset(gateway)
        handset.text(code_in(handset.text("START")))


def test_a_program_is_made_shown_listed_and_changed():
    """All its choices; what is left out stays, what is unset goes back to the settings'."""
    choices = ["--brand", "Da Gino", "--join-word", "Menù", "--join-word", "pizza"]
    shown = done("program", "add", "menu", *choices, "--retention-days", "90").stdout
    assert "Da Gino" in shown
    assert "menu, pizza" in shown
    assert "90 days" in shown
    Path("text.txt").write_text("I agree to get the menu by SMS.\n")

    done("program", "edit", "menu", "--text-file", "text.txt", "--no-double-opt-in")
    edited = done("program", "edit", "menu", "--unset", "brand", "--stop-word", "menu").stdout

    assert "Da Gino" not in edited
    assert "I agree to get the menu by SMS." in edited
    assert "double opt-in   no" in edited
    assert "menu, pizza" in edited
    assert done("program", "show", "menu").stdout == edited
    assert [line.split()[0] for line in done("program", "list").stdout.splitlines()] == [
        "default",
        "menu",
    ]


def test_what_cant_be_a_program_is_said():
    """Without a traceback, and nothing is made."""
    assert "begins with" in failed("program", "add", "No Slug")
    assert "no such program" in failed("program", "show", "none")
    assert "colour" in failed("program", "edit", "default", "--unset", "colour")
    failed("program", "edit", "default", "--text", "a", "--text-file", __file__, code=2)


def test_the_ledger_is_sealed_and_verified(joined: None):
    """It prints counts and the head; a head that it does not know is a fault, exit code 1."""
    assert "3 entries sealed" in done("ledger", "seal").stdout
    verified = done("ledger", "verify").stdout
    assert "3 entries verified under 1 seals" in verified
    head = verified.split("head  ")[1].strip()

    done("ledger", "verify", "--head", head)
    result = run("ledger", "verify", "--head", "00" * 32)

    assert result.exit_code == 1
    assert "FAULT: no seal has the expected head" in result.stdout


def test_the_head_is_one_line_to_keep_elsewhere(joined: None):
    """Time, seal, digest: the digest is the head that `verify` knows."""
    assert "nothing is sealed" in failed("ledger", "head")
    done("ledger", "seal")

    at, _, number, digest = done("ledger", "head").stdout.split()

    assert (datetime.fromisoformat(at).tzinfo, number) != (None, "")
    done("ledger", "verify", "--head", digest)


def test_a_dossier_names_the_file_it_was_made_from(joined: None):
    """Made together, the document has the JSON's SHA-256."""
    done("subscriber", "export", NUMBER, "--json", "d.json", "--html", "d.html")

    digest = hashlib.sha256(Path("d.json").read_bytes()).hexdigest()
    assert digest in Path("d.html").read_text("utf-8")


def test_a_dossier_is_exported_and_verified_elsewhere(
    joined: None, monkeypatch: pytest.MonkeyPatch
):
    """JSON and HTML files; the JSON verifies without settings and database, a forged one fails."""
    done("subscriber", "export", NUMBER, "--json", "d.json", "--html", "d.html")
    monkeypatch.setenv("DATABASE_URL", "none")
    assert "3 entries proven" in done("dossier", "verify", "d.json").stdout
    page = Path("d.html").read_text()
    assert 'lang="it"' in page
    assert NUMBER in page

    dossier = json.loads(Path("d.json").read_text())
    dossier["requests"][0]["text"] = "forged"
    Path("forged.json").write_text(json.dumps(dossier))
    forged = run("dossier", "verify", "forged.json")
    assert forged.exit_code == 1
    assert "the text that was shown is not what the ledger says" in forged.stdout
    assert "not JSON" in failed("dossier", "verify", "-", given="hello")
    assert run("dossier", "verify", "-", given="[1]").exit_code == 1


def test_a_dossier_is_exported_as_a_table(joined: None):
    """With --csv there is a file that a spreadsheet opens, and nothing on standard output."""
    assert done("subscriber", "export", NUMBER, "--csv", "d.csv").stdout == ""

    head, *rows = Path("d.csv").read_text("utf-8-sig").splitlines()
    assert head == "part,record,when,what,value"
    assert any(row.startswith("requests,1,") for row in rows)


def test_an_export_without_files_is_json_on_standard_output():
    """Of a number never seen as well; the number may be spelled in any way."""
    result = done("subscriber", "export", "333", "123", "4567")

    assert json.loads(result.stdout)["number"] == NUMBER
    assert "Nothing was ever held" in result.stderr
    assert NUMBER not in failed("subscriber", "export", NUMBER + "99999")


def test_consents_are_imported_after_a_dry_run(settings: Settings):
    """First it only says; with --apply it is done, once; refused lines stand beside the file."""
    Path("old.csv").write_text(CONSENTS)
    tried = run("consents", "import", "old.csv")
    assert tried.exit_code == 1
    assert "2 consents would be imported" in tried.stderr
    assert "Nothing was changed" in tried.stderr
    assert Path("old.report.csv").read_text() == (
        "line,reason\n4,no date: nothing proves this consent\n"
    )

    assert "2 consents imported" in run("consents", "import", "old.csv", "--apply").stderr
    again = run("consents", "import", "old.csv", "--apply").stderr

    assert "0 consents imported" in again
    assert "2 there already" in again
    with Gateway(settings.model_copy(update={"consent": "required"})) as gateway:
        assert gateway.check([NUMBER])[0].allowed
    assert "330000000" not in again


def test_an_old_list_is_graded(settings: Settings):
    """A summary, and every row behind its grade, reason and law in a file beside."""
    Path("old.csv").write_text(CONSENTS)

    said = done("consents", "audit", "old.csv").stderr

    assert "1 keep" in said
    assert "1 renew while there is time" in said
    assert "1 delete" in said
    lines = Path("old.audit.csv").read_text().splitlines()
    assert len(lines) == 4
    assert "330/2025" in lines[2]
    assert "3 rows" not in failed("consents", "audit", "old.csv", "--program", "none")
