"""What became of a claimed message, written down: taken, not taken, or not known.

By then the message may be out of the house. A row that can't be written keeps its claim, and after
a while counts as unknown: it is looked up at the provider, never sent again by itself.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from app.core import barrier, consent, deletions, delivery, subscribers
from app.core.consent import Evidence
from app.core.database import Database
from app.core.errors import (
    InvalidInputError,
    ProviderError,
    ProviderOptedOutError,
    ProviderOutcomeUnknownError,
    Reason,
    StorageUnavailableError,
)
from app.core.models import ALL_PROGRAMS, UNSETTLED, DeliveryStatus, OutboundMessage
from app.core.policy import Clock
from app.core.provider import Acceptance
from app.core.statements import Statement

# A key may be used for another message after that; a campaign's keys never.
KEYS_KEPT = timedelta(days=7)

# Seconds between the attempts: a database that restarts is back soon.
_PAUSES = (0.2, 1.0)

_UPDATE = Statement(
    sa.update(OutboundMessage)
    .where(OutboundMessage.id == sa.bindparam("message"))
    .returning(OutboundMessage.body, delivery.HAS_REPORTS.label("has_reports"))
)

_T = TypeVar("_T")


class Outcomes:
    """Writes outcomes, each in one transaction that holds the number's lock."""

    def __init__(self, database: Database, clock: Clock, sleep: barrier.Sleep) -> None:
        self._database = database
        self._clock = clock
        self._sleep = sleep

    def record_acceptance(self, claimed: Any, accepted: Acceptance) -> DeliveryStatus:
        """The provider has taken the message; its status, as far as reports tell already.

        Raises ProviderOutcomeUnknownError where that can't be written down.
        """

        def write(connection: Connection, now: datetime) -> DeliveryStatus:
            provider_id = accepted.provider_message_id
            values = {"status": accepted.status, "provider_message_id": provider_id}
            written = _update(connection, claimed, now, values)
            if written is None or written.body is None:
                # The person was erased while the provider had it: its copy must go too.
                deletions.ask(connection, claimed.provider, provider_id, deletions.LATE, now)
            if written is None or not written.has_reports:
                return accepted.status
            latest = delivery.apply_early_reports(
                connection, claimed.provider, provider_id, claimed.fingerprint, now
            )
            return latest or accepted.status

        lost = ProviderOutcomeUnknownError(
            "the provider took the message, but that could not be written down: don't send it again"
        )
        try:
            return self._write(claimed, write)
        except StorageUnavailableError as error:
            raise lost from error
        except (IntegrityError, InvalidInputError) as error:  # an id that is another message's
            self.record_failure(claimed, lost)
            raise lost from error

    def record_failure(self, claimed: Any, error: ProviderError) -> None:
        """The provider has not taken the message, or (outcome unknown) may have.

        Raises StorageUnavailableError, unless the outcome is unknown: the caller must know that.
        """

        def write(connection: Connection, now: datetime) -> None:
            _update(connection, claimed, now, _values_of(error))
            if isinstance(error, ProviderOptedOutError):
                _suppress(connection, claimed, error, now)

        try:
            self._write(claimed, write)
        except StorageUnavailableError:
            if not isinstance(error, ProviderOutcomeUnknownError):
                raise

    def record_pause(self, claimed: Any) -> None:
        """The provider surely has not taken the message, and will be asked again.

        Raises StorageUnavailableError.
        """
        values = {"status": DeliveryStatus.RETRYING}
        self._write(claimed, lambda connection, now: _update(connection, claimed, now, values))

    def settle_abandoned(self) -> int:
        """Settle what a sender that died has left behind; how many. A periodic chore.

        What was claimed may have been sent: it is unknown. What was waiting to be tried again was
        not sent.
        """
        now = self._clock()
        claimed = _left_since(DeliveryStatus.CLAIMED, now).values(
            status=DeliveryStatus.UNKNOWN, updated_at=now
        )
        retrying = (
            _left_since(DeliveryStatus.RETRYING, now)
            .where(UNSETTLED)
            .values(status=DeliveryStatus.FAILED, idempotency_key=None, updated_at=now)
        )
        with self._database.write() as connection:
            return sum(connection.execute(each).rowcount for each in (claimed, retrying))

    def free_keys(self) -> int:
        """Give back the idempotency keys that were kept long enough; how many. A periodic chore."""
        used = sa.update(OutboundMessage).where(
            OutboundMessage.idempotency_key.is_not(None),
            OutboundMessage.created_at < self._clock() - KEYS_KEPT,
            OutboundMessage.requester.not_like("campaign%"),
        )
        with self._database.write() as connection:
            freed = used.values(idempotency_key=None, content_digest=None)
            return connection.execute(freed).rowcount

    def _write(self, claimed: Any, write: Callable[[Connection, datetime], _T]) -> _T:
        for pause in _PAUSES:
            try:
                return self._write_once(claimed, write)
            except StorageUnavailableError:
                self._sleep(pause)
        return self._write_once(claimed, write)

    def _write_once(self, claimed: Any, write: Callable[[Connection, datetime], _T]) -> _T:
        with self._database.write() as connection:
            subscribers.lock_known(connection, claimed.fingerprint)
            return write(connection, self._clock())


def _left_since(status: DeliveryStatus, now: datetime) -> sa.Update:
    is_left = OutboundMessage.status == sa.literal(str(status), literal_execute=True)
    long_ago = OutboundMessage.claimed_at <= now - barrier.ABANDONED_AFTER
    return sa.update(OutboundMessage).where(is_left, long_ago)


def _values_of(error: ProviderError) -> dict[str, Any]:
    """How a row says what went wrong.

    A message that surely was not sent and may be sent again gives its idempotency key back.
    """
    values: dict[str, Any] = {"error_code": error.code or None}
    if isinstance(error, ProviderOptedOutError):
        return values | {"status": DeliveryStatus.REFUSED, "reason": Reason.SUPPRESSED}
    if isinstance(error, ProviderOutcomeUnknownError):
        return values | {"status": DeliveryStatus.UNKNOWN}
    if not error.permanent:
        values["idempotency_key"] = None
    return values | {"status": DeliveryStatus.FAILED}


def _suppress(
    connection: Connection, claimed: Any, error: ProviderOptedOutError, now: datetime
) -> None:
    details = {"message": claimed.id, "code": error.code}
    evidence = Evidence("provider", details=details)
    reason = consent.PROVIDER_OPT_OUT
    consent.suppress(connection, claimed.fingerprint, ALL_PROGRAMS, reason, evidence, now)


def _update(connection: Connection, claimed: Any, now: datetime, values: dict[str, Any]) -> Any:
    """Write it down; what the row is by now, None where it is gone.

    Its `body` is None where the person was erased meanwhile; `has_reports`: some came before the
    provider's id was known here.
    """
    row = {"message": claimed.id, "updated_at": now, **values}
    return next(iter(_UPDATE.run(connection, row)), None)
