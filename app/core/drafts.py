"""What is asked to be sent, and what is said of it afterwards."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from app.core.models import DeliveryStatus, Purpose


@dataclass(frozen=True, slots=True)
class Draft:
    """What a caller wants sent. `requester` says who asks; idempotency keys are theirs alone.

    `options` are the provider's own fields, in its words, passed on as given. `kept_body` is
    stored in place of a body that holds a code. `send_at`: when the provider is to send it, where
    the options say so; quiet hours are judged by that time.
    """

    to: str
    body: str | None
    program: str
    purpose: Purpose = Purpose.MARKETING
    sender: str | None = None
    requester: str = "script"
    idempotency_key: str | None = None
    options: Sequence[tuple[str, str]] = ()
    kept_body: str | None = None
    send_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """A message that was handed to the provider; `segments` is what is paid for.

    `to` is E.164, None once the person was erased. `resource` is the provider's own description,
    empty where the answer is a repeated one.
    """

    id: str
    to: str | None
    status: DeliveryStatus
    provider_id: str | None
    segments: int
    resource: Mapping[str, Any] = field(default_factory=dict)

    @property
    def sid(self) -> str | None:
        """The provider's id under the name that scripts written for Twilio read."""
        return self.provider_id
