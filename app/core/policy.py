"""The owner's choices that the core needs, without knowing where they are read from."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from app.core.language import NO_OWN_WORDS, OwnWords


@dataclass(frozen=True, slots=True)
class Controller:
    """Who answers for the data (GDPR art. 13(1)(a)): legal name, postal address, and a contact."""

    name: str | None = None
    address: str | None = None
    contact: str | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """What this installation has decided.

    `public_url` is where links lead. `program` is the one that START joins. `sender` is used
    where a message names none. `replies_per_hour` bounds the answers to one number, so that two
    machines can't talk to each other for ever. `review_period` is how long a possible opt-out may
    wait for a person before it counts as one. `retention`, `renewal` (so long before its end a
    consent may be asked for again) and `double_opt_in` hold where a program has not chosen
    otherwise. `code_lifetime`, `code_attempts` and `code_sends` (an hour and number) bound the
    codes; `unreachable_after` reports in a row that a handset can't be reached suppress it (0:
    never); `opt_in_regions` are the countries (ISO) whose numbers may ask for one on the web.
    `own_words` are understood besides the tables' words. `controller` holds where a program names
    none.
    """

    brand: str = "Demo"
    program: str = "default"
    language: str = "it"
    public_url: str = "http://127.0.0.1:8000"
    sender: str | None = None
    consent_required: bool = False
    replies_per_hour: int = 10
    review_period: timedelta = timedelta(hours=72)
    retention: timedelta = timedelta(days=730)
    renewal: timedelta = timedelta(days=30)
    double_opt_in: bool = True
    code_lifetime: timedelta = timedelta(seconds=600)
    code_attempts: int = 5
    code_sends: int = 5
    unreachable_after: int = 3
    opt_in_regions: frozenset[str] = frozenset({"IT"})
    own_words: OwnWords = NO_OWN_WORDS
    controller: Controller = Controller()


def utc_now() -> datetime:
    return datetime.now(UTC)


Clock = Callable[[], datetime]
