"""The subscriber's row, which is also the lock that puts one number's acts in order."""

from collections.abc import Iterable
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.core import rekeying
from app.core.database import Database, insert
from app.core.errors import NotFoundError
from app.core.models import Subscriber
from app.core.phone import Phone
from app.core.statements import Statement

_INSERT = insert(Subscriber).on_conflict_do_update(
    index_elements=["fingerprint"], set_={"first_seen_at": Subscriber.first_seen_at}
)
_LOCK = Statement(_INSERT)
_LOCK_KNOWN = Statement(
    sa.update(Subscriber)
    .where(Subscriber.fingerprint == sa.bindparam("person"))
    .values(first_seen_at=Subscriber.first_seen_at)
    .returning(Subscriber.fingerprint)
)


def lock(connection: Connection, phone: Phone, at: datetime) -> None:
    """Wait for, and then hold until the transaction ends, all that is decided on this number.

    Whoever claims a send and whoever stores a STOP both hold this lock while they do, so the
    database decides which came first. A row whose number was erased stays without number.
    """
    if phone.former is not None:
        rekeying.bring_forward(connection, [phone.former])
    _LOCK.run(connection, _row(phone, at))


def lock_all(connection: Connection, phones: Iterable[Phone], at: datetime) -> None:
    """As `lock`, for many at once, in the one order that keeps two batches from a deadlock."""
    wanted = {phone.fingerprint: phone for phone in phones}
    rekeying.bring_forward(connection, (each.former for each in wanted.values() if each.former))
    rows = [_row(wanted[fingerprint], at) for fingerprint in sorted(wanted)]
    # RETURNING makes it a few statements of many rows instead of one for each.
    connection.execute(_INSERT.returning(Subscriber.fingerprint), rows)


def recall(connection: Connection, phones: Iterable[Phone]) -> None:
    """Numbers that were forgotten or lost become known again, those of erased people never.

    For locked people whose numbers somebody has brought.
    """
    numbers = {phone.fingerprint: phone.e164 for phone in phones}
    unknown = sa.select(Subscriber.fingerprint).where(
        Subscriber.fingerprint.in_(numbers),
        Subscriber.number.is_(None),
        Subscriber.erased_at.is_(None),
    )
    rows = [{"person": each, "e164": numbers[each]} for each in connection.scalars(unknown)]
    if rows:
        person = Subscriber.fingerprint == sa.bindparam("person")
        learned = sa.update(Subscriber).where(person).values(number=sa.bindparam("e164"))
        connection.execute(learned, rows)


def _row(phone: Phone, at: datetime) -> dict[str, object]:
    return {
        "fingerprint": phone.fingerprint,
        "number": phone.e164,
        "first_seen_at": at,
        "key_generation": phone.generation,
    }


def learn(connection: Connection, phone: Phone, language: str | None) -> None:
    """The handset itself has texted: an erased number becomes known again, and its language.

    `language`: the one the person wrote in, None where the words did not tell.
    """
    news = {"number": phone.e164, "erased_at": None}
    news |= {"language": language} if language else {}
    connection.execute(
        sa.update(Subscriber).where(Subscriber.fingerprint == phone.fingerprint).values(news)
    )


def lock_known(connection: Connection, fingerprint: bytes) -> bytes:
    """As `lock`, where only the fingerprint is at hand: what it is now.

    It may have been read before somebody brought it forward. Raises NotFoundError.
    """
    moved = rekeying.bring_forward(connection, [fingerprint])
    candidates = [moved.get(fingerprint, fingerprint)]
    if keys := rekeying.keys_of(connection):
        candidates.append(keys.next_of(fingerprint))
    for each in candidates:
        if _LOCK_KNOWN.run(connection, {"person": each}):
            return each
    raise NotFoundError("nobody with this fingerprint is known")


def current(database: Database, fingerprint: bytes) -> bytes:
    """The fingerprint as it is, and stays, while something is read of the person in steps."""
    if not database.is_rekeying:
        return fingerprint
    with database.write() as connection:
        return lock_known(connection, fingerprint)


def note_erased(connection: Connection, fingerprint: bytes, at: datetime) -> None:
    connection.execute(
        sa.update(Subscriber).where(Subscriber.fingerprint == fingerprint).values(erased_at=at)
    )


def number_of(connection: Connection, fingerprint: bytes) -> str | None:
    query = sa.select(Subscriber.number).where(Subscriber.fingerprint == fingerprint)
    return connection.execute(query).scalar()
