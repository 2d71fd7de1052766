"""The owner's choices that the core needs, without knowing where they are read from."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


@dataclass(frozen=True, slots=True)
class Policy:
    """What this installation has decided.

    `sender` is used where a message names none. `replies_per_hour` bounds the answers to one
    number, so that two machines can't talk to each other for ever. `review_period` is how long a
    possible opt-out may wait for a person before it counts as one.
    """

    brand: str = "Demo"
    language: str = "it"
    sender: str | None = None
    consent_required: bool = False
    replies_per_hour: int = 10
    review_period: timedelta = timedelta(hours=72)


def utc_now() -> datetime:
    return datetime.now(UTC)


Clock = Callable[[], datetime]
