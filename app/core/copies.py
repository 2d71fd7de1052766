"""Copies at the provider whose ids nobody was told: looked for in its log, then to be deleted.

An answer given by webhook is a message of the provider's own, with an id that we never learn; so is
one whose outcome is unknown. The number that they went to is gone with the erasure: the log is
read by time, and each line compared by its fingerprint (GDPR art. 17, 19).
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.core import deletions
from app.core.database import Database
from app.core.errors import ProviderError
from app.core.models import CopySearch, DeliveryStatus, InboundMessage, OutboundMessage
from app.core.phone import PhoneReader, mask_numbers
from app.core.policy import Clock
from app.core.provider import LoggedMessage, Provider

# How far the provider's clock may be from ours, and how long an answer may be on its way: a webhook
# that fails is tried again for minutes.
_BEFORE, _AFTER = timedelta(minutes=1), timedelta(minutes=5)
_SHOWN_AFTER = timedelta(minutes=2)  # the provider's log is not instant

Span = tuple[datetime, datetime]


def search_later(
    connection: Connection, fingerprint: bytes, certificate: str, at: datetime
) -> None:
    """Note when this person may have got messages without an id.

    Among them the answer to the text that has just confirmed the erasure: it goes out afterwards.
    """
    spans: dict[str, list[Span]] = {}
    for provider, start, end in _moments(connection, fingerprint):
        spans.setdefault(provider, [_around(at, at)]).append(_around(start, end))
    rows = [
        {
            "provider": provider,
            "fingerprint": fingerprint,
            "certificate": certificate,
            "since": since,
            "until": until,
            "next_attempt_at": until + _SHOWN_AFTER,
        }
        for provider, found in spans.items()
        for since, until in _joined(found)
    ]
    if rows:
        connection.execute(sa.insert(CopySearch), rows)


class CopySearches:
    """Reads the provider's log."""

    def __init__(
        self, database: Database, provider: Provider, phones: PhoneReader, clock: Clock
    ) -> None:
        self._database = database
        self._provider = provider
        self._phones = phones
        self._clock = clock

    def run(self, limit: int = 1000) -> int:
        """Search the spans that are due; how many copies were found. A chore, safe twice."""
        due = sa.select(CopySearch).where(
            CopySearch.provider == self._provider.name,
            CopySearch.next_attempt_at <= self._clock(),
        )
        due = due.order_by(CopySearch.next_attempt_at).limit(limit)
        with self._database.read() as connection:
            rows = connection.execute(due).all()
        return sum(self._search(row) for row in rows)

    def waiting(self, certificate: str | None = None) -> int:
        """How many spans are still to be searched, for one erasure or for all."""
        query = sa.select(sa.func.count()).select_from(CopySearch)
        if certificate is not None:
            query = query.where(CopySearch.certificate == certificate)
        with self._database.read() as connection:
            return connection.execute(query).scalar_one()

    def _search(self, row: Any) -> int:
        try:
            log = self._provider.log(row.since, row.until)
            found = {each.provider_message_id for each in log if self._is_of(each, row.fingerprint)}
        except ProviderError as error:
            self._postpone(row, error)
            return 0
        with self._database.write() as connection:
            now = self._clock()
            new = sum(
                deletions.ask(connection, row.provider, each, row.certificate, now)
                for each in sorted(found)
            )
            connection.execute(sa.delete(CopySearch).where(CopySearch.id == row.id))
        return new

    def _is_of(self, logged: LoggedMessage, fingerprint: bytes) -> bool:
        theirs = logged.sender if logged.is_inbound else logged.recipient
        person = self._phones.read_sender(theirs)
        return fingerprint in {person.fingerprint, person.former}

    def _postpone(self, row: Any, error: ProviderError) -> None:
        values = {
            "attempts": row.attempts + 1,
            "next_attempt_at": self._clock() + deletions.pause_after(row.attempts),
            "last_error": mask_numbers(str(error))[: deletions.LONGEST_ERROR],
        }
        query = sa.update(CopySearch).where(CopySearch.id == row.id).values(values)
        with self._database.write() as connection:
            connection.execute(query)


def _moments(
    connection: Connection, fingerprint: bytes
) -> Iterator[tuple[str, datetime, datetime]]:
    """When the person was answered by webhook, or sent what has no id: provider, from, to."""
    answered = sa.select(
        InboundMessage.provider, InboundMessage.received_at, InboundMessage.received_at
    ).where(InboundMessage.fingerprint == fingerprint, InboundMessage.silence.is_(None))
    unknown = sa.select(
        OutboundMessage.provider, OutboundMessage.claimed_at, OutboundMessage.updated_at
    ).where(
        OutboundMessage.fingerprint == fingerprint,
        OutboundMessage.status == DeliveryStatus.UNKNOWN,
    )
    for query in (answered, unknown):
        for row in connection.execute(query):
            yield row[0], row[1], row[2]


def _around(start: datetime, end: datetime) -> Span:
    return start - _BEFORE, end + _AFTER


def _joined(spans: Iterable[Span]) -> Iterator[Span]:
    """Spans that touch are read as one."""
    ordered = sorted(spans)
    since, until = ordered[0]
    for start, end in ordered[1:]:
        if start > until:
            yield since, until
            since = start
        until = max(until, end)
    yield since, until
