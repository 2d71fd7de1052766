"""Who looked at whose data, or took them away: what must be known after a breach (GDPR art. 33-34).

Kept apart from the ledger, as it is about those who look and not about what the person decided.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from app.core import person_requests
from app.core.database import Database
from app.core.models import Access, Subscriber
from app.core.phone import mask
from app.core.policy import Clock


@dataclass(frozen=True, slots=True)
class Touched:
    """One access. `number`: masked, of one person; None for a list or one who was erased."""

    at: datetime
    door: str
    who: str
    what: str
    people: int
    number: str | None


class Accesses:
    """Writes accesses down, and shows them."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def note(
        self, door: str, who: str, what: str, fingerprint: bytes | None = None, people: int = 1
    ) -> None:
        """`what` was given to `who`: of one person, or a list of so many."""
        row = {
            "at": self._clock(),
            "door": door,
            "who": who,
            "what": what,
            "fingerprint": fingerprint,
            "people": people,
        }
        with self._database.write() as connection:
            connection.execute(sa.insert(Access).values(row))

    def note_dossier(self, door: str, who: str, fingerprint: bytes) -> None:
        """All that is held of one person was given out, which answers their request for it."""
        self.note(door, who, "dossier", fingerprint)
        with self._database.write() as connection:
            person_requests.note_access_given(connection, fingerprint, who, self._clock())

    def exposure(self, since: datetime, until: datetime | None = None) -> Iterator[Touched]:
        """Whose data were touched in that time, the oldest access first."""
        query = (
            sa.select(Access, Subscriber.number)
            .outerjoin(Subscriber, Subscriber.fingerprint == Access.fingerprint)
            .where(Access.at >= since, Access.at < (until or self._clock()))
            .order_by(Access.id)
        )
        with self._database.read() as connection:
            for row in connection.execute(query):
                number = None if row.number is None else mask(row.number)
                yield Touched(row.at, row.door, row.who, row.what, row.people, number)
