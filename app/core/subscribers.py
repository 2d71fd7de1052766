"""The subscriber's row, which is also the lock that puts one number's acts in order."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.core.database import insert
from app.core.models import Subscriber
from app.core.phone import Phone

# Here and elsewhere: what runs for every message is built once, since SQLAlchemy takes longer to
# build a statement than to run it.
_ADD = insert(Subscriber)
_LOCK = _ADD.on_conflict_do_update(
    index_elements=["fingerprint"], set_={"first_seen_at": Subscriber.first_seen_at}
)
_LOCK_FOR_HANDSET = _ADD.on_conflict_do_update(
    index_elements=["fingerprint"],
    set_={
        "number": _ADD.excluded.number,
        "language": sa.func.coalesce(_ADD.excluded.language, Subscriber.language),
    },
)


def lock(connection: Connection, phone: Phone, at: datetime) -> None:
    """Wait for, and then hold until the transaction ends, all that is decided on this number.

    Whoever claims a send and whoever stores a STOP both hold this lock while they do, so the
    database decides which came first. A row whose number was erased stays without number.
    """
    row = {"fingerprint": phone.fingerprint, "number": phone.e164, "first_seen_at": at}
    connection.execute(_LOCK, row)


def lock_for_handset(
    connection: Connection, phone: Phone, language: str | None, at: datetime
) -> None:
    """As `lock`, for a message from the handset itself: an erased number becomes known again.

    `language`: the one the person wrote in, where the words told.
    """
    row = {
        "fingerprint": phone.fingerprint,
        "number": phone.e164,
        "language": language,
        "first_seen_at": at,
    }
    connection.execute(_LOCK_FOR_HANDSET, row)


def lock_known(connection: Connection, fingerprint: bytes) -> None:
    """As `lock`, where only the fingerprint is at hand; the row must exist."""
    connection.execute(
        sa.update(Subscriber)
        .where(Subscriber.fingerprint == fingerprint)
        .values(first_seen_at=Subscriber.first_seen_at)
    )


def number_of(connection: Connection, fingerprint: bytes) -> str | None:
    query = sa.select(Subscriber.number).where(Subscriber.fingerprint == fingerprint)
    return connection.execute(query).scalar()
