"""The suppression list as operators, scripts and imports see it: add, lift with evidence, page."""

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.core import consent, rekeying, subscribers
from app.core.consent import Evidence, NewSuppression
from app.core.database import Database
from app.core.errors import InvalidInputError, StorageUnavailableError, UnknownProgramError
from app.core.gate import program_exists
from app.core.models import ALL_PROGRAMS, Subscriber, Suppression
from app.core.phone import Phone, PhoneReader
from app.core.policy import Clock

_MAX_PAGE = 1000
_NOT_OURS = "this cursor is not one that a page gave you"


@dataclass(frozen=True, slots=True)
class SuppressedNumber:
    """`to` is E.164, or None where the person was erased and only the fingerprint is kept."""

    to: str | None
    program: str
    reason: str
    since: datetime
    ledger_entry_id: int


@dataclass(frozen=True, slots=True)
class Listed:
    """A number to be put on the list, and why. `since`: when it was on another one, if known."""

    phone: Phone
    program: str
    reason: str
    evidence: Evidence
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """`next_cursor` is None on the last page."""

    suppressions: list[SuppressedNumber]
    next_cursor: str | None


class SuppressionList:
    """Reads the list, and changes it through app.core.consent."""

    def __init__(self, database: Database, phones: PhoneReader, clock: Clock) -> None:
        self._database = database
        self._phones = phones
        self._clock = clock

    def add(self, number: str, program: str, reason: str, evidence: Evidence) -> bool:
        """Suppress a number. False if it was already. Raises InvalidNumberError."""
        phone = self._phones.parse(number)
        with self._database.write() as connection:
            _require(connection, program)
            return self._add(connection, phone, program, reason, evidence)

    def add_all(self, listed: Sequence[Listed]) -> int:
        """Suppress a batch in one transaction; how many were new."""
        if not listed:
            return 0
        now = self._clock()
        wanted = [
            NewSuppression(
                each.phone.fingerprint, each.program, each.reason, each.evidence, each.since
            )
            for each in listed
        ]
        with self._database.write() as connection:
            for program in {each.program for each in listed}:
                _require(connection, program)
            subscribers.lock_all(connection, (each.phone for each in listed), now)
            return consent.suppress_all(connection, wanted, now)

    def require_program(self, program: str) -> None:
        """Raises InvalidInputError where there is no such program (nor is it ALL_PROGRAMS)."""
        with self._database.read() as connection:
            _require(connection, program)

    def lift(self, number: str, program: str, evidence: Evidence) -> bool:
        """Lift one suppression, on evidence. False if there was none."""
        phone = self._phones.parse(number)
        if not (evidence.text or "").strip():
            raise InvalidInputError("evidence is needed: what did the person say, where and when?")
        now = self._clock()
        with self._database.write() as connection:
            _require(connection, program)
            subscribers.lock(connection, phone, now)
            return consent.lift(connection, phone.fingerprint, program, evidence, now)

    def of(self, phone: Phone) -> list[SuppressedNumber]:
        """What stops messages to one number."""
        rekeying.settle(self._database, [phone])
        with self._database.read() as connection:
            rows = connection.execute(_QUERY.where(Suppression.fingerprint == phone.fingerprint))
            return [_suppressed(row) for row in rows]

    def page(self, cursor: str | None, limit: int, program: str | None = None) -> Page:
        """A page in a fixed order; of all, or only of what stops messages of one program.

        Raises InvalidInputError for a cursor that is not ours.
        """
        limit = min(max(limit, 1), _MAX_PAGE)
        query = _QUERY.order_by(Suppression.fingerprint, Suppression.program).limit(limit + 1)
        if cursor:
            place = sa.tuple_(Suppression.fingerprint, Suppression.program)
            query = query.where(place > sa.tuple_(*_decode(cursor)))
        if program is not None:
            query = query.where(Suppression.program.in_((program, ALL_PROGRAMS)))
        with self._database.read() as connection:
            if self._database.is_rekeying:  # people change places: some would be missed
                raise StorageUnavailableError(
                    "the list can't be read in pages while `optout key rotate` runs: wait for it"
                )
            rows = connection.execute(query).all()
        more = len(rows) > limit
        next_cursor = _encode(rows[limit - 1]) if more else None
        return Page([_suppressed(row) for row in rows[:limit]], next_cursor)

    def all(self) -> Iterator[SuppressedNumber]:
        """The whole list, a page at a time, in constant memory."""
        cursor = None
        while True:
            page = self.page(cursor, _MAX_PAGE)
            yield from page.suppressions
            cursor = page.next_cursor
            if cursor is None:
                return

    def count(self) -> int:
        with self._database.read() as connection:
            query = sa.select(sa.func.count()).select_from(Suppression)
            return connection.execute(query).scalar_one()

    def _add(
        self,
        connection: Connection,
        phone: Phone,
        program: str,
        reason: str,
        evidence: Evidence,
    ) -> bool:
        now = self._clock()
        subscribers.lock(connection, phone, now)
        return consent.suppress(connection, phone.fingerprint, program, reason, evidence, now)


_QUERY = sa.select(
    Suppression.fingerprint,
    Suppression.program,
    Suppression.reason,
    Suppression.since,
    Suppression.ledger_entry_id,
    Subscriber.number,
).join(Subscriber, Subscriber.fingerprint == Suppression.fingerprint)


def _require(connection: Connection, program: str) -> None:
    if program != ALL_PROGRAMS and not program_exists(connection, program):
        raise UnknownProgramError("there is no such program: leave it out to mean all of them")


def _suppressed(row: Any) -> SuppressedNumber:
    return SuppressedNumber(row.number, row.program, row.reason, row.since, row.ledger_entry_id)


def _encode(row: Any) -> str:
    return base64.urlsafe_b64encode(row.fingerprint + row.program.encode()).decode()


def _decode(cursor: str) -> tuple[bytes, str]:
    try:
        place = base64.b64decode(cursor, altchars=b"-_", validate=True)
        fingerprint, program = place[:32], place[32:].decode()
    except ValueError as error:
        raise InvalidInputError(_NOT_OURS) from error
    if not program.isprintable() or not program:  # PostgreSQL can't even be asked for a NUL
        raise InvalidInputError(_NOT_OURS)
    return fingerprint, program
