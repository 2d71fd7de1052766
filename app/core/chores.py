"""What has to be done again and again, in one place: for a timer, cron, or a worker's beat.

Each chore is safe on many hosts at once and at any moment; one that fails leaves the others alone
and is done the next time.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from app.core.errors import GatewayError, TooManyRequestsError
from app.core.limits import Limit
from app.core.services import Services

_ONCE_A_DAY = Limit("once a day", 1, timedelta(days=1))


@dataclass(frozen=True, slots=True)
class Done:
    """A chore's name, how many things it did, and what went wrong with it, if anything."""

    name: str
    count: int = 0
    fault: str | None = None


def do_all(services: Services, *, with_reconcile: bool) -> Iterator[Done]:
    """Do each once. `with_reconcile`: compare with the provider's log too, which costs requests."""
    for name, chore in _chores(services).items():
        yield _done(name, chore)
    if with_reconcile:
        yield _done("texts found in the provider's log", lambda: _reconcile(services))


def _chores(services: Services) -> dict[str, Callable[[], int]]:
    return {
        "reviews overdue": services.reviews.settle_overdue,
        "scheduled messages cancelled": services.scheduled.cancel_unwanted,
        "unknown outcomes settled": lambda: _settle(services),
        "campaign recipients settled": services.campaigns.settle_all,
        "campaigns removed whose list was not read to the end": (
            services.campaigns.discard_abandoned
        ),
        "idempotency keys freed": services.outcomes.free_keys,
        "counts of past windows forgotten": services.limiter.prune,
        "rows past their period, once a day": lambda: _prune_daily(services),
        "copies found at the provider": services.copy_searches.run,
        "messages deleted at the provider": lambda: services.deletions.run().done,
        "ledger entries sealed": services.ledger.seal,
    }


def _prune_daily(services: Services) -> int:
    try:
        services.limiter.spend(_ONCE_A_DAY, "prune")  # counted for all hosts together
    except TooManyRequestsError:
        return 0
    return sum(services.retention.prune().values())


def _settle(services: Services) -> int:
    settled = services.unknowns.settle()
    return settled.found + settled.never_arrived


def _reconcile(services: Services) -> int:
    return services.reconciler.catch_up().missed


def _done(name: str, chore: Callable[[], int]) -> Done:
    try:
        return Done(name, chore())
    except GatewayError as error:
        return Done(name, fault=str(error))
    except Exception as error:  # noqa: BLE001 - one chore's fault must not end the others
        return Done(name, fault=type(error).__name__)
