"""Who was erased, as fingerprints, kept apart from the database: for a backup that is restored.

A backup is older than the erasures after it; the list, written out after each of them or daily,
tells which. It holds no number, and tells nothing to who lacks FINGERPRINT_KEY. A line written
before the key was changed is brought forward by the keys.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.core.database import Database, insert
from app.core.errors import InvalidInputError, NotNowError
from app.core.models import InboundMessage, Subscriber
from app.core.phone import PhoneReader
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


@dataclass(frozen=True, slots=True)
class _Listed:
    """One line of the list."""

    fingerprint: bytes
    erased_at: datetime
    generation: int


class ErasureList:
    """Writes the list, and applies it again."""

    def __init__(self, database: Database, phones: PhoneReader, clock: Clock) -> None:
        self._database = database
        self._phones = phones
        self._clock = clock

    def lines(self) -> Iterator[str]:
        """A line for each person: fingerprint, time, and how many keys made the fingerprint."""
        query = sa.select(
            Subscriber.fingerprint, Subscriber.erased_at, Subscriber.key_generation
        ).where(Subscriber.erased_at.is_not(None))
        with self._database.read() as connection:
            for who, at, generation in connection.execute(query.order_by(Subscriber.erased_at)):
                yield f"{who.hex()} {at and at.isoformat()} {generation}"

    def reapply(self, lines: Iterable[str], door: str) -> Reapplied:
        """Erase them again, each in one transaction; may be stopped and run again.

        Raises InvalidInputError for what is no such list, NotNowError while the key is changed.
        """
        done = Reapplied()
        for number, line in enumerate(lines, 1):
            if line.strip():
                listed = _read(line, number)
                person = self._phones.advance(listed.fingerprint, listed.generation)
                self._reapply(person, listed.erased_at, door, done)
        self._database.scrub()
        return done

    def _reapply(self, fingerprint: bytes, erased_at: datetime, door: str, done: Reapplied) -> None:
        with self._database.write() as connection:
            if self._database.is_rekeying:  # they may still stand under the former key
                raise NotNowError("finish `optout key rotate` first")
            now = self._clock()
            _lock(connection, fingerprint, self._phones.generation, erased_at)
            known = sa.select(Subscriber.erased_at).where(Subscriber.fingerprint == fingerprint)
            if connection.execute(known).scalar() is not None:
                done.already += 1
            elif _has_texted_since(connection, fingerprint, erased_at):
                done.returned += 1
            else:
                erase_person(connection, fingerprint, _REQUESTED_BY, door, now)
                done.erased += 1


def _lock(connection: Connection, fingerprint: bytes, generation: int, erased_at: datetime) -> None:
    """The backup may not even know them: they must be silent all the same."""
    row = {
        "fingerprint": fingerprint,
        "first_seen_at": erased_at,
        "key_generation": generation,
    }
    query = insert(Subscriber).values(row)
    unchanged = {"first_seen_at": Subscriber.first_seen_at}
    connection.execute(query.on_conflict_do_update(index_elements=["fingerprint"], set_=unchanged))


def _has_texted_since(connection: Connection, fingerprint: bytes, erased_at: datetime) -> bool:
    query = sa.select(InboundMessage.id).where(
        InboundMessage.fingerprint == fingerprint, InboundMessage.received_at > erased_at
    )
    return connection.execute(query.limit(1)).first() is not None


def _read(line: str, number: int) -> _Listed:
    try:
        who, at, generation = [*line.split(), "1"][:3]  # older lists know of one key alone
        found = _Listed(bytes.fromhex(who), datetime.fromisoformat(at), int(generation))
    except ValueError as error:
        raise _fault(number) from error
    if len(found.fingerprint) != _LENGTH or found.erased_at.tzinfo is None or found.generation < 1:
        raise _fault(number)
    return found


def _fault(number: int) -> InvalidInputError:
    return InvalidInputError(f"line {number} is not one of `optout privacy erasures export`")
