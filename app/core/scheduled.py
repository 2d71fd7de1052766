"""Messages that wait at the provider for their time: a STOP cancels them there.

The only caller of `provider.cancel`. A message is unwanted when its number is suppressed for its
program, whichever door the suppression came by.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.core import consent, subscribers
from app.core.consent import Evidence
from app.core.database import Database
from app.core.errors import ProviderError
from app.core.models import (
    ALL_PROGRAMS,
    UNSETTLED,
    Act,
    DeliveryStatus,
    OutboundMessage,
    Suppression,
)
from app.core.policy import Clock
from app.core.provider import Provider

_Row = OutboundMessage


class ScheduledMessages:
    """Cancels what nobody may get any more."""

    def __init__(self, database: Database, provider: Provider, clock: Clock) -> None:
        self._database = database
        self._provider = provider
        self._clock = clock

    def cancel_unwanted(self, fingerprint: bytes | None = None) -> int:
        """Cancel the scheduled messages of this number, or of all, that are unwanted; how many.

        What can't be cancelled now goes to the ledger, once, and is tried again by a chore. After
        the first failure the rest waits for it as well: an answer to a STOP must not.
        """
        canceled = 0
        for row in self._unwanted(fingerprint):
            try:
                self._provider.cancel(row.provider_message_id)
            except ProviderError as error:
                self._note_failure(row, error)
                if not error.permanent:
                    break
            else:
                canceled += self._write_down(row)
        return canceled

    def _unwanted(self, fingerprint: bytes | None) -> Sequence[Any]:
        suppressed = sa.exists().where(
            Suppression.fingerprint == _Row.fingerprint,
            sa.or_(Suppression.program == _Row.program, Suppression.program == ALL_PROGRAMS),
        )
        scheduled = sa.literal(str(DeliveryStatus.SCHEDULED), literal_execute=True)
        query = sa.select(_Row).where(
            UNSETTLED, _Row.status == scheduled, _Row.provider == self._provider.name, suppressed
        )
        if fingerprint is not None:
            query = query.where(_Row.fingerprint == fingerprint)
        with self._database.read() as connection:
            return connection.execute(query.order_by(_Row.created_at)).all()

    def _write_down(self, row: Any) -> int:
        with self._database.write() as connection:
            subscribers.lock_known(connection, row.fingerprint)
            return self._update(connection, row, status=DeliveryStatus.CANCELED)

    def _note_failure(self, row: Any, error: ProviderError) -> None:
        details = {"message": row.id, "provider_message_id": row.provider_message_id}
        evidence = Evidence("provider", details=details | {"code": error.code})
        with self._database.write() as connection:
            person = subscribers.lock_known(connection, row.fingerprint)
            now = self._clock()
            if row.cancel_failed_at is None:
                consent.record(connection, Act.CANCEL_FAILED, person, row.program, evidence, now)
                self._update(connection, row, cancel_failed_at=now)
            if error.permanent:  # it is not scheduled any more: the provider has sent it
                self._update(connection, row, status=DeliveryStatus.QUEUED)

    def _update(self, connection: Connection, row: Any, **values: Any) -> int:
        query = sa.update(_Row).where(_Row.id == row.id, _Row.status == DeliveryStatus.SCHEDULED)
        return connection.execute(query.values(updated_at=self._clock(), **values)).rowcount
