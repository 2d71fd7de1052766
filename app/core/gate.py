"""May this number get this message now? The one decision, behind every door.

Reads fail closed: when the list can't be read an error is raised, and nothing is sent.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.core.database import Database, UtcDateTime
from app.core.errors import InvalidNumberError, Reason
from app.core.models import (
    ALL_PROGRAMS,
    Channel,
    Consent,
    OptInRequest,
    Program,
    Purpose,
    RequestStatus,
    ReviewHold,
    Suppression,
)
from app.core.phone import PhoneReader
from app.core.policy import Clock, Policy

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
    connection: Connection,
    fingerprints: Sequence[bytes],
    scope: Scope,
    policy: Policy,
    at: datetime,
) -> dict[bytes, Reason]:
    """The reason for each number that may not get a message of this scope now.

    With `policy.consent_required` marketing needs a recorded, confirmed and unexpired consent; a
    renewal always does, and once for each consent.
    Inside a transaction that holds a subscriber's lock the answer stays true until it commits.
    """
    if not program_exists(connection, scope.program):
        return dict.fromkeys(fingerprints, Reason.UNKNOWN_PROGRAM)
    needs_consent = _needs_consent(scope.purpose, policy)
    standing: dict[bytes, Reason | None] = {}
    if needs_consent:
        standing = dict.fromkeys(fingerprints, Reason.NO_CONSENT)
    stopped: dict[bytes, Reason] = {}
    for fact in connection.execute(_facts(fingerprints, scope, needs_consent=needs_consent)):
        person = fact.fingerprint
        match fact.kind:
            case "suppressed":
                stopped[person] = Reason.SUPPRESSED
            case "held" if fact.until <= at:
                # Nobody decided in time: an opt-out, whether or not a chore has said so yet.
                stopped[person] = Reason.SUPPRESSED
            case "held" if scope.purpose is not Purpose.SERVICE:
                stopped.setdefault(person, Reason.UNDER_REVIEW)
            case "pending" if standing[person] is Reason.NO_CONSENT:
                standing[person] = Reason.UNCONFIRMED
            case Channel.SMS:
                standing[person] = None if fact.until > at else Reason.CONSENT_EXPIRED
            case Channel.EMAIL | Channel.NONE:
                standing[person] = Reason.OTHER_CHANNEL
    return {person: reason for person, reason in standing.items() if reason} | stopped


def _needs_consent(purpose: Purpose, policy: Policy) -> bool:
    """To ask for a consent is marketing itself: no installation may assume the one it needs."""
    assumed = not policy.consent_required
    return purpose is Purpose.RENEWAL or (purpose is Purpose.MARKETING and not assumed)


def _facts(
    fingerprints: Sequence[bytes], scope: Scope, *, needs_consent: bool
) -> sa.CompoundSelect[Any]:
    """All that is known of these numbers, in one query; a consent's kind is its channel."""
    never = sa.type_coerce(sa.null(), UtcDateTime())
    programs = (scope.program, ALL_PROGRAMS)
    parts = [
        _part(Suppression, "suppressed", never, fingerprints, Suppression.program.in_(programs)),
        _part(ReviewHold, "held", ReviewHold.due_at, fingerprints, ReviewHold.decided_at.is_(None)),
    ]
    if needs_consent:
        asked = sa.and_(
            OptInRequest.program == scope.program, OptInRequest.status == RequestStatus.PENDING
        )
        agreed = sa.and_(Consent.program == scope.program, Consent.withdrawn_at.is_(None))
        if scope.purpose is Purpose.RENEWAL:  # a consent that was asked for again counts no more
            agreed = sa.and_(agreed, Consent.renewal_asked_at.is_(None))
        parts += [
            _part(OptInRequest, "pending", OptInRequest.code_expires_at, fingerprints, asked),
            _part(Consent, Consent.channel, Consent.expires_at, fingerprints, agreed),
        ]
    return sa.union_all(*parts)


def _part(
    table: type[Any], kind: Any, until: Any, fingerprints: Sequence[bytes], which: Any
) -> sa.Select[Any]:
    kind = sa.literal(kind) if isinstance(kind, str) else kind
    return sa.select(
        table.fingerprint, sa.cast(kind, sa.String).label("kind"), until.label("until")
    ).where(table.fingerprint.in_(fingerprints), which)


def program_exists(connection: Connection, slug: str) -> bool:
    return (
        connection.execute(sa.select(Program.slug).where(Program.slug == slug)).first() is not None
    )


class Gate:
    """The decision for many numbers at once, without claiming anything."""

    def __init__(
        self, database: Database, phones: PhoneReader, policy: Policy, clock: Clock
    ) -> None:
        self._database = database
        self._phones = phones
        self._policy = policy
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
            refused: Mapping[bytes, Reason] = refusals(
                connection, known, scope, self._policy, self._clock()
            )
        for number, fingerprint in zip(numbers, fingerprints, strict=True):
            reason = Reason.INVALID_NUMBER if fingerprint is None else refused.get(fingerprint)
            yield Decision(number, reason is None, reason)

    def _fingerprint(self, number: str) -> bytes | None:
        try:
            return self._phones.parse(number).fingerprint
        except InvalidNumberError:
            return None
