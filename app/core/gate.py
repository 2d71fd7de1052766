"""May this number get this message now? The one decision, behind every door.

Reads fail closed: when the list can't be read an error is raised, and nothing is sent.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.core.database import Database
from app.core.errors import InvalidNumberError, Reason
from app.core.models import ALL_PROGRAMS, Program, Purpose, ReviewHold, Suppression
from app.core.phone import PhoneReader
from app.core.policy import Clock

_BATCH = 1000  # numbers asked for in one query


@dataclass(frozen=True, slots=True)
class Decision:
    """`to` as it was asked; `reason` is None where the number may get the message."""

    to: str
    allowed: bool
    reason: Reason | None


@dataclass(frozen=True, slots=True)
class Scope:
    """What a message belongs to and what it is for."""

    program: str
    purpose: Purpose


def refusals(
    connection: Connection, fingerprints: Sequence[bytes], scope: Scope, at: datetime
) -> dict[bytes, Reason]:
    """The reason for each number that may not get a message of this scope now.

    Inside a transaction that holds a subscriber's lock the answer stays true until it commits.
    """
    if not program_exists(connection, scope.program):
        return dict.fromkeys(fingerprints, Reason.UNKNOWN_PROGRAM)
    suppressed = sa.select(Suppression.fingerprint, sa.null().label("due_at")).where(
        Suppression.fingerprint.in_(fingerprints),
        Suppression.program.in_((scope.program, ALL_PROGRAMS)),
    )
    held = sa.select(ReviewHold.fingerprint, ReviewHold.due_at).where(
        ReviewHold.fingerprint.in_(fingerprints), ReviewHold.decided_at.is_(None)
    )
    found: dict[bytes, Reason] = {}
    for fingerprint, due_at in connection.execute(suppressed.union_all(held)):
        # A hold that nobody decided in time is an opt-out, whether or not a chore has said so.
        if due_at is None or due_at <= at:
            found[fingerprint] = Reason.SUPPRESSED
        elif scope.purpose is Purpose.MARKETING:
            found.setdefault(fingerprint, Reason.UNDER_REVIEW)
    return found


def program_exists(connection: Connection, slug: str) -> bool:
    return (
        connection.execute(sa.select(Program.slug).where(Program.slug == slug)).first() is not None
    )


class Gate:
    """The decision for many numbers at once, without claiming anything."""

    def __init__(self, database: Database, phones: PhoneReader, clock: Clock) -> None:
        self._database = database
        self._phones = phones
        self._clock = clock

    def check(self, numbers: Iterable[str], scope: Scope) -> Iterator[Decision]:
        """A decision for each number, in the order given, in constant memory."""
        remaining = iter(numbers)
        while batch := list(islice(remaining, _BATCH)):
            yield from self._check_batch(batch, scope)

    def _check_batch(self, numbers: Sequence[str], scope: Scope) -> Iterator[Decision]:
        fingerprints = [self._fingerprint(number) for number in numbers]
        known = sorted({each for each in fingerprints if each is not None})
        with self._database.read() as connection:
            refused: Mapping[bytes, Reason] = refusals(connection, known, scope, self._clock())
        for number, fingerprint in zip(numbers, fingerprints, strict=True):
            reason = Reason.INVALID_NUMBER if fingerprint is None else refused.get(fingerprint)
            yield Decision(number, reason is None, reason)

    def _fingerprint(self, number: str) -> bytes | None:
        try:
            return self._phones.parse(number).fingerprint
        except InvalidNumberError:
            return None
