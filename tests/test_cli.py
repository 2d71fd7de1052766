"""The command line: what it prints, what it leaves behind, how it fails."""

import json
import os
import select
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from app import cli
from app.cli import common
from app.config import Settings
from app.core.models import LedgerEntry, ReviewHold
from app.core.provider import InboundMessage
from app.gateway import Gateway
from tests.fakes import LONG

ROOT = Path(__file__).parent.parent
NUMBER = "+393331234567"


@pytest.fixture
def environment(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands find the test's database through the environment."""
    for name in ("database_url", "fingerprint_key", "secret_key", "consent"):
        monkeypatch.setenv(name.upper(), getattr(settings, name))


def run(*arguments: str, given: str | bytes | None = None) -> Result:
    return CliRunner().invoke(cli.main, arguments, given)


def done(*arguments: str, given: str | bytes | None = None) -> Result:
    """Run a command that must succeed."""
    result = run(*arguments, given=given)
    assert result.exit_code == 0, result.output
    return result


def failed(*arguments: str, code: int = 1, given: str | bytes | None = None) -> str:
    """Run a command that must fail without a traceback; what it says."""
    result = run(*arguments, given=given)
    assert isinstance(result.exception, SystemExit)
    assert result.exit_code == code, result.output
    return result.stderr


def text_in(settings: Settings, body: str) -> None:
    with Gateway(settings) as gateway:
        gateway.services.inbox.receive(
            InboundMessage("twilio", "SM1", NUMBER, "+393399957505", body)
        )


def allows(settings: Settings, number: str = NUMBER) -> bool:
    with Gateway(settings) as gateway:
        return gateway.check([number])[0].allowed


# Settings and database


def test_wrong_settings_are_all_named_at_once(monkeypatch: pytest.MonkeyPatch):
    """With exit code 2, so that a service manager does not try again."""
    for name, value in {"SMS_PROVIDER": "twilio", "PORT": "x", "DEFAULT_REGION": "ZZ"}.items():
        monkeypatch.setenv(name, value)
    for command in (["serve"], ["migrate"], ["suppressions", "export", "-"]):
        said = failed(*command, code=2)
        for name in ("PORT", "DEFAULT_REGION", "SECRET_KEY", "TWILIO_AUTH_TOKEN"):
            assert name in said


def test_migrate_prepares_an_empty_database(databases, monkeypatch: pytest.MonkeyPatch):
    """After it, and not before, the other commands work; twice is as good as once."""
    monkeypatch.setenv("DATABASE_URL", databases.empty())
    assert "optout migrate" in failed("suppress", NUMBER)
    done("migrate")
    done("migrate")
    done("suppress", NUMBER)


def test_an_absent_database_is_an_error_in_plain_words(monkeypatch: pytest.MonkeyPatch):
    """Whatever command meets it."""
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody:secret@127.0.0.1:1/none")
    for command in (["migrate"], ["suppress", NUMBER], ["review", "list"], ["api-key", "list"]):
        said = failed(*command)
        assert "database can't be reached" in said
        assert "secret" not in said


def test_serve_becomes_gunicorn_and_says_where_things_are(tmp_path: Path):
    """The documentation, and where the made-up account is kept, which is not shown."""
    # In place of the server: Python looks in the working directory first.
    (tmp_path / "gunicorn.py").write_text("import sys; print(sys.argv[1:])")
    served = subprocess.run(
        [sys.executable, "-m", "app.cli", "serve"],
        env={**os.environ, "PORT": "8123", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "http://127.0.0.1:8123/docs" in served.stdout
    assert "instance/simulator.env" in served.stdout
    assert "web/gunicorn_conf.py" in served.stdout.splitlines()[-1]
    token = Path("instance/simulator.env").read_text().split("TWILIO_AUTH_TOKEN=")[1].strip()
    assert token not in served.stdout


# Keys


def test_a_key_is_shown_once_and_works_until_revoked(settings: Settings, environment):
    """Its secret opens the door, no list shows it, and after revoke it opens nothing."""
    printed = done("api-key", "create", "shop", "--purpose", "service").output
    secret = printed.split("secret  ")[1].split()[0]
    with Gateway(settings) as gateway:
        caller = gateway.services.api_keys.recognise(secret)
    assert (caller.name, caller.scope.purpose) == ("shop", "service")

    listed = done("api-key", "list").output
    assert "shop" in listed
    assert f"last used {datetime.now(UTC):%Y-%m-}" in listed
    assert secret not in listed

    done("api-key", "revoke", "shop")
    assert "revoked" in done("api-key", "list").output
    with Gateway(settings) as gateway:
        assert gateway.services.api_keys.recognise(secret) is None
    assert "no key in force" in failed("api-key", "revoke", "shop")


def test_a_name_is_given_once_and_a_program_must_exist(environment):
    """Both are errors that say so."""
    done("api-key", "create", "shop")
    assert "already" in failed("api-key", "create", "shop")
    assert "no such program" in failed("api-key", "create", "other", "--program", "none")
    assert "marketing" in failed("api-key", "create", "other", "--purpose", "fun", code=2)


# The suppression list


def test_suppress_silences_a_number_in_any_spelling(settings: Settings, environment):
    """With who did it and what was said in the ledger."""
    assert "Suppressed" in done("suppress", "333", "123", "4567", "--note", "by phone").output
    assert "already" in done("suppress", "0039 333 1234567").output

    assert not allows(settings)
    with Gateway(settings) as gateway, gateway.services.database.read() as connection:
        entry = connection.execute(sa.select(LedgerEntry)).one()
    assert (entry.door, entry.text) == (common.DOOR, "by phone")
    assert entry.evidence["by"] == common.operator()


@pytest.mark.parametrize("number", ["12", "+39 333 123 4567 8901", "333 1234567 and more"])
def test_a_wrong_number_is_not_repeated_in_the_error(number: str, environment):
    """Errors end up in logs and tickets."""
    said = failed("suppress", number)
    assert "not a valid telephone number" in said
    assert number not in said


def test_export_and_import_are_each_others_reverse(settings: Settings, environment):
    """The list that was written and read back is the same, and readable by its owner alone."""
    done("suppress", NUMBER, "--reason", "complaint")
    done("suppressions", "export", "list.csv")
    again = done("suppressions", "import", "list.csv")
    done("suppressions", "export", "again.csv")

    assert "0 added, 1 there already, 0 unreadable" in again.stderr
    assert Path("list.csv").read_bytes() == Path("again.csv").read_bytes()
    assert f"{NUMBER},*,complaint," in Path("list.csv").read_text()
    assert Path("list.csv").stat().st_mode & 0o077 == 0
    assert sorted(path.name for path in Path().glob("*.csv")) == ["again.csv", "list.csv"]


def test_standard_input_and_output_are_files_too(environment):
    """`-` in place of a name."""
    done("suppressions", "import", "-", given=f"{NUMBER}\n")
    assert NUMBER in done("suppressions", "export", "-").stdout


def test_unreadable_lines_are_reported_beside_the_file(settings: Settings, environment):
    """By line and reason, never by number; all others are imported; the exit code says it."""
    Path("spring.csv").write_text(f"telefono;nome\n333123;Rossi\n{NUMBER};Verdi\n")
    said = failed("suppressions", "import", "spring.csv")

    assert "taken from: telefono" in said
    assert "1 added, 0 there already, 1 unreadable" in said
    assert "spring.report.csv" in said
    report = Path("spring.report.csv").read_text()
    assert report.splitlines()[1].startswith("2,")
    assert "333123" not in report + said
    assert not allows(settings)


def test_an_earlier_report_does_not_outlive_the_fault(environment):
    """A file that is read whole has no report."""
    Path("a.csv").write_text("telefono\n12\n")
    failed("suppressions", "import", "a.csv", "--report", "faults.csv")
    Path("a.csv").write_text(f"telefono\n{NUMBER}\n")
    done("suppressions", "import", "a.csv", "--report", "faults.csv")

    assert not Path("faults.csv").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["import", "absent.csv"],
        ["import", "."],
        ["import", "a.csv", "--program", "none"],
        ["import", "a.csv", "--column", "fax"],
        ["import", "a.csv", "--report", "absent/report.csv"],
        ["export", "absent/list.csv"],
        ["export", "."],
    ],
)
def test_files_and_options_that_cannot_be_used_are_named(arguments: list[str], environment):
    """An error of one line; nothing is imported."""
    Path("a.csv").write_text(f"telefono\n{NUMBER}\n")
    assert "Error: " in failed("suppressions", *arguments)
    assert NUMBER not in done("suppressions", "export", "-").stdout


# Filter


def test_filter_parts_a_file_in_two(environment):
    """What may be sent to is as it was, in its own encoding; the rest has its reasons."""
    done("suppress", NUMBER)
    rows = ["Città;Telefono\r\n", f"Forlì;{NUMBER}\r\n", "Bari;+39 347 7654321\r\n", "Asti;1\r\n"]
    Path("in.csv").write_bytes("".join(rows).encode("latin-1"))
    said = done("filter", "in.csv", "out.csv").stderr

    assert Path("out.csv").read_bytes() == (rows[0] + rows[2]).encode("latin-1")
    refused = Path("out.refused.csv").read_bytes().decode("latin-1")
    assert refused.splitlines()[1:] == [f"2;suppressed;Forlì;{NUMBER}", "4;invalid_number;Asti;1"]
    assert "1 may be sent to, 2 refused" in said
    assert NUMBER not in said


def test_filter_in_a_pipe(environment):
    """From standard input to standard output."""
    given = f"to\n{NUMBER}\n+393477654321\n"
    done("suppress", NUMBER)
    assert done("filter", "-", "-", given=given).stdout == "to\n+393477654321\n"


def test_filter_that_fails_leaves_no_file(environment, monkeypatch: pytest.MonkeyPatch):
    """When the list can't be read there is no list to send to, not a shorter or a longer one."""
    Path("in.csv").write_text(f"to\n{NUMBER}\n")
    monkeypatch.setenv("FINGERPRINT_KEY", "another key that is long enough")
    assert "FINGERPRINT_KEY" in failed("filter", "in.csv", "out.csv")
    assert [path.name for path in Path().glob("*.csv*")] == ["in.csv"]


def test_filter_does_not_write_over_what_it_reads(environment):
    """Nor one result over the other, nor for a program that there is not."""
    Path("in.csv").write_text(f"to\n{NUMBER}\n")
    assert "different files" in failed("filter", "in.csv", "./in.csv", code=2)
    assert "different files" in failed(
        "filter", "in.csv", "out.csv", "--refused", "out.csv", code=2
    )
    assert "no such program" in failed("filter", "in.csv", "out.csv", "--program", "none")


# Review


@pytest.fixture
def waiting(settings: Settings, environment) -> int:
    """A text that may be an opt-out; the id that decides it."""
    text_in(settings, "chiamami al 333 7654321\x1b[2J")
    with Gateway(settings) as gateway, gateway.services.database.write() as connection:
        message = connection.execute(sa.text("SELECT id, fingerprint FROM inbound_messages")).one()
        connection.execute(
            sa.insert(ReviewHold).values(
                inbound_message_id=message.id,
                fingerprint=message.fingerprint,
                opened_at=datetime.now(UTC),
                due_at=datetime.now(UTC) + timedelta(hours=72),
            )
        )
    return message.id


def test_review_shows_the_text_and_no_number(waiting: int):
    """Neither the sender's nor one in the text, nor what would play with the terminal."""
    shown = done("review", "list").output
    assert "chiamami al" in shown
    assert "7654321" not in shown
    assert NUMBER not in shown
    assert "\x1b" not in shown


@pytest.mark.parametrize(("verdict", "allowed"), [("opt_out", False), ("dismiss", True)])
def test_a_decision_is_carried_out_and_remembered(
    settings: Settings, waiting: int, verdict: str, *, allowed: bool
):
    """The number is silent or free, and the ledger has who decided; there is no second decision."""
    done("review", "decide", str(waiting), verdict, "--by", "Ada")

    assert allows(settings) is allowed
    with Gateway(settings) as gateway, gateway.services.database.read() as connection:
        entries = connection.execute(sa.select(LedgerEntry)).all()
    assert entries[-1].evidence == {"by": "Ada"}
    assert "Nothing waits" in done("review", "list").output
    assert "decided already" in failed("review", "decide", str(waiting), verdict)


def test_settle_makes_opt_outs_of_what_nobody_decided(settings: Settings, waiting: int):
    """Only of what is overdue."""
    assert "0 overdue" in done("review", "settle").output
    with Gateway(settings) as gateway, gateway.services.database.write() as connection:
        connection.execute(sa.update(ReviewHold).values(due_at=datetime.now(UTC)))
    assert "1 overdue" in done("review", "settle").output
    assert not allows(settings)


# Classify


def test_classify_labels_json_lines_without_settings(tmp_path: Path):
    """A real process in an empty folder, with settings that would be refused."""
    asked = [{"id": 1, "text": "STOP"}, {"id": "è", "text": "Aiuto"}, {"id": None, "text": ""}]
    given = "\ufeff" + "".join(json.dumps(each) + "\n" for each in asked)
    labelled = subprocess.run(
        [sys.executable, "-m", "app.cli", "classify", "--jsonl"],
        input=given.encode(),
        env={**os.environ, "PYTHONPATH": str(ROOT), "SMS_PROVIDER": "none"},
        capture_output=True,
        check=True,
    )
    answers = [json.loads(line) for line in labelled.stdout.splitlines()]

    assert [each["id"] for each in answers] == [1, "è", None]
    assert [each["label"] for each in answers] == ["OPT_OUT", "HELP", "NONE"]
    assert list(answers[0]) == ["id", "label", "code", "language", "rule", "review"]
    assert list(tmp_path.iterdir()) == []


BAD_LINES = [
    "no JSON", "[1]", '{"id": 1}', '{"text": "STOP"}', '{"id": 1, "text": 2}',
    '{"id": NaN, "text": ""}',
    '{"id": 1e999, "text": "x"}', "[" * 100_000, '{"id": ' + "9" * 5000 + ', "text": "x"}',
    '{"id": 1, "text": "' + "x" * 2_000_000 + '"}',
]  # fmt: skip


def test_classify_passes_over_bad_lines_and_names_them():
    """The good ones are answered, the exit code is 1, and no content is repeated."""
    good = '{"id": 7, "text": "STOP"}'
    result = run("classify", "--jsonl", given="\n".join([*BAD_LINES, "", good, ""]))

    assert result.exit_code == 1
    assert [json.loads(line)["id"] for line in result.stdout.splitlines()] == [7]
    named = [line.split(":")[0] for line in result.stderr.splitlines()]
    assert named == [f"line {number}" for number in range(1, len(BAD_LINES) + 1)]
    assert "STOP" not in result.stderr


def test_classify_answers_bytes_that_are_no_text():
    """A text of broken UTF-8 or lone surrogates has a meaning too, if only none."""
    given = b'{"id": "\xff", "text": "STOP \xff\xfe"}\n{"id": 2, "text": "\\ud800"}\n'
    assert len(done("classify", "--jsonl", given=given).stdout.splitlines()) == 2


def test_classify_answers_each_line_before_the_next_is_asked():
    """Whoever asks one at a time through a pipe has the answer while the pipe is open.

    Also where standard output is ASCII already: then Python itself writes no line before its end.
    """
    buffered = {name: each for name, each in os.environ.items() if name != "PYTHONUNBUFFERED"}
    process = subprocess.Popen(
        [sys.executable, "-m", "app.cli", "classify", "--jsonl"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=buffered | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "ascii"},
    )
    with process:
        process.stdin.write(b'{"id": 1, "text": "STOP"}\n')
        process.stdin.flush()
        answered, _, _ = select.select([process.stdout], [], [], LONG)
        line = process.stdout.readline() if answered else b"nothing"
        process.stdin.close()
    assert b"OPT_OUT" in line
    assert process.returncode == 0


def test_classify_shows_what_one_text_means():
    """In words, for a person."""
    shown = done("classify", "CANCELLA").output
    assert shown.splitlines()[0] == "OPT_OUT"
    assert "language  it" in shown
    assert "either a TEXT or --jsonl" in failed("classify", code=2)
    assert "either a TEXT or --jsonl" in failed("classify", "--jsonl", "STOP", code=2)


def test_every_command_explains_itself():
    """Each has a help text of its own."""
    groups = [([], cli.main)]
    while groups:
        path, group = groups.pop()
        for name, command in group.commands.items():
            assert command.help, name
            assert "Usage" in done(*path, name, "--help").output
            if hasattr(command, "commands"):
                groups.append(([*path, name], command))


def test_classify_explains_and_knows_own_words(tmp_path):
    """--words takes an installation's own words; --explain shows each step of reading."""
    own = tmp_path / "words.toml"
    own.write_text('[it]\nopt_out = ["fuori"]\n')

    assert done("classify", "fuori").output.startswith("NONE")
    explained = done("classify", "--words", str(own), "--explain", "Fuori!").output

    assert explained.startswith("OPT_OUT")
    assert "spelling       fuori" in explained


def test_classify_refuses_own_words_that_harm(tmp_path):
    """A yes must stay a yes: the file is refused, with the reason."""
    own = tmp_path / "words.toml"
    own.write_text('[it]\nopt_in = ["si"]\n')

    assert "is a yes" in failed("classify", "--words", str(own), "fuori")
