"""The STOP barrier: what was at the provider's door when a STOP came ends before the answer.

Claims and STOPs of one number are ordered by the subscriber's lock. A claim that came first is
seen here and waited for; one that comes later sees the suppression and is refused.
"""

import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.core import consent
from app.core.consent import Evidence
from app.core.database import Database
from app.core.models import ALL_PROGRAMS, Act, DeliveryStatus, OutboundMessage

# A sender that has not come back after this is dead: app.core.outbound settles its row.
ABANDONED_AFTER = timedelta(seconds=30)

PATIENCE = 3.0  # seconds that a webhook may wait; Twilio gives it 15 in all
# Seconds between two looks: soon at first, then rarely, so that waiting costs little.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 0.25

Sleep = Callable[[float], None]


def in_flight(connection: Connection, fingerprint: bytes, now: datetime) -> list[str]:
    """The messages to this number that are being handed to the provider at this moment."""
    query = sa.select(OutboundMessage.id).where(
        OutboundMessage.fingerprint == fingerprint,
        OutboundMessage.status == DeliveryStatus.CLAIMED,
        OutboundMessage.claimed_at > now - ABANDONED_AFTER,
    )
    return list(connection.execute(query).scalars())


def wait_for(database: Database, messages: Sequence[str], sleep: Sleep = time.sleep) -> list[str]:
    """Wait, within a bound, until none of these is in flight; those that still are."""
    began, waited, pause = time.monotonic(), 0.0, _FIRST_PAUSE
    while (messages := _still_claimed(database, messages)) and waited < PATIENCE:
        sleep(pause)
        # Whichever is longer: on a busy machine the looks take their time too.
        waited = max(waited + pause, time.monotonic() - began)
        pause = min(2 * pause, _LONGEST_PAUSE)
    return list(messages)


def _still_claimed(database: Database, messages: Sequence[str]) -> Sequence[str]:
    if not messages:
        return []
    query = sa.select(OutboundMessage.id).where(
        OutboundMessage.id.in_(messages), OutboundMessage.status == DeliveryStatus.CLAIMED
    )
    with database.read() as connection:
        return connection.execute(query).scalars().all()


def record_late(
    database: Database, fingerprint: bytes, late: Sequence[str], evidence: Evidence, at: datetime
) -> None:
    """Write down which messages could still arrive after the opt-out was answered."""
    evidence = Evidence(evidence.door, details=evidence.details | {"messages": list(late)})
    with database.write() as connection:
        consent.record(connection, Act.LATE_MESSAGE, fingerprint, ALL_PROGRAMS, evidence, at)
