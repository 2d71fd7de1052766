"""The settings: one frozen object, read once from the environment, strict.

Everything that is wrong or missing is reported in one message, and nothing starts.
"""

import io
import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

import phonenumbers
from dotenv import dotenv_values
from dotenv.parser import parse_stream
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from app.core.encryption import Cipher
from app.core.language import (
    LANGUAGES,
    NO_OWN_WORDS,
    OwnWords,
    OwnWordsError,
    parse_own_words,
)

INSTANCE = Path("instance")
SIMULATOR_SECRETS = INSTANCE / "simulator.env"
_WITHOUT_DEFAULT = ("SECRET_KEY", "FINGERPRINT_KEY", "TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN")
_SHORTEST_SECRET = 16  # characters; below that a key can be guessed
# Letters, digits and what else the networks show in an alphanumeric sender, one letter at least:
# https://www.twilio.com/docs/glossary/what-alphanumeric-sender-id
_SENDER_NAME = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 &+_-]{1,11}")
_SENDER_NUMBER = re.compile(r"\+?[0-9]{3,15}")
_MESSAGING_SERVICE = re.compile(r"MG[0-9A-Za-z]{32}")


class SettingsError(Exception):
    """The settings can't be used; the text lists every fault, a line each, without any value."""

    def __init__(self, problems: list[str]) -> None:
        lines = "\n".join(f"  {problem}" for problem in problems)
        super().__init__(f"The settings can't be used (see .env.example):\n{lines}")
        self.problems = problems


def _known_region(value: str) -> str:
    if value not in phonenumbers.SUPPORTED_REGIONS:
        raise ValueError("must be an ISO country code with a telephone plan, such as IT")
    return value


def _known_language(value: str) -> str:
    if value not in LANGUAGES:
        raise ValueError(f"must be one of {', '.join(LANGUAGES)}")
    return value


def _web_address(value: str) -> str:
    try:
        parts = urlsplit(value)
        known = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:  # its text would show the value
        known = False
    if not known or not value.isascii() or set(value) & set(" ?#\\"):
        raise ValueError(
            "must be an http(s) address without query, such as https://sms.example.org"
        )
    return value.rstrip("/")


def _database_address(value: str) -> str:
    scheme, _, rest = value.partition("://")
    if scheme in {"postgresql", "postgres", "postgresql+psycopg"}:
        value = f"postgresql+psycopg://{rest}"
    try:
        url = make_url(value)
    except (ArgumentError, ValueError):  # their texts would show the password
        url = None
    if url is None or not rest or url.drivername not in {"postgresql+psycopg", "sqlite"}:
        raise ValueError("must be sqlite:///path/to/file or postgresql://user:password@host/name")
    if url.drivername == "sqlite" and url.database in {None, "", ":memory:"}:
        raise ValueError("must name a file: what is kept in memory alone is lost")
    return value


def _sender(value: str) -> str:
    kinds = (_SENDER_NUMBER, _MESSAGING_SERVICE, _SENDER_NAME)
    if not any(kind.fullmatch(value) for kind in kinds):
        raise ValueError("must be a number (+39…), a messaging service (MG…) or a name of up to 11")
    return value


def _account(value: str) -> str:
    if value and not re.fullmatch(r"AC[0-9A-Za-z]+", value):
        raise ValueError("must be the account's SID, which begins with AC")
    return value


def _broker(value: str) -> str:
    if value and "://" not in value:
        raise ValueError("must be a broker's address, such as redis://localhost:6379/0")
    return value


def _secret(value: str) -> str:
    if 0 < len(value) < _SHORTEST_SECRET:
        raise ValueError("must have at least 16 characters; make one with: openssl rand -hex 32")
    return value


def _listed(value: str) -> tuple[str, ...]:
    return tuple(each.strip() for each in value.split(",") if each.strip())


def _secrets(value: str) -> str:
    for each in _listed(value):
        _secret(each)
    return value


def _one_line(value: str) -> str:
    if not value.isprintable():
        raise ValueError("must be one line of text")
    return value


def _own_words(value: str) -> str:
    try:
        parse_own_words(Path(value).read_text("utf-8-sig"))
    except (OSError, UnicodeDecodeError):
        raise ValueError("can't be read: it must be a text file in UTF-8") from None
    except OwnWordsError as error:
        raise ValueError(str(error)) from None
    return value


WebAddress = Annotated[str, AfterValidator(_web_address)]
Secret = Annotated[str, AfterValidator(_secret), Field(repr=False)]


class Settings(BaseModel):
    """All settings. Field names are the environment's names in lower case."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    database_url: Annotated[str, AfterValidator(_database_address)] = Field(
        default=f"sqlite:///{INSTANCE}/optout.db", repr=False
    )
    sms_provider: Literal["simulator", "twilio"] = "simulator"
    twilio_account_sid: Annotated[str, AfterValidator(_account)] = ""
    twilio_auth_token: str = Field(default="", repr=False)
    twilio_from: Annotated[str, AfterValidator(_sender)] | None = None
    twilio_api_base_url: WebAddress = "https://api.twilio.com"
    public_url: WebAddress = "http://127.0.0.1:8000"
    opt_out_replies: Literal["gateway", "provider"] = "gateway"
    secret_key: Secret = ""
    fingerprint_key: Secret = ""
    fingerprint_key_old: Annotated[str, AfterValidator(_secrets)] = Field(default="", repr=False)
    encryption_key: Secret = ""
    encryption_key_old: Annotated[str, AfterValidator(_secrets)] = Field(default="", repr=False)
    brand_name: Annotated[str, AfterValidator(_one_line)] = Field(default="Demo", max_length=40)
    controller_name: Annotated[str, AfterValidator(_one_line)] | None = Field(
        default=None, max_length=200
    )
    controller_address: Annotated[str, AfterValidator(_one_line)] | None = Field(
        default=None, max_length=300
    )
    privacy_contact: Annotated[str, AfterValidator(_one_line)] | None = Field(
        default=None, max_length=254
    )
    default_region: Annotated[str, BeforeValidator(str.upper), AfterValidator(_known_region)] = "IT"
    default_language: Annotated[
        str, BeforeValidator(str.lower), AfterValidator(_known_language)
    ] = "it"
    consent: Literal["required", "assumed"] = "required"
    double_opt_in: bool = True
    code_ttl_seconds: int = Field(default=600, ge=1)
    code_max_attempts: int = Field(default=5, ge=1)
    code_max_sends: int = Field(default=5, ge=1)
    review_hours: int = Field(default=72, ge=1)
    words_file: Annotated[str, AfterValidator(_own_words)] | None = None
    retention_days: int = Field(default=730, ge=1)
    unreachable_after: int = Field(default=3, ge=0)
    broker_url: Annotated[str, AfterValidator(_broker)] = Field(default="", repr=False)
    port: int = Field(default=8000, ge=1, le=65535)
    web_concurrency: int = Field(default=2, ge=1)

    def former_keys(self) -> tuple[str, ...]:
        """The keys that FINGERPRINT_KEY has replaced, the oldest first."""
        return _listed(self.fingerprint_key_old)

    def cipher(self) -> Cipher | None:
        """What encrypts numbers and texts in the database; None where nothing does."""
        if not self.encryption_key:
            return None
        return Cipher(self.encryption_key, _listed(self.encryption_key_old))

    def own_words(self) -> OwnWords:
        """The installation's own words, checked when the settings were."""
        if self.words_file is None:
            return NO_OWN_WORDS
        return parse_own_words(Path(self.words_file).read_text("utf-8-sig"))

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Read the environment, and `.env` in the working directory below it.

        With `environ` given, that and no file. Raises SettingsError, which names everything that
        is wrong or missing at once.
        """
        values, problems = ({}, []) if environ is not None else _env_file(Path(".env"))
        values |= _given(os.environ if environ is None else environ)
        if values.get("SMS_PROVIDER", "simulator") == "simulator":
            kept, faults = _simulator_secrets(values)
            values, problems = kept | values, problems + faults
        if values.get("SMS_PROVIDER") == "twilio":
            problems += _missing(values)
        try:
            settings = cls.model_validate({name.lower(): value for name, value in values.items()})
        except ValidationError as error:
            problems += [_problem(detail["loc"][0], detail["msg"]) for detail in error.errors()]
        if problems:
            raise SettingsError(sorted(problems))
        return settings


def _env_file(path: Path) -> tuple[dict[str, str], list[str]]:
    """What a file of NAME=value lines gives, and what is wrong with it."""
    try:
        text = path.read_text("utf-8-sig")
    except FileNotFoundError:
        return {}, []
    except (OSError, UnicodeDecodeError):
        return {}, [f"{path} can't be read: it must be a text file in UTF-8"]
    # The library passes over a line that it can't read; a setting would be lost without a word.
    unreadable = [each.original.line for each in parse_stream(io.StringIO(text)) if each.error]
    values = dotenv_values(stream=io.StringIO(text), interpolate=False)
    return _given(values), [f"{path} line {line} must be NAME=value" for line in unreadable]


def _given(environ: Mapping[str, str | None]) -> dict[str, str]:
    """Only our own names; a name set to nothing counts as not set."""
    names = {field.upper() for field in Settings.model_fields}
    return {name: value for name, value in environ.items() if name in names and value}


def _missing(values: Mapping[str, str]) -> list[str]:
    return [
        f"{name} is missing: it has no default outside the simulator"
        for name in _WITHOUT_DEFAULT
        if name not in values
    ]


def _problem(field: str | int, message: str) -> str:
    plain = message.removeprefix("Value error, ").replace("Input should", "must")
    return f"{str(field).upper()} {plain.replace('String should', 'must')}"


def _simulator_secrets(given: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """The simulator's secrets and its made-up account, made once and kept in `instance/`."""
    if all(name in given for name in _WITHOUT_DEFAULT):
        return {}, []
    try:
        if not SIMULATOR_SECRETS.exists():
            _make_simulator_secrets()
    except OSError as error:
        return {}, [f"{INSTANCE}/ can't be written ({error.strerror}): make it writable"]
    kept, problems = _env_file(SIMULATOR_SECRETS)
    if "FINGERPRINT_KEY" in given:  # a database with a key of its own was not made with these
        kept.pop("ENCRYPTION_KEY", None)
    lost = [name for name in _WITHOUT_DEFAULT if name not in kept and name not in given]
    advice = f"is missing in {SIMULATOR_SECRETS}: put it back, or begin anew without {INSTANCE}/"
    return kept, problems + [f"{name} {advice}" for name in lost]


def _make_simulator_secrets() -> None:
    names = {
        "SECRET_KEY": secrets.token_hex(32),
        "FINGERPRINT_KEY": secrets.token_hex(32),
        "ENCRYPTION_KEY": secrets.token_hex(32),
        "TWILIO_ACCOUNT_SID": "AC" + secrets.token_hex(16),
        "TWILIO_AUTH_TOKEN": secrets.token_hex(16),
    }
    INSTANCE.mkdir(exist_ok=True)
    draft = INSTANCE / f"simulator.env.{secrets.token_hex(8)}"
    draft.touch(mode=0o600)
    draft.write_text("".join(f"{name}={value}\n" for name, value in names.items()))
    try:
        os.link(draft, SIMULATOR_SECRETS)  # whole or not at all; who comes second takes the first's
    except FileExistsError:
        pass
    finally:
        draft.unlink()
