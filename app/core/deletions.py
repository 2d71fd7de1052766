"""The provider's copies of an erased person's messages: it is asked until it says they are gone.

GDPR art. 19: who was given the data is told of the erasure.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.core.database import Database, insert
from app.core.errors import ProviderError
from app.core.models import InboundMessage, OutboundMessage, ProviderDeletion
from app.core.phone import mask_numbers
from app.core.policy import Clock
from app.core.provider import Provider

LATE = "late"  # stands for the certificate where the provider took a message during an erasure
_NOT_FOUND = 404  # gone already, or never there
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(minutes=1), timedelta(days=1)
LONGEST_ERROR = 200


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the provider is: `waiting` of the copies it was asked to delete, `done` of them."""

    done: int
    waiting: int
    last_error: str | None = None


def ask_all(
    connection: Connection,
    fingerprint: bytes,
    certificate: str,
    also: Iterable[tuple[str, str]],
    at: datetime,
) -> int:
    """Ask for every message of this person; `also`: (provider, id) of others that it knows of.

    How many are new.
    """
    known: set[tuple[str, str]] = set(also)
    for table in (InboundMessage, OutboundMessage):
        query = sa.select(table.provider, table.provider_message_id).where(
            table.fingerprint == fingerprint, table.provider_message_id.is_not(None)
        )
        known |= {(row[0], str(row[1])) for row in connection.execute(query)}
    return sum(ask(connection, *each, certificate, at) for each in sorted(known))


def ask(
    connection: Connection, provider: str, message_id: str, certificate: str, at: datetime
) -> bool:
    """Ask for one message. False where that was done before."""
    row = {
        "provider": provider,
        "provider_message_id": message_id,
        "certificate": certificate,
        "asked_at": at,
        "next_attempt_at": at,
    }
    query = insert(ProviderDeletion).values(row).on_conflict_do_nothing()
    return connection.execute(query.returning(ProviderDeletion.attempts)).first() is not None


def pause_after(attempts: int) -> timedelta:
    """How long to wait after so many attempts that failed."""
    doubled: timedelta = _FIRST_PAUSE * 2 ** min(attempts, 20)
    return min(doubled, _LONGEST_PAUSE)


class Deletions:
    """Asks the provider, and shows how far it is."""

    def __init__(self, database: Database, provider: Provider, clock: Clock) -> None:
        self._database = database
        self._provider = provider
        self._clock = clock

    def run(self, limit: int = 1000, certificate: str | None = None) -> Progress:
        """Ask for what is due, no transaction open meanwhile. A periodic chore; safe twice."""
        due = sa.select(ProviderDeletion).where(
            ProviderDeletion.provider == self._provider.name,
            ProviderDeletion.done_at.is_(None),
            ProviderDeletion.next_attempt_at <= self._clock(),
        )
        if certificate is not None:
            due = due.where(ProviderDeletion.certificate == certificate)
        due = due.order_by(ProviderDeletion.next_attempt_at).limit(limit)
        with self._database.read() as connection:
            rows = connection.execute(due).all()
        for row in rows:
            self._note(row, self._delete(row.provider_message_id))
        return self.progress(certificate)

    def progress(self, certificate: str | None = None) -> Progress:
        """Of one erasure, or of all."""
        waiting = sa.func.count().filter(ProviderDeletion.done_at.is_(None))
        query = sa.select(sa.func.count(), waiting, sa.func.max(ProviderDeletion.last_error))
        if certificate is not None:
            query = query.where(ProviderDeletion.certificate == certificate)
        with self._database.read() as connection:
            count, left, error = connection.execute(query).one()
        return Progress(count - left, left, error)

    def _delete(self, message_id: str) -> ProviderError | None:
        try:
            self._provider.delete(message_id)
        except ProviderError as error:
            return None if error.status == _NOT_FOUND else error
        return None

    def _note(self, row: Any, error: ProviderError | None) -> None:
        now = self._clock()
        values: Mapping[str, Any] = {"done_at": now, "last_error": None}
        if error is not None:
            said = mask_numbers(str(error))[:LONGEST_ERROR]
            values = {"last_error": said, "next_attempt_at": now + pause_after(row.attempts)}
        query = sa.update(ProviderDeletion).where(
            ProviderDeletion.provider == row.provider,
            ProviderDeletion.provider_message_id == row.provider_message_id,
        )
        with self._database.write() as connection:
            connection.execute(query.values(attempts=row.attempts + 1, **values))
