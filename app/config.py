"""The settings: one frozen object, read once from the environment, strict.

Everything that is wrong or missing is reported in one message, and nothing starts.
"""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

import phonenumbers
from dotenv import dotenv_values
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
)

from app.core.language import LANGUAGES

INSTANCE = Path("instance")
_SIMULATOR_SECRETS = INSTANCE / "simulator.env"
_NEEDED_OUTSIDE_THE_SIMULATOR = ("SECRET_KEY", "FINGERPRINT_KEY")
_NEEDED_WITH_TWILIO = ("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN")


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
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(
            "must be an http(s) address without query, such as https://sms.example.org"
        )
    return value.rstrip("/")


def _database_address(value: str) -> str:
    if value.startswith("sqlite:///"):
        return value
    scheme, separator, rest = value.partition("://")
    if not separator or scheme not in {"postgresql", "postgres", "postgresql+psycopg"} or not rest:
        raise ValueError("must be sqlite:///path/to/file or postgresql://user:password@host/name")
    return f"postgresql+psycopg://{rest}"


def _sender(value: str) -> str:
    is_number = value.removeprefix("+").isdigit()
    is_service = value.startswith("MG") and value.isalnum()
    is_name = len(value) <= 11 and any(c.isalpha() for c in value)  # noqa: PLR2004 - GSM's limit
    if not (value.isascii() and (is_number or is_service or is_name)):
        raise ValueError("must be a number (+39…), a messaging service (MG…) or a name of up to 11")
    return value


WebAddress = Annotated[str, AfterValidator(_web_address)]


class Settings(BaseModel):
    """All settings. Field names are the environment's names in lower case."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    database_url: Annotated[str, AfterValidator(_database_address)] = (
        f"sqlite:///{INSTANCE}/optout.db"
    )
    sms_provider: Literal["simulator", "twilio"] = "simulator"
    twilio_account_sid: str = Field(default="", pattern=r"^(AC[0-9A-Za-z]+)?$")
    twilio_auth_token: str = Field(default="", repr=False)
    twilio_from: Annotated[str, AfterValidator(_sender)] | None = None
    twilio_api_base_url: WebAddress = "https://api.twilio.com"
    public_url: WebAddress = "http://127.0.0.1:8000"
    opt_out_replies: Literal["gateway", "provider"] = "gateway"
    secret_key: str = Field(default="", repr=False)
    fingerprint_key: str = Field(default="", repr=False)
    brand_name: str = Field(default="Demo", min_length=1, max_length=40)
    default_region: Annotated[str, BeforeValidator(str.upper), AfterValidator(_known_region)] = "IT"
    default_language: Annotated[
        str, BeforeValidator(str.lower), AfterValidator(_known_language)
    ] = "it"
    consent: Literal["required", "assumed"] = "assumed"
    double_opt_in: bool = True
    code_ttl_seconds: int = Field(default=600, ge=60)
    code_max_attempts: int = Field(default=5, ge=1)
    code_max_sends: int = Field(default=5, ge=1)
    review_hours: int = Field(default=72, ge=1)
    retention_days: int = Field(default=730, ge=1)
    broker_url: str = ""

    @field_validator("secret_key", "fingerprint_key")
    @classmethod
    def _long_enough(cls, value: str) -> str:
        if 0 < len(value) < 16:  # noqa: PLR2004 - below that a key can be guessed
            raise ValueError(
                "must have at least 16 characters; make one with: openssl rand -hex 32"
            )
        return value

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Read the environment, and `.env` in the working directory below it.

        Raises SettingsError, which names everything that is wrong or missing at once.
        """
        values = _given(_environment() if environ is None else environ)
        if values.get("SMS_PROVIDER", "simulator") == "simulator":
            values = _simulator_secrets() | values
        problems = _missing(values)
        try:
            settings = cls.model_validate({name.lower(): value for name, value in values.items()})
        except ValidationError as error:
            problems += [_problem(detail["loc"][0], detail["msg"]) for detail in error.errors()]
        if problems:
            raise SettingsError(sorted(problems))
        return settings


def _environment() -> dict[str, str | None]:
    return {**dotenv_values(".env"), **os.environ}


def _given(environ: Mapping[str, str | None]) -> dict[str, str]:
    """Only our own names; a name set to nothing counts as not set."""
    names = {field.upper() for field in Settings.model_fields}
    return {name: value for name, value in environ.items() if name in names and value}


def _missing(values: Mapping[str, str]) -> list[str]:
    if values.get("SMS_PROVIDER", "simulator") == "simulator":
        return []
    needed = _NEEDED_OUTSIDE_THE_SIMULATOR + _NEEDED_WITH_TWILIO
    return [f"{name} is missing: it has no default outside the simulator"
            for name in needed if name not in values]  # fmt: skip


def _problem(field: str | int, message: str) -> str:
    return f"{str(field).upper()} {message.removeprefix('Value error, ').lower()}"


def _simulator_secrets() -> dict[str, str]:
    """The simulator's secrets and its made-up account: made once, kept in `instance/`."""
    if not _SIMULATOR_SECRETS.exists():
        _make_simulator_secrets()
    return {name: value for name, value in dotenv_values(_SIMULATOR_SECRETS).items() if value}


def _make_simulator_secrets() -> None:
    names = {
        "SECRET_KEY": secrets.token_hex(32),
        "FINGERPRINT_KEY": secrets.token_hex(32),
        "TWILIO_ACCOUNT_SID": "AC" + secrets.token_hex(16),
        "TWILIO_AUTH_TOKEN": secrets.token_hex(16),
    }
    INSTANCE.mkdir(exist_ok=True)
    draft = INSTANCE / f"simulator.env.{os.getpid()}"
    draft.touch(mode=0o600)
    draft.write_text("".join(f"{name}={value}\n" for name, value in names.items()))
    try:
        os.link(
            draft, _SIMULATOR_SECRETS
        )  # whole or not at all; who comes second takes the first's
    except FileExistsError:
        pass
    finally:
        draft.unlink()
