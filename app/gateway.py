"""The product for Python scripts: what they may send, and to whom."""

from collections.abc import Iterable, Iterator
from datetime import timedelta
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from app.config import Settings
from app.core.database import Database
from app.core.errors import InvalidInputError, InvalidNumberError, NotSentError, ProviderError
from app.core.gate import Decision, Scope
from app.core.models import Purpose
from app.core.outbound import Draft, Receipt
from app.core.phone import PhoneReader
from app.core.policy import Clock, Controller, Policy, utc_now
from app.core.provider import Provider
from app.core.schema import DEFAULT_PROGRAM
from app.core.services import Services
from app.providers.simulator import SimulatorProvider
from app.providers.twilio import TwilioProvider
from app.providers.twilio_client import rest_exception

MARKETING = Purpose.MARKETING.value


class Gateway:
    """Sends, and answers whether it may. Threads share one; each process makes its own."""

    def __init__(
        self, settings: Settings, provider: Provider | None = None, clock: Clock = utc_now
    ) -> None:
        self.settings = settings
        self.services = build_services(settings, provider, clock)
        self.messages = Messages(self.services)

    @classmethod
    def from_env(cls) -> Self:
        """The gateway that the environment (and `.env`) describes. Raises SettingsError."""
        return cls(Settings.from_env())

    def check(
        self, numbers: Iterable[str], program: str = DEFAULT_PROGRAM, purpose: str = MARKETING
    ) -> list[Decision]:
        """Whether each number may get a message now, in the order given."""
        return list(self.services.gate.check(numbers, scope(program, purpose)))

    def allowed(
        self, numbers: Iterable[str], program: str = DEFAULT_PROGRAM, purpose: str = MARKETING
    ) -> Iterator[str]:
        """Those of the numbers, as given, that may get a message now; in constant memory."""
        decisions = self.services.gate.check(numbers, scope(program, purpose))
        return (decision.to for decision in decisions if decision.allowed)

    def close(self) -> None:
        """Give the connections to the database back."""
        self.services.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class Messages:
    """As `client.messages` of the Twilio library, with program, purpose and idempotency key."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def create(
        self,
        *,
        to: str,
        body: str,
        program: str = DEFAULT_PROGRAM,
        purpose: str = MARKETING,
        sender: str | None = None,
        idempotency_key: str | None = None,
    ) -> Receipt:
        """Send one message.

        Raises RecipientRefused (`.reason` says why) and, where the provider did not take it,
        TwilioRestException with its code: as a script for Twilio expects. The ProviderError behind
        it is its `__cause__`. StorageUnavailableError: the list can't be read, nothing was sent.
        """
        asked = scope(program, purpose)
        sender = sender or self._services.policy.sender
        draft = Draft(
            to, body, asked.program, asked.purpose, sender, idempotency_key=idempotency_key
        )
        try:
            return self._services.outbox.send(draft)
        except (NotSentError, InvalidNumberError, ProviderError) as error:
            raise rest_exception(error) from error


def build_services(
    settings: Settings, provider: Provider | None = None, clock: Clock = utc_now
) -> Services:
    """Put the core together as the settings say; `provider` replaces the one they name."""
    former_keys = settings.former_keys()
    database = Database(
        settings.database_url, settings.fingerprint_key, former_keys, cipher=settings.cipher()
    )
    phones = PhoneReader(settings.default_region, settings.fingerprint_key, former_keys)
    policy = Policy(
        brand=settings.brand_name,
        language=settings.default_language,
        public_url=settings.public_url,
        sender=settings.twilio_from,
        consent_required=settings.consent == "required",
        retention=timedelta(days=settings.retention_days),
        double_opt_in=settings.double_opt_in,
        code_lifetime=timedelta(seconds=settings.code_ttl_seconds),
        code_attempts=settings.code_max_attempts,
        code_sends=settings.code_max_sends,
        opt_in_regions=frozenset({settings.default_region}),
        review_period=timedelta(hours=settings.review_hours),
        unreachable_after=settings.unreachable_after,
        own_words=settings.own_words(),
        controller=Controller(
            settings.controller_name, settings.controller_address, settings.privacy_contact
        ),
    )
    provider = provider or _provider(settings, database, clock)
    return Services.build(database, phones, policy, provider, clock)


def _provider(settings: Settings, database: Database, clock: Clock) -> Provider:
    if settings.sms_provider == "simulator":
        return SimulatorProvider(database, settings.twilio_account_sid, clock)
    return TwilioProvider(
        settings.twilio_account_sid,
        settings.twilio_auth_token,
        settings.twilio_api_base_url,
        _status_callback(settings),
        provider_replies=settings.opt_out_replies == "provider",
    )


def _status_callback(settings: Settings) -> str | None:
    # Twilio refuses a message (21609) whose callback is an address that it can't reach.
    host = urlsplit(settings.public_url).hostname
    if host in {"127.0.0.1", "localhost", "::1"}:
        return None
    return f"{settings.public_url}/webhooks/twilio/status"


def scope(program: str, purpose: str) -> Scope:
    """Raises InvalidInputError for a purpose that there is not."""
    try:
        return Scope(program, Purpose(purpose))
    except ValueError as error:
        raise InvalidInputError(f"purpose must be one of {', '.join(Purpose)}") from error
