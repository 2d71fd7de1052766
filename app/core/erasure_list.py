"""Who was erased, as fingerprints, kept apart from the database: for a backup that is restored.

A backup is older than the erasures after it; the list, written out after each of them or daily,
tells which. It holds no number, and tells nothing to who lacks FINGERPRINT_KEY.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.core.database import Database, insert
from app.core.errors import InvalidInputError
from app.core.models import InboundMessage, Subscriber
from app.core.policy import Clock
from app.core.privacy import erase_person

_LENGTH = 32  # bytes of a fingerprint
_REQUESTED_BY = "the list of erasures, after a restore"


@dataclass(slots=True)
class Reapplied:
    """`returned`: who has texted since their erasure, and is left alone."""

    erased: int = 0
    already: int = 0
    returned: int = 0


class ErasureList:
    """Writes the list, and applies it again."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def lines(self) -> Iterator[str]:
        """A line for each person: fingerprint and time."""
        query = sa.select(Subscriber.fingerprint, Subscriber.erased_at).where(
            Subscriber.erased_at.is_not(None)
        )
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(Subscriber.erased_at))
            yield from (f"{who.hex()} {at.isoformat()}" for who, at in rows if at is not None)

    def reapply(self, lines: Iterable[str], door: str) -> Reapplied:
        """Erase them again, each in one transaction; may be stopped and run again.

        Raises InvalidInputError for what is no such list.
        """
        done = Reapplied()
        for number, line in enumerate(lines, 1):
            if line.strip():
                self._reapply(*_read(line, number), door, done)
        self._database.scrub()
        return done

    def _reapply(self, fingerprint: bytes, erased_at: datetime, door: str, done: Reapplied) -> None:
        with self._database.write() as connection:
            now = self._clock()
            _lock(connection, fingerprint, erased_at)
            known = sa.select(Subscriber.erased_at).where(Subscriber.fingerprint == fingerprint)
            if connection.execute(known).scalar() is not None:
                done.already += 1
            elif _has_texted_since(connection, fingerprint, erased_at):
                done.returned += 1
            else:
                erase_person(connection, fingerprint, _REQUESTED_BY, door, now)
                done.erased += 1


def _lock(connection: Connection, fingerprint: bytes, erased_at: datetime) -> None:
    """The backup may not even know them: they must be silent all the same."""
    row = {"fingerprint": fingerprint, "first_seen_at": erased_at}
    query = insert(Subscriber).values(row)
    unchanged = {"first_seen_at": Subscriber.first_seen_at}
    connection.execute(query.on_conflict_do_update(index_elements=["fingerprint"], set_=unchanged))


def _has_texted_since(connection: Connection, fingerprint: bytes, erased_at: datetime) -> bool:
    query = sa.select(InboundMessage.id).where(
        InboundMessage.fingerprint == fingerprint, InboundMessage.received_at > erased_at
    )
    return connection.execute(query.limit(1)).first() is not None


def _read(line: str, number: int) -> tuple[bytes, datetime]:
    fingerprint, _, at = line.strip().partition(" ")
    try:
        found = bytes.fromhex(fingerprint), datetime.fromisoformat(at)
    except ValueError as error:
        raise _fault(number) from error
    if len(found[0]) != _LENGTH or found[1].tzinfo is None:
        raise _fault(number)
    return found


def _fault(number: int) -> InvalidInputError:
    return InvalidInputError(f"line {number} is not one of `optout privacy erasures export`")
