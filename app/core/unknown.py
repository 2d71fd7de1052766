"""Unknown outcomes: looked up at the provider by number, sender, text and time, then settled.

Never by sending again. What can't be told apart stays unknown, and is listed for a person.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from app.core import delivery, subscribers
from app.core.database import Database
from app.core.encrypted import holds
from app.core.models import UNSETTLED, DeliveryStatus, OutboundMessage, Subscriber
from app.core.outcomes import Outcomes
from app.core.phone import mask
from app.core.policy import Clock
from app.core.provider import LoggedMessage, Provider
from app.core.replies import CODE_PLACE

_Row = OutboundMessage

# A message that is not in the provider's log after so long was not taken: its log is not instant.
NEVER_ARRIVED_AFTER = timedelta(minutes=2)
# How far the provider's clock, and its log's whole seconds, may be from ours.
_MARGIN = timedelta(minutes=1)
_BATCH = 500


@dataclass(slots=True)
class Settled:
    """How many were found at the provider, were surely not there, are still open, ambiguous."""

    found: int = 0
    never_arrived: int = 0
    open: int = 0
    ambiguous: int = 0


@dataclass(frozen=True, slots=True)
class Unknown:
    """A message of which nobody knows whether it was sent; `number` is masked."""

    id: str
    number: str
    program: str
    requester: str
    claimed_at: datetime


class UnknownOutcomes:
    """Lists and settles."""

    def __init__(
        self, database: Database, provider: Provider, outcomes: Outcomes, clock: Clock
    ) -> None:
        self._database = database
        self._provider = provider
        self._outcomes = outcomes
        self._clock = clock

    def waiting(self, limit: int = 100) -> list[Unknown]:
        """The oldest of them first."""
        return [
            Unknown(row.id, mask(row.number or ""), row.program, row.requester, row.claimed_at)
            for row in self._rows(limit)
        ]

    def settle(self) -> Settled:
        """Settle all that can be told now. Safe to run twice at once.

        Raises ProviderError where the provider's log can't be read; what was settled stays so.
        """
        self._outcomes.settle_abandoned()
        settled = Settled()
        for row in self._rows(_BATCH):
            outcome = self._look_up(row)
            setattr(settled, outcome, getattr(settled, outcome) + 1)
        return settled

    def _rows(self, limit: int) -> Sequence[Any]:
        unknown = sa.literal(str(DeliveryStatus.UNKNOWN), literal_execute=True)
        query = (
            sa.select(_Row, Subscriber.number)
            .join(Subscriber, Subscriber.fingerprint == _Row.fingerprint)
            .where(UNSETTLED, _Row.status == unknown, _Row.provider == self._provider.name)
            .order_by(_Row.claimed_at)
            .limit(limit)
        )
        with self._database.read() as connection:
            return connection.execute(query).all()

    def _look_up(self, row: Any) -> str:
        if row.number is None or row.body is None:  # erased: nothing to look for
            return "ambiguous"
        logged = self._unclaimed(
            each
            for each in self._provider.log(row.claimed_at - _MARGIN, to=row.number)
            if _could_be(row, each)
        )
        if not logged:
            return self._not_there(row)
        if len(logged) > 1 or self._has_twin(row):
            return "ambiguous"
        return self._found(row, logged[0])

    def _unclaimed(self, logged: Iterable[LoggedMessage]) -> list[LoggedMessage]:
        """Those that are no other message of ours."""
        by_id = {each.provider_message_id: each for each in logged}
        query = sa.select(_Row.provider_message_id).where(
            _Row.provider == self._provider.name, _Row.provider_message_id.in_(by_id)
        )
        with self._database.read() as connection:
            ours = set(connection.execute(query).scalars())
        return [each for name, each in by_id.items() if name not in ours]

    def _has_twin(self, row: Any) -> bool:
        """Whether another message of unknown outcome could be the same entry of the log."""
        person = subscribers.current(self._database, row.fingerprint)
        twin = sa.exists().where(
            _Row.id != row.id,
            _Row.fingerprint == person,
            _Row.status.in_((DeliveryStatus.UNKNOWN, DeliveryStatus.CLAIMED)),
            holds(self._database.engine.dialect, _Row.body, row.body),
        )
        with self._database.read() as connection:
            return bool(connection.execute(sa.select(twin)).scalar())

    def _not_there(self, row: Any) -> str:
        if self._clock() - row.claimed_at < NEVER_ARRIVED_AFTER:
            return "open"
        # It gives its idempotency key back: whoever wants it sent may ask again.
        values = {"status": DeliveryStatus.FAILED, "idempotency_key": None}
        return "never_arrived" if self._write(row, values) else "open"

    def _found(self, row: Any, logged: LoggedMessage) -> str:
        values = {
            "status": logged.status,
            "error_code": logged.error_code,
            "provider_message_id": logged.provider_message_id,
        }
        try:
            return "found" if self._write(row, values) else "open"
        except IntegrityError:  # somebody else's meanwhile
            return "ambiguous"

    def _write(self, row: Any, values: dict[str, Any]) -> bool:
        with self._database.write() as connection:
            person = subscribers.lock_known(connection, row.fingerprint)
            now = self._clock()
            query = sa.update(_Row).where(_Row.id == row.id, _Row.status == DeliveryStatus.UNKNOWN)
            written = connection.execute(query.values(updated_at=now, **values)).rowcount
            message_id = values.get("provider_message_id")
            if written and message_id:
                delivery.apply_early_reports(connection, row.provider, message_id, person, now)
        return bool(written)


def _could_be(row: Any, logged: LoggedMessage) -> bool:
    latest = row.updated_at + _MARGIN
    return (
        not logged.is_inbound
        and row.claimed_at - _MARGIN <= logged.at <= latest
        and row.sender in {None, logged.sender, logged.service}
        and _reads_as(row.body)(logged.body)
    )


def _reads_as(kept: str) -> Callable[[str], bool]:
    """Whether a text is the kept one, in which a code's place may be empty."""
    pattern = r"\d{4,10}".join(re.escape(part) for part in kept.split(CODE_PLACE))
    return lambda text: re.fullmatch(pattern, text.rstrip("\n")) is not None
