"""How often a door may be used: counted by the database, so that all processes count together."""

import hashlib
import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from app.core.database import Database, insert
from app.core.errors import TooManyRequestsError
from app.core.models import RateCount
from app.core.policy import Clock


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `times` in each `window`, for each subject."""

    name: str
    times: int
    window: timedelta


class Limiter:
    """Counts before anything else is done: what is refused counts as well."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def spend(self, limit: Limit, subject: str) -> None:
        """Use a door once. Raises TooManyRequestsError, which says when to come again."""
        now = self._clock()
        start = _window_start(now, limit.window)
        # Hashed: a subject may be somebody's address or the head of a number.
        key = hashlib.sha256(f"{limit.name}\n{subject}\n{start.isoformat()}".encode()).digest()
        end = start + limit.window
        row = {"key": key, "count": 1, "expires_at": end}
        with self._database.write() as connection:
            query = insert(RateCount).values(row)
            query = query.on_conflict_do_update(
                index_elements=["key"], set_={"count": RateCount.count + 1}
            )
            count = connection.execute(query.returning(RateCount.count)).scalar_one()
        if count > limit.times:
            raise TooManyRequestsError(end - now)

    def prune(self) -> int:
        """Forget the windows that have passed; how many there were."""
        query = sa.delete(RateCount).where(RateCount.expires_at <= self._clock())
        with self._database.write() as connection:
            return connection.execute(query).rowcount


def network_of(address: str) -> str:
    """Whom an address stands for: in IPv6 one household has a whole /64 of them."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return address
    if known.version == 4:  # noqa: PLR2004
        return str(known)
    return str(ipaddress.ip_network((known, 64), strict=False))


def _window_start(now: datetime, window: timedelta) -> datetime:
    seconds = int(window.total_seconds())
    return datetime.fromtimestamp(int(now.timestamp()) // seconds * seconds, tz=now.tzinfo)
