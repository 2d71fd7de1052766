"""What people ask for by law and is not done at once: a register with the month that it may take.

GDPR art. 12(3): access and erasure without undue delay, within a month. The person's own page, the
API and the commands answer at once; a letter, or ERASE by SMS without its code, waits here.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.core import subscribers
from app.core.database import Database
from app.core.errors import NotFoundError
from app.core.models import PersonRequest, RequestKind
from app.core.phone import PhoneReader
from app.core.policy import Clock


class PersonRequests:
    """The register, for operators."""

    def __init__(self, database: Database, phones: PhoneReader, clock: Clock) -> None:
        self._database = database
        self._phones = phones
        self._clock = clock

    def add(self, number: str, kind: RequestKind, door: str, asked_at: datetime | None) -> None:
        """Somebody has asked, by letter say. Raises InvalidNumberError."""
        phone = self._phones.parse(number)
        with self._database.write() as connection:
            now = self._clock()
            subscribers.lock(connection, phone, now)
            note(connection, phone.fingerprint, kind, door, asked_at or now)

    def waiting(self) -> Sequence[Any]:
        """Those that are open, the oldest first: rows of PersonRequest."""
        query = sa.select(PersonRequest).where(PersonRequest.closed_at.is_(None))
        with self._database.read() as connection:
            return connection.execute(query.order_by(PersonRequest.asked_at)).all()

    def close(self, request_id: int, who: str) -> None:
        """It was answered elsewhere, or was nobody's wish. Raises NotFoundError."""
        with self._database.write() as connection:
            if not _close(connection, PersonRequest.id == request_id, who, self._clock()):
                raise NotFoundError("there is no open request with this id")


def note(
    connection: Connection, fingerprint: bytes, kind: RequestKind, door: str, at: datetime
) -> None:
    """Write it down, under the subscriber's lock; once, until it is closed."""
    mine = sa.and_(PersonRequest.fingerprint == fingerprint, PersonRequest.kind == kind)
    is_open = sa.select(PersonRequest.id).where(mine, PersonRequest.closed_at.is_(None))
    if connection.execute(is_open).first() is None:
        row = {"fingerprint": fingerprint, "kind": kind, "door": door, "asked_at": at}
        connection.execute(sa.insert(PersonRequest).values(row))


def note_access_given(connection: Connection, fingerprint: bytes, who: str, at: datetime) -> None:
    """The person's data were handed out: what they had asked for is done."""
    mine = sa.and_(
        PersonRequest.fingerprint == fingerprint, PersonRequest.kind == RequestKind.ACCESS
    )
    _close(connection, mine, who, at)


def _close(connection: Connection, which: sa.ColumnElement[bool], who: str, at: datetime) -> int:
    query = sa.update(PersonRequest).where(which, PersonRequest.closed_at.is_(None))
    return connection.execute(query.values(closed_at=at, closed_by=who)).rowcount
