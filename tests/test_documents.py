"""Documents for people: whole, in their language, and loading nothing."""

import copy
import csv
import html
import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import app.documents
from app.cli import main
from app.documents import LANGUAGES, render_dossier, table_of, verifier
from app.documents.dossier import _words
from app.gateway import Gateway
from tests.core.test_optin import NUMBER, Clock, Handset, ask, sent_code
from tests.making import text


@pytest.fixture
def dossier(settings):
    clock = Clock()
    settings = settings.model_copy(update={"consent": "required"})
    with Gateway(settings, clock=clock) as gateway:
        join = {"door": "web", "source": "https://shop.example/join", "address": "203.0.113.7"}
        ask(gateway, **join, user_agent="<script>alert(1)</script>")
        handset = Handset(gateway)
        handset.text(sent_code(gateway))
        handset.text("STOP")
        clock.advance(minutes=5)
        gateway.services.ledger.seal()
        return gateway.services.dossiers.export(NUMBER)


def test_the_document_holds_the_proof(dossier):
    """Text, door, times, message ids, browser, withdrawal, the chain's digest: all to be read."""
    for language in LANGUAGES:
        page = html.unescape(render_dossier(dossier, language))
        assert f'lang="{language}"' in page
        for shown in _proof(dossier, language):
            assert shown in page, shown


def _proof(dossier, language):
    [request] = dossier["requests"]
    return (
        NUMBER,
        request["text"],
        request["code_message_id"],
        request["confirmed_by"],
        "https://shop.example/join",
        "203.0.113.7",
        "01/01/2026 13:00:00.000 +01:00 (12:00:00.000 UTC)"
        if language == "it"
        else "2026-01-01 13:00:00.000 +01:00 (12:00:00.000 UTC)",
        _words(language)["proves_text"]["sms"],
        _words(language)["controller_missing"],
        _words(language)["no_notice"],
        "STOP",
        dossier["seals"][-1]["digest"],
        _words(language)["states"]["withdrawn"],
        _words(language)["verified"].format(5, 0),
    )


def test_the_document_loads_and_runs_nothing(dossier):
    """No script, no address that a browser would fetch; a stranger's words stay words."""
    page = render_dossier(dossier, "fr")

    assert 'lang="en"' in page
    assert not re.search(r"<(script|link|img|iframe|a)\b|url\(|@import|src=", page)
    assert "&lt;script&gt;" in page


def test_the_document_says_nothing_raw(dossier):
    """No JSON, and no name of a column or a program's slug, stands in front of the reader."""
    page = html.unescape(render_dossier(dossier, "it")).partition("<h3>verify_dossier.py")[0]

    assert not re.search(
        r"[{}]|text_sha256|confirmed_by|wrong_codes|\bdefault\b",
        re.sub(r"https?://\S+", "", page.split("</style>")[1]),
    )


def test_anybody_can_verify_it_with_python_alone(dossier, tmp_path):
    """The program that the document prints needs nothing installed, and finds what was changed."""
    file = tmp_path / "dossier.json"
    script = Path(app.documents.__file__).parent / "verify_dossier.py"

    def verified(content):
        file.write_text(json.dumps(content), "utf-8")
        command = [sys.executable, "-I", "-S", str(script), str(file)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    whole = verified(dossier)
    assert (whole.returncode, dossier["seals"][-1]["digest"] in whole.stdout) == (0, True)
    assert whole.stdout.endswith(f"all {len(dossier['ledger'])} entries verified\n")
    for name, change in _CHANGES.items():
        forged = copy.deepcopy(dossier)
        change(forged)
        found = verified(forged)
        assert (found.returncode, "FAULT: " in found.stdout) == (1, True), name


def _unproven(dossier):
    dossier["ledger"][0]["proof"] = None


_CHANGES = {
    "door": lambda d: d["ledger"][0].update(door="sms"),
    "order": lambda d: d["ledger"].reverse(),
    "no proof": _unproven,
    "consent text": lambda d: d["requests"][0].update(text="forged"),
    "prompt": lambda d: d["requests"][0].update(prompt="forged"),
    "record's text": lambda d: d["consent_records"][0]["processing"].update(consent_text="forged"),
    "time": lambda d: d["consent_records"][0]["events"][3].update(event_time="2020-01-01"),
    "state": lambda d: d["consent_records"][0]["events"][4].update(event_state="given"),
    "withdrawal": lambda d: d["consent_records"][0]["events"].pop(4),
    "seal": lambda d: d["seals"][0].update(root="00" * 32),
    "no seal": lambda d: d["seals"].clear(),
}


def test_the_program_that_verifies_is_given_as_a_file(tmp_path):
    """A PDF loses the indentation that Python needs."""
    file = tmp_path / "verify.py"

    done = CliRunner().invoke(main, ["dossier", "script", str(file)])

    assert done.exit_code == 0, done.output
    assert file.read_text("utf-8") == verifier()


def test_a_trial_says_so(dossier):
    """What a simulator says proves nothing: that stands at the top."""
    banner = _words("it")["test_data"]

    assert banner in render_dossier(dossier, "it")
    assert banner not in render_dossier({**dossier, "test_data": False}, "it")


def test_a_forged_dossier_says_so(dossier):
    """The document is no better than what it was made from."""
    dossier["requests"][0]["door"] = "sms"

    assert _words("en")["does_not_verify"] in render_dossier(dossier, "en")


def test_both_languages_have_the_same_words():
    """No word is missing in one of them."""

    def names(table):
        return {(name, *names(value)) if isinstance(value, dict) else name
                for name, value in table.items()}  # fmt: skip

    assert names(_words("it")) == names(_words("en"))


def test_the_table_holds_every_value(dossier):
    """A row for each: nothing that the JSON tells is missing, and the texts are word by word."""
    rows = list(csv.DictReader(io.StringIO(table_of(dossier))))

    assert {row["part"] for row in rows} == {part for part, held in dossier.items() if held != []}
    texts = [row for row in rows if (row["part"], row["what"]) == ("messages_received", "body")]
    assert [row["value"] for row in texts] == [m["body"] for m in dossier["messages_received"]]
    assert [row["record"] for row in texts] == ["1", "2"]
    assert all(row["when"] for row in texts)


def test_no_value_of_the_table_is_a_formula():
    """What somebody texted runs in no spreadsheet."""
    bodies = ["=1+1", "+39333", "-2", "@SUM(A1)", "\t=1", "\r=1"]
    table = table_of({"messages_received": [{"body": body} for body in bodies]})

    values = [row["value"] for row in csv.DictReader(io.StringIO(table, newline=""))]
    assert values == [f"'{body}" for body in bodies]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_consent_whose_request_is_no_longer_kept_can_be_read(settings, language):
    """Of an earlier consent the ledger alone is left: the document still tells it."""
    clock = Clock()
    settings = settings.model_copy(update={"consent": "required"})
    with Gateway(settings, clock=clock) as gateway:
        for _ in range(2):
            ask(gateway, door="web")
            gateway.services.inbox.receive(text(sent_code(gateway), NUMBER, f"SM{clock()}"))
            clock.advance(days=3)
        gateway.services.retention.prune()
        dossier = gateway.services.dossiers.export(NUMBER)

    assert (len(dossier["requests"]), len(dossier["consent_records"])) == (1, 2)
    assert render_dossier(dossier, language)
