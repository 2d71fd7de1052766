import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.config import Settings, SettingsError

REPOSITORY = Path(__file__).parents[1]

TWILIO = {
    "SMS_PROVIDER": "twilio",
    "TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
    "TWILIO_AUTH_TOKEN": "made-up-token",
    "SECRET_KEY": "made-up-secret-key",
    "FINGERPRINT_KEY": "made-up-fingerprint-key",
}

# A name, a value that can't be used. Each value holds the word `private`, or is harmless.
BAD = [
    ("DATABASE_URL", "postgresql://me:private@host:many/name"),
    ("DATABASE_URL", "mysql://me:private@host/name"),
    ("DATABASE_URL", "sqlite:///:memory:"),
    ("DATABASE_URL", "sqlite://"),
    ("DATABASE_URL", "private"),
    ("SMS_PROVIDER", "Twilio"),
    ("TWILIO_ACCOUNT_SID", "private"),
    ("TWILIO_FROM", "+39 333 private"),
    ("TWILIO_FROM", "a private name that is too long"),
    ("TWILIO_FROM", "Caffé"),
    ("TWILIO_FROM", "12"),
    ("TWILIO_API_BASE_URL", "ftp://private"),
    ("PUBLIC_URL", "sms.private.org"),
    ("PUBLIC_URL", "https://private.org/?a=b"),
    ("PUBLIC_URL", "https://[private"),
    ("PUBLIC_URL", "https://private.org:many"),
    ("PUBLIC_URL", "https://private .org"),
    ("OPT_OUT_REPLIES", "private"),
    ("SECRET_KEY", "private"),
    ("FINGERPRINT_KEY", "private"),
    ("FINGERPRINT_KEY_OLD", "private"),
    ("ENCRYPTION_KEY", "private"),
    ("ENCRYPTION_KEY_OLD", "private"),
    ("BRAND_NAME", "private" * 6),
    ("CONTROLLER_NAME", "a\nb"),
    ("CONTROLLER_ADDRESS", "a\nb"),
    ("PRIVACY_CONTACT", "a\nb"),
    ("BRAND_NAME", "two\nlines"),
    ("DEFAULT_REGION", "private"),
    ("DEFAULT_LANGUAGE", "private"),
    ("CONSENT", "private"),
    ("DOUBLE_OPT_IN", "private"),
    ("CODE_TTL_SECONDS", "private"),
    ("WORDS_FILE", "private.toml"),
    ("CODE_MAX_ATTEMPTS", "0"),
    ("CODE_MAX_SENDS", "-1"),
    ("REVIEW_HOURS", "1.5"),
    ("RETENTION_DAYS", "private"),
    ("UNREACHABLE_AFTER", "-1"),
    ("BROKER_URL", "private"),
    ("PORT", "70000"),
    ("WEB_CONCURRENCY", "0"),
]


def problems_of(environ: dict[str, str]) -> list[str]:
    with pytest.raises(SettingsError) as raised:
        Settings.from_env(environ)
    return raised.value.problems


def test_nothing_set_is_a_working_simulator():
    """Without any setting, the simulator can start."""
    settings = Settings.from_env({})
    assert settings.sms_provider == "simulator"
    assert settings.database_url == "sqlite:///instance/optout.db"
    assert settings.public_url == "http://127.0.0.1:8000"
    assert settings.twilio_account_sid.startswith("AC")
    assert (settings.default_region, settings.default_language) == ("IT", "it")


def test_everything_missing_is_named_at_once():
    """Outside the simulator, every setting without a default is named in one message."""
    assert [problem.split()[0] for problem in problems_of({"SMS_PROVIDER": "twilio"})] == [
        "FINGERPRINT_KEY",
        "SECRET_KEY",
        "TWILIO_ACCOUNT_SID",
        "TWILIO_AUTH_TOKEN",
    ]


def test_everything_wrong_is_named_at_once_together_with_what_is_missing():
    """Who has to correct the settings learns of all faults the first time."""
    problems = problems_of({"SMS_PROVIDER": "twilio", "CONSENT": "?", "RETENTION_DAYS": "?"})
    assert [problem.split()[0] for problem in problems] == [
        "CONSENT",
        "FINGERPRINT_KEY",
        "RETENTION_DAYS",
        "SECRET_KEY",
        "TWILIO_ACCOUNT_SID",
        "TWILIO_AUTH_TOKEN",
    ]


@pytest.mark.parametrize(("name", "value"), BAD)
def test_an_unusable_value_is_refused_by_name_and_never_shown(name, value):
    """The message says which setting is wrong, and shows no value: it may be a secret."""
    problems = problems_of(TWILIO | {name: value})
    assert [problem.split()[0] for problem in problems] == [name]
    assert "private" not in problems[0]


def test_every_setting_has_an_unusable_value_in_the_table():
    """A new setting can't be left unchecked; only free text has no wrong value."""
    free = {"twilio_auth_token"}
    assert {name.lower() for name, _ in BAD} == set(Settings.model_fields) - free


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("postgres://me@host/name", "postgresql+psycopg://me@host/name"),
        ("postgresql://me@host/name", "postgresql+psycopg://me@host/name"),
        ("postgresql:///name", "postgresql+psycopg:///name"),
        ("sqlite:////var/lib/optout.db", "sqlite:////var/lib/optout.db"),
    ],
)
def test_both_spellings_of_postgresql_are_one(given, used):
    """Hosts write postgres:// or postgresql://; both reach the same database."""
    assert Settings.from_env({"DATABASE_URL": given}).database_url == used


@pytest.mark.parametrize("sender", ["+393331234567", "40404", "MG" + "a" * 32, "Caffe Roma", "B&B"])
def test_senders_are_numbers_services_and_names(sender):
    """Whatever the provider takes as a sender can be set."""
    assert Settings.from_env({"TWILIO_FROM": sender}).twilio_from == sender


def test_region_and_language_are_read_in_any_case():
    """`it` and `IT` mean the same country and the same language."""
    settings = Settings.from_env({"DEFAULT_REGION": "fr", "DEFAULT_LANGUAGE": "FR"})
    assert (settings.default_region, settings.default_language) == ("FR", "fr")


def test_a_name_set_to_nothing_is_not_set(tmp_path, monkeypatch):
    """An empty variable, as container tools pass them, hides neither the file nor the default."""
    (tmp_path / ".env").write_text("BRAND_NAME=From the file\nDEFAULT_REGION=\n")
    monkeypatch.setenv("BRAND_NAME", "")
    settings = Settings.from_env()
    assert (settings.brand_name, settings.default_region) == ("From the file", "IT")


def test_the_environment_wins_over_the_file(tmp_path, monkeypatch):
    """`.env` is read, below the environment."""
    (tmp_path / ".env").write_text("BRAND_NAME=From the file\nRETENTION_DAYS=9\n")
    monkeypatch.setenv("BRAND_NAME", "From outside")
    settings = Settings.from_env()
    assert (settings.brand_name, settings.retention_days) == ("From outside", 9)


def test_a_dollar_in_the_file_is_a_dollar(tmp_path):
    """A secret is taken letter by letter: nothing in it is replaced."""
    (tmp_path / ".env").write_text("SECRET_KEY='with ${HOME} and $HOME in it'\n")
    assert Settings.from_env().secret_key == "with ${HOME} and $HOME in it"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"CONSENT='required\n", ".env line 1"),
        (b"\xff\xfe\x00", ".env can't be read"),
    ],
)
def test_an_unreadable_file_is_a_fault(tmp_path, content, problem):
    """A line that can't be read never becomes a default without a word."""
    (tmp_path / ".env").write_bytes(content)
    with pytest.raises(SettingsError, match=problem):
        Settings.from_env()


def test_secrets_are_not_shown():
    """Settings can be printed or logged without giving a secret away."""
    secrets = {
        "DATABASE_URL": "postgresql://me:hidden@host/name",
        "BROKER_URL": "redis://:hidden@h",
    }
    secrets |= dict.fromkeys(("TWILIO_AUTH_TOKEN", "SECRET_KEY", "FINGERPRINT_KEY"), "hidden" * 3)
    settings = Settings.from_env(secrets)
    assert "hidden" not in repr(settings) + str(settings)


def test_settings_do_not_change():
    """What was read at the start holds until the end."""
    with pytest.raises(ValueError, match="frozen"):
        Settings.from_env({}).brand_name = "Other"


def test_the_simulators_secrets_are_made_once():
    """A second start has the same secrets: the fingerprints in the database still fit."""
    first = Settings.from_env({})
    assert Settings.from_env({}) == first
    assert len(first.fingerprint_key) == 64
    kept = Path("instance/simulator.env")
    assert kept.stat().st_mode & 0o077 == 0


def test_a_key_of_encryption_is_not_made_for_somebody_elses_database():
    """Who brings the fingerprints' key has a database already: no new start may encrypt it anew."""
    assert Settings.from_env({}).encryption_key
    brought = {"FINGERPRINT_KEY": "made up for tests: fingerprints"}
    assert Settings.from_env(brought).encryption_key == ""
    both = brought | {"ENCRYPTION_KEY": "made up for tests: encryption"}
    assert Settings.from_env(both).encryption_key == both["ENCRYPTION_KEY"]


def test_two_starts_at_once_agree_on_the_simulators_secrets(tmp_path):
    """Of several processes that start together, all use the secrets that were kept."""
    program = "from app.config import Settings; print(Settings.from_env({}).fingerprint_key)"
    environ = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    started = [
        subprocess.Popen(
            [sys.executable, "-c", program],
            cwd=tmp_path,
            env=environ,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    keys = {process.communicate()[0] for process in started}
    assert keys == {Settings.from_env({}).fingerprint_key + "\n"}
    assert [path.name for path in Path("instance").iterdir()] == ["simulator.env"]


def test_a_lost_simulator_secret_is_never_empty():
    """When the kept file is damaged, nothing starts with an empty key."""
    Settings.from_env({})
    Path("instance/simulator.env").write_text("SECRET_KEY=still-here-and-long-enough\n")
    problems = problems_of({})
    assert [problem.split()[0] for problem in problems] == [
        "FINGERPRINT_KEY",
        "TWILIO_ACCOUNT_SID",
        "TWILIO_AUTH_TOKEN",
    ]


def test_a_folder_that_can_not_be_written_is_a_fault():
    """Where the simulator can't keep its secrets, it says so."""
    Path("instance").write_text("a file in the way")
    assert problems_of({})[0].startswith("instance/ can't be written")


def test_nothing_is_written_when_every_secret_is_given():
    """Who brings all secrets needs no writable folder."""
    Settings.from_env({name: value for name, value in TWILIO.items() if name != "SMS_PROVIDER"})
    assert not Path("instance").exists()
