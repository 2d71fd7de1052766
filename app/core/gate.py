"""May this number get this message now? The one decision, behind every door.

Reads fail closed: when the list can't be read an error is raised, and nothing is sent.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
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
from app.core.phone import Phone, PhoneReader
from app.core.policy import Clock, Policy
from app.core.statements import Statement
from app.core.timing import not_now

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


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why not. `detail` says more where a reason stands for more than one thing."""

    reason: Reason
    detail: str | None = None


def refusals(
    connection: Connection,
    phones: Sequence[Phone],
    scope: Scope,
    policy: Policy,
    at: datetime,
    arrives_at: datetime | None = None,
) -> dict[bytes, Refusal]:
    """The refusal for each number that may not get a message of this scope now, by fingerprint.

    With `policy.consent_required` marketing needs a recorded, confirmed and unexpired consent; a
    renewal always does, and once for each consent.
    `arrives_at`: when the message reaches the person, where that is later. Inside a transaction
    that holds a subscriber's lock the answer stays true until it commits.
    """
    people = [phone.fingerprint for phone in phones]
    need = _need_of(scope.purpose, policy)
    facts = _facts(connection, people, need, scope.program)
    program = next((fact.kind for fact in facts if fact.kind in {_PROGRAM, _TIMED}), None)
    if program is None:
        return dict.fromkeys(people, Refusal(Reason.UNKNOWN_PROGRAM))
    standing = _standing(() if need is _Need.NOTHING else people, facts, scope, at)
    refused = {person: Refusal(reason) for person, reason in standing.items()}
    if program == _TIMED and scope.purpose is not Purpose.SERVICE:
        others = [phone for phone in phones if phone.fingerprint not in refused]
        timing = not_now(connection, others, scope.program, arrives_at or at)
        refused |= {each: Refusal(Reason.QUIET_HOURS, why) for each, why in timing.items()}
    return refused


class _Need(Enum):
    """Which consent a message needs. A consent that was asked for again serves no second asking."""

    NOTHING = auto()
    CONSENT = auto()
    UNASKED_CONSENT = auto()


def _need_of(purpose: Purpose, policy: Policy) -> _Need:
    """To ask for a consent is marketing itself: no installation may assume the one it needs."""
    if purpose is Purpose.RENEWAL:
        return _Need.UNASKED_CONSENT
    needs_consent = policy.consent_required and purpose is Purpose.MARKETING
    return _Need.CONSENT if needs_consent else _Need.NOTHING


def _facts(
    connection: Connection, people: Sequence[bytes], need: _Need, program: str
) -> Sequence[Any]:
    if len(people) == 1:
        return _ABOUT_ONE[need].run(connection, {"person": people[0], "scope": program})
    return connection.execute(_ABOUT_MANY[need], {"people": people, "scope": program}).all()


def _standing(
    consenting: Sequence[bytes], facts: Sequence[Any], scope: Scope, at: datetime
) -> dict[bytes, Reason]:
    """What the people have decided, as far as it refuses them messages.

    `consenting`: those who need a consent.
    """
    standing: dict[bytes, Reason | None] = dict.fromkeys(consenting, Reason.NO_CONSENT)
    stopped: dict[bytes, Reason] = {}
    for fact in facts:
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


def _fact(person: Any, kind: Any, until: Any, *which: Any) -> sa.Select[Any]:
    """What one table says; a consent's kind is its channel."""
    kind = sa.literal(kind) if isinstance(kind, str) else kind
    columns = (
        person.label("fingerprint"),
        sa.cast(kind, sa.String).label("kind"),
        until.label("until"),
    )
    return sa.select(*columns).where(*which)


_PROGRAM, _TIMED = "program", "timed program"  # the latter has quiet hours or a cap
_is_timed = sa.or_(Program.quiet_from.is_not(None), Program.cap_messages.is_not(None))
_kind_of_program = sa.case((_is_timed, _TIMED), else_=_PROGRAM)


def _queries(is_asked_for: Callable[[Any], Any]) -> dict[_Need, sa.CompoundSelect[Any]]:
    """All that is known of some people and of the program, in one query for each need."""
    program: sa.BindParameter[str] = sa.bindparam("scope")
    never = sa.type_coerce(sa.null(), UtcDateTime())
    nobody = sa.type_coerce(sa.null(), Suppression.fingerprint.type)

    def of(table: type[Any], kind: Any, until: Any, *which: Any) -> sa.Select[Any]:
        return _fact(table.fingerprint, kind, until, is_asked_for(table.fingerprint), *which)

    facts = (
        of(Suppression, "suppressed", never, Suppression.program.in_((program, ALL_PROGRAMS))),
        of(ReviewHold, "held", ReviewHold.due_at, ReviewHold.decided_at.is_(None)),
        _fact(nobody, _kind_of_program, never, Program.slug == program),
    )
    pending = of(
        OptInRequest,
        "pending",
        OptInRequest.code_expires_at,
        OptInRequest.program == program,
        OptInRequest.status == RequestStatus.PENDING,
    )
    in_force = (Consent.program == program, Consent.withdrawn_at.is_(None))
    agreed = of(Consent, Consent.channel, Consent.expires_at, *in_force)
    return {
        _Need.NOTHING: sa.union_all(*facts),
        _Need.CONSENT: sa.union_all(*facts, pending, agreed),
        _Need.UNASKED_CONSENT: sa.union_all(
            *facts, agreed.where(Consent.renewal_asked_at.is_(None))
        ),
    }


_ABOUT_MANY = _queries(lambda person: person.in_(sa.bindparam("people", expanding=True)))
_ABOUT_ONE = {
    need: Statement(query)
    for need, query in _queries(lambda person: person == sa.bindparam("person")).items()
}


def program_exists(connection: Connection, slug: str) -> bool:
    query = sa.select(Program.slug).where(Program.slug == slug)
    return connection.execute(query).first() is not None


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
        phones = [self._phone(number) for number in numbers]
        known = {phone.fingerprint: phone for phone in phones if phone is not None}
        with self._database.read() as connection:
            refused: Mapping[bytes, Refusal] = refusals(
                connection, list(known.values()), scope, self._policy, self._clock()
            )
        for number, phone in zip(numbers, phones, strict=True):
            refusal = _UNREADABLE if phone is None else refused.get(phone.fingerprint)
            reason = refusal.reason if refusal else None
            yield Decision(number, reason is None, reason)

    def _phone(self, number: str) -> Phone | None:
        try:
            return self._phones.parse(number)
        except InvalidNumberError:
            return None


_UNREADABLE = Refusal(Reason.INVALID_NUMBER)
