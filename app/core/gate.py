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

    With `policy.consent_required` marketing needs a recorded, confirmed and unexpired consent.
    Inside a transaction that holds a subscriber's lock the answer stays true until it commits.
    """
    needs_consent = policy.consent_required and scope.purpose is Purpose.MARKETING
    query = _FACTS_WITH_CONSENT if needs_consent else _FACTS
    facts = connection.execute(query, {"people": fingerprints, "scope": scope.program}).all()
    if not any(fact.kind == "program" for fact in facts):
        return dict.fromkeys(fingerprints, Reason.UNKNOWN_PROGRAM)
    standing: dict[bytes, Reason | None] = {}
    if needs_consent:
        standing = dict.fromkeys(fingerprints, Reason.NO_CONSENT)
    stopped: dict[bytes, Reason] = {}
    for fact in facts:
        person = fact.fingerprint
        match fact.kind:
            case "suppressed":
                stopped[person] = Reason.SUPPRESSED
            case "held" if fact.until <= at:
                # Nobody decided in time: an opt-out, whether or not a chore has said so yet.
                stopped[person] = Reason.SUPPRESSED
            case "held" if scope.purpose is Purpose.MARKETING:
                stopped.setdefault(person, Reason.UNDER_REVIEW)
            case "pending" if standing[person] is Reason.NO_CONSENT:
                standing[person] = Reason.UNCONFIRMED
            case Channel.SMS:
                standing[person] = None if fact.until > at else Reason.CONSENT_EXPIRED
            case Channel.EMAIL | Channel.NONE:
                standing[person] = Reason.OTHER_CHANNEL
    return {person: reason for person, reason in standing.items() if reason} | stopped


def _part(table: type[Any], kind: Any, until: Any, *which: Any) -> sa.Select[Any]:
    """What one table says of the people asked for; a consent's kind is its channel."""
    people = table.fingerprint.in_(sa.bindparam("people", expanding=True))
    return _fact(table.fingerprint, kind, until).where(people, *which)


def _fact(person: Any, kind: Any, until: Any) -> sa.Select[Any]:
    kind = sa.literal(kind) if isinstance(kind, str) else kind
    return sa.select(
        person.label("fingerprint"), sa.cast(kind, sa.String).label("kind"), until.label("until")
    )


# All that is known of some people and of the program, in one query.
_program: sa.BindParameter[str] = sa.bindparam("scope")
_never = sa.type_coerce(sa.null(), UtcDateTime())
_nobody = sa.type_coerce(sa.null(), Suppression.fingerprint.type)
_FACTS = sa.union_all(
    _part(Suppression, "suppressed", _never, Suppression.program.in_((_program, ALL_PROGRAMS))),
    _part(ReviewHold, "held", ReviewHold.due_at, ReviewHold.decided_at.is_(None)),
    _fact(_nobody, "program", _never).where(Program.slug == _program),
)
_FACTS_WITH_CONSENT: sa.CompoundSelect[Any] = sa.union_all(
    *_FACTS.selects,
    _part(
        OptInRequest,
        "pending",
        OptInRequest.code_expires_at,
        OptInRequest.program == _program,
        OptInRequest.status == RequestStatus.PENDING,
    ),
    _part(
        Consent,
        Consent.channel,
        Consent.expires_at,
        Consent.program == _program,
        Consent.withdrawn_at.is_(None),
    ),
)


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
