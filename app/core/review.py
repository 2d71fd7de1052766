"""Possible opt-outs: texts that a person must read before marketing goes on to that number."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.core import consent, subscribers
from app.core.consent import Evidence
from app.core.database import Database
from app.core.errors import NotFoundError
from app.core.models import ALL_PROGRAMS, Act, InboundMessage, ReviewHold, Subscriber
from app.core.phone import mask
from app.core.policy import Clock

_OPEN = ReviewHold.decided_at.is_(None)


class Verdict(StrEnum):
    """What the person who read a text found it to be."""

    OPT_OUT = "opt_out"
    DISMISS = "dismiss"


@dataclass(frozen=True, slots=True)
class PossibleOptOut:
    """A text that waits. `id` decides it; `number` is masked."""

    id: int
    number: str
    text: str
    rule: str
    received_at: datetime
    due_at: datetime


def hold(
    connection: Connection,
    fingerprint: bytes,
    inbound_message_id: int,
    evidence: Evidence,
    at: datetime,
    period: timedelta,
) -> None:
    """Hold marketing to this number back until somebody has decided, or `period` has passed."""
    row = {
        "inbound_message_id": inbound_message_id,
        "fingerprint": fingerprint,
        "opened_at": at,
        "due_at": at + period,
    }
    connection.execute(sa.insert(ReviewHold).values(row))
    consent.record(connection, Act.HOLD, fingerprint, ALL_PROGRAMS, evidence, at)


def close(
    connection: Connection, fingerprint: bytes, verdict: Verdict, evidence: Evidence, at: datetime
) -> None:
    """The person's own later words settle what was unclear in the earlier ones.

    An opt-out has its own entry in the ledger; that a hold was dismissed is written here.
    """
    connection.execute(
        sa.update(ReviewHold)
        .where(ReviewHold.fingerprint == fingerprint, _OPEN)
        .values(decided_at=at, decision=verdict, decided_by="the person")
    )
    if verdict is Verdict.DISMISS:
        consent.record(connection, Act.HOLD_DISMISSED, fingerprint, ALL_PROGRAMS, evidence, at)


class ReviewQueue:
    """The operator's side: read, newest first, and decide with one action."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def waiting(self, limit: int = 100) -> list[PossibleOptOut]:
        """The texts that wait, newest first; not those whose time has passed."""
        query = (
            sa.select(ReviewHold, InboundMessage.body, InboundMessage.rule, Subscriber.number)
            .join(InboundMessage, InboundMessage.id == ReviewHold.inbound_message_id)
            .join(Subscriber, Subscriber.fingerprint == ReviewHold.fingerprint)
            .where(_OPEN, ReviewHold.due_at > self._clock())
            .order_by(ReviewHold.opened_at.desc(), ReviewHold.inbound_message_id.desc())
            .limit(limit)
        )
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return [
            PossibleOptOut(
                row.inbound_message_id,
                mask(row.number or ""),
                row.body,
                row.rule,
                row.opened_at,
                row.due_at,
            )
            for row in rows
        ]

    def decide(
        self,
        hold_id: int,
        verdict: Verdict,
        by: str,
        door: str,
        details: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        """Settle one text. Raises NotFoundError if it does not wait (any more).

        What nobody decided in time is an opt-out, which only lifting with evidence ends.
        """
        self.settle_overdue()
        evidence = Evidence(door, details={**details, "by": by})
        with self._database.write() as connection:
            self._settle(connection, hold_id, verdict, evidence, by)

    def settle_overdue(self) -> int:
        """Turn the holds that nobody decided in time into opt-outs; how many there were."""
        query = sa.select(ReviewHold.inbound_message_id).where(
            _OPEN, ReviewHold.due_at <= self._clock()
        )
        with self._database.read() as connection:
            overdue = connection.execute(query).scalars().all()
        evidence = Evidence("review", details={"by": "the period for review had passed"})
        settled = 0
        for hold_id in overdue:
            with self._database.write() as connection:
                try:
                    self._settle(connection, hold_id, Verdict.OPT_OUT, evidence, "overdue")
                except NotFoundError:
                    continue  # somebody decided meanwhile
            settled += 1
        return settled

    def _settle(
        self, connection: Connection, hold_id: int, verdict: Verdict, evidence: Evidence, by: str
    ) -> None:
        now = self._clock()
        fingerprint = _fingerprint_of(connection, hold_id)
        fingerprint = subscribers.lock_known(connection, fingerprint)
        decided = connection.execute(
            sa.update(ReviewHold)
            .where(ReviewHold.inbound_message_id == hold_id, _OPEN)
            .values(decided_at=now, decision=verdict, decided_by=by)
        )
        if not decided.rowcount:
            raise NotFoundError("this text is decided already")
        if verdict is Verdict.OPT_OUT:
            consent.opt_out(connection, fingerprint, ALL_PROGRAMS, evidence, now)
        else:
            consent.record(connection, Act.HOLD_DISMISSED, fingerprint, ALL_PROGRAMS, evidence, now)


def _fingerprint_of(connection: Connection, hold_id: int) -> bytes:
    query = sa.select(ReviewHold.fingerprint).where(ReviewHold.inbound_message_id == hold_id)
    fingerprint = connection.execute(query).scalar()
    if fingerprint is None:
        raise NotFoundError("no text with this id waits for review")
    return fingerprint
