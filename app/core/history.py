"""What the house knows about one number, read together: what came, what went, what was done."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Row

from app.core import rekeying
from app.core.database import Database
from app.core.models import Act, InboundMessage, LedgerEntry, OutboundMessage, Subscriber
from app.core.phone import Phone

_SUPPRESSING = frozenset({Act.OPT_OUT, Act.SUPPRESS})
_LIFTING = frozenset({Act.OPT_IN, Act.LIFT})


@dataclass(frozen=True, slots=True)
class History:
    """The newest of each kind, the oldest first.

    `ledger`, `inbound`, `outbound`: rows of LedgerEntry, InboundMessage and OutboundMessage.
    `language`: the one the person last wrote in. Both it and `first_seen_at` are None for a number
    that was never seen.
    """

    language: str | None
    first_seen_at: datetime | None
    ledger: Sequence[Row[Any]]
    inbound: Sequence[Row[Any]]
    outbound: Sequence[Row[Any]]


@dataclass(frozen=True, slots=True)
class SuppressedTime:
    """A time in which a number got no messages of a program; `until` is None while it lasts."""

    program: str
    since: datetime
    until: datetime | None


class Histories:
    """Reads histories; changes nothing."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, phone: Phone, limit: int = 100) -> History:
        """All that is known about a number; of each kind the newest `limit`."""
        rekeying.settle(self._database, [phone])
        known = sa.select(Subscriber).where(Subscriber.fingerprint == phone.fingerprint)
        with self._database.read() as connection:
            person = connection.execute(known).first()
            names = rekeying.all_of(connection, phone.fingerprint)

            def newest(model: type[Any], time: Any) -> list[Row[Any]]:
                query = sa.select(model).where(model.fingerprint.in_(names))
                newest_first = query.order_by(time.desc(), model.id.desc()).limit(limit)
                return list(reversed(connection.execute(newest_first).all()))

            return History(
                language=person.language if person else None,
                first_seen_at=person.first_seen_at if person else None,
                ledger=newest(LedgerEntry, LedgerEntry.id),
                inbound=newest(InboundMessage, InboundMessage.received_at),
                outbound=newest(OutboundMessage, OutboundMessage.created_at),
            )


def suppressed_times(ledger: Iterable[Row[Any]]) -> list[SuppressedTime]:
    """When a number was suppressed, as its ledger tells (the oldest entry first)."""
    over: list[SuppressedTime] = []
    lasting: dict[str, datetime] = {}
    for entry in ledger:
        if entry.act in _SUPPRESSING:
            lasting.setdefault(entry.program, entry.at)
        elif entry.act in _LIFTING and entry.program in lasting:
            over.append(SuppressedTime(entry.program, lasting.pop(entry.program), entry.at))
    return over + [SuppressedTime(program, since, None) for program, since in lasting.items()]
