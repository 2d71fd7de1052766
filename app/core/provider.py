"""What the house asks of a provider, the company that carries the SMS."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from app.core.models import DeliveryStatus
from app.core.phone import Phone


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """A message ready to be handed over. `options`: the provider's own fields, passed as given."""

    to: Phone
    body: str | None
    sender: str | None
    options: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True)
class Acceptance:
    """The provider has taken a message. `resource` is its own description of it, as JSON."""

    provider_message_id: str
    status: DeliveryStatus
    resource: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class InboundMessage:
    """An SMS received, in our words.

    `sender` and `recipient` are as the provider spells them. `opt_out_type` is what the provider
    itself understood (STOP, START, HELP), if it says so. `answered_by_provider`: it has replied
    to the person already, so the house must not. `sent_at`: where the provider's log tells of it,
    and no webhook did.
    """

    provider: str
    provider_message_id: str
    sender: str
    recipient: str
    body: str
    opt_out_type: str | None = None
    answered_by_provider: bool = False
    sent_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class LoggedMessage:
    """A line of the provider's own log, of either direction.

    `at`: when it was created there. `service`: the messaging service that sent it, if one did.
    `answered_by_provider`: as in InboundMessage.
    """

    provider_message_id: str
    is_inbound: bool
    sender: str
    recipient: str
    body: str
    status: DeliveryStatus
    at: datetime
    service: str | None = None
    error_code: int | None = None
    answered_by_provider: bool = False


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """What the provider says became of a message; `to` is the number it went to, if it says so.

    `opted_out`: the provider or the carrier holds an opt-out. `unreachable`: there is no such
    handset, or it is off for long.
    """

    provider: str
    provider_message_id: str
    status: DeliveryStatus
    to: str | None = None
    error_code: int | None = None
    opted_out: bool = False
    unreachable: bool = False


@dataclass(frozen=True, slots=True)
class WebhookRequest:
    """What a signature is computed from. `path`: the raw path and query, undecoded.

    `headers` and `fields` as the web framework keeps them: names in any case, repeated fields.
    """

    path: str
    headers: Any
    fields: Any


class Carrier(Protocol):
    """Whoever can hand a message over. Threads share one."""

    name: str

    def send(self, message: OutgoingMessage) -> Acceptance:
        """Hand a message over. Only app.core.outbound calls this.

        Raises ProviderError, by meaning: ProviderOptedOutError, ProviderOutcomeUnknownError.
        """
        ...


class Provider(Carrier, Protocol):
    """Carries messages, shows what it has carried, and deletes it."""

    def fetch(self, provider_message_id: str) -> Mapping[str, Any]:
        """The provider's description of one message. Raises ProviderError (status 404: none)."""
        ...

    def list_messages(self, query: Mapping[str, str]) -> Mapping[str, Any]:
        """A page of the provider's log, filtered by the provider's own parameters."""
        ...

    def delete(self, provider_message_id: str) -> None:
        """Delete the provider's copy of a message.

        Raises ProviderError (status 404: none) where it is not gone yet.
        """
        ...

    def log(
        self, since: datetime, until: datetime | None = None, to: str | None = None
    ) -> Iterator[LoggedMessage]:
        """All pages of the provider's log of that time, or of it what went to this number.

        Of all senders, in no certain order. Raises ProviderError.
        """
        ...

    def cancel(self, provider_message_id: str) -> None:
        """Cancel a scheduled message. Only app.core.scheduled calls this.

        Raises ProviderError; `permanent` where it is not scheduled any more.
        """
        ...


class WebhookDoor(Protocol):
    """How one provider's webhooks are recognised, read and answered."""

    name: str
    takes_json: bool

    def authenticate(self, request: WebhookRequest) -> None:
        """Raises ForgedRequestError unless the provider itself sent this."""
        ...

    def parse_inbound(self, fields: Mapping[str, str]) -> InboundMessage:
        """Raises InvalidInputError where something needed is missing."""
        ...

    def parse_delivery(self, fields: Mapping[str, str]) -> DeliveryReport:
        """Raises InvalidInputError where something needed is missing."""
        ...

    def answer(self, message: InboundMessage, reply: str | None) -> str:
        """The webhook's answer, as XML: one message to the person, or none."""
        ...


class SimulatedNetwork(Protocol):
    """The far end of a provider that simulates: its handsets, and the door for their texts."""

    door: WebhookDoor

    def lose(self, fields: Mapping[str, str]) -> None:
        """A text from a handset that only the network's log tells of: its webhook is lost."""
        ...

    def deliver(self, number: str) -> Sequence[DeliveryReport]:
        """A handset is on: what waits for it arrives. The reports that the network then gives."""
        ...

    def conversation(self, number: str, limit: int = 100) -> Sequence[Any]:
        """The newest messages on one handset, the oldest first: rows of SimulatorMessage."""
        ...
