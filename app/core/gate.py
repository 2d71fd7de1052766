"""May this number get this message now? The one decision, behind every door.

Reads fail closed: when the list can't be read an error is raised, and nothing is sent.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.core import rekeying
from app.core.ahead import one_ahead
from app.core.database import Database, UtcDateTime
from app.core.errors import InvalidNumberError, Reason
from app.core.many import end_to_end, is_among
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

# Numbers asked for in one query. The first ones are few: who stops early, or sends to each in turn,
# is not answered about thousands that come much later.
_FIRST_BATCH, _BATCH = 100, 5000


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
    query = _query_for(scope.purpose, policy)
    given = {"people": end_to_end(people), "scope": scope.program}
    facts = query.run(connection, given)
    program = next((fact.kind for fact in facts if fact.kind in {_PROGRAM, _TIMED}), None)
    if program is None:
        return dict.fromkeys(people, Refusal(Reason.UNKNOWN_PROGRAM))
    standing = _standing(people if query is not _FACTS else (), facts, scope, at)
    refused = {person: Refusal(reason) for person, reason in standing.items()}
    if program == _TIMED and scope.purpose is not Purpose.SERVICE:
        others = [phone for phone in phones if phone.fingerprint not in refused]
        timing = not_now(connection, others, scope.program, arrives_at or at)
        refused |= {each: Refusal(Reason.QUIET_HOURS, why) for each, why in timing.items()}
    return refused


def _query_for(purpose: Purpose, policy: Policy) -> Statement:
    """To ask for a consent is marketing itself: no installation may assume the one it needs."""
    if purpose is Purpose.RENEWAL:
        return _FACTS_FOR_RENEWAL
    needs_consent = policy.consent_required and purpose is Purpose.MARKETING
    return _FACTS_WITH_CONSENT if needs_consent else _FACTS


def _standing(
    consenting: Sequence[bytes], facts: Sequence[Any], scope: Scope, at: datetime
) -> dict[bytes, Reason]:
    """What the people have decided, as far as it refuses them messages.

    `consenting`: those who need a consent.
    """
    standing: dict[bytes, Reason | None] = dict.fromkeys(consenting, Reason.NO_CONSENT)
    stopped: dict[bytes, Reason] = {}
    for person, kind, until in facts:
        match kind:
            case "suppressed":
                stopped[person] = Reason.SUPPRESSED
            case "held" if until <= at:
                # Nobody decided in time: an opt-out, whether or not a chore has said so yet.
                stopped[person] = Reason.SUPPRESSED
            case "held" if scope.purpose is not Purpose.SERVICE:
                stopped.setdefault(person, Reason.UNDER_REVIEW)
            case "pending" if standing[person] is Reason.NO_CONSENT:
                standing[person] = Reason.UNCONFIRMED
            case Channel.SMS:
                standing[person] = None if until > at else Reason.CONSENT_EXPIRED
            case Channel.EMAIL | Channel.NONE:
                standing[person] = Reason.OTHER_CHANNEL
    return {person: reason for person, reason in standing.items() if reason} | stopped


def _part(table: type[Any], kind: Any, until: Any, *which: Any) -> sa.Select[Any]:
    """What one table says of the people asked for; a consent's kind is its channel."""
    people = is_among(table.fingerprint, sa.bindparam("people", type_=sa.LargeBinary))
    return _fact(table.fingerprint, kind, until).where(people, *which)


def _fact(person: Any, kind: Any, until: Any) -> sa.Select[Any]:
    kind = sa.literal(kind) if isinstance(kind, str) else kind
    return sa.select(
        person.label("fingerprint"), sa.cast(kind, sa.String).label("kind"), until.label("until")
    )


_PROGRAM, _TIMED = "program", "timed program"  # the latter has quiet hours or a cap
_is_timed = sa.or_(Program.quiet_from.is_not(None), Program.cap_messages.is_not(None))
_kind_of_program = sa.case((_is_timed, _TIMED), else_=_PROGRAM)

# All that is known of some people and of the program, in one query.
_program: sa.BindParameter[str] = sa.bindparam("scope")
_never = sa.type_coerce(sa.null(), UtcDateTime())
_nobody = sa.type_coerce(sa.null(), Suppression.fingerprint.type)
_facts = sa.union_all(
    _part(Suppression, "suppressed", _never, Suppression.program.in_((_program, ALL_PROGRAMS))),
    _part(ReviewHold, "held", ReviewHold.due_at, ReviewHold.decided_at.is_(None)),
    _fact(_nobody, _kind_of_program, _never).where(Program.slug == _program),
)
_agreed = _part(
    Consent,
    Consent.channel,
    Consent.expires_at,
    Consent.program == _program,
    Consent.withdrawn_at.is_(None),
)
_FACTS = Statement(_facts)
_FACTS_WITH_CONSENT = Statement(
    sa.union_all(
        *_facts.selects,
        _part(
            OptInRequest,
            "pending",
            OptInRequest.code_expires_at,
            OptInRequest.program == _program,
            OptInRequest.status == RequestStatus.PENDING,
        ),
        _agreed,
    )
)
# A consent that was asked for again counts no more for a second asking.
_FACTS_FOR_RENEWAL = Statement(
    sa.union_all(*_facts.selects, _agreed.where(Consent.renewal_asked_at.is_(None)))
)


def program_exists(connection: Connection, slug: str) -> bool:
    query = sa.select(Program.slug).where(Program.slug == slug)
    return connection.execute(query).first() is not None


@dataclass(frozen=True, slots=True)
class _Batch:
    """Numbers as they were asked, as they were read, and what is said of them."""

    numbers: Sequence[str]
    phones: Sequence[Phone | None]
    refused: Mapping[bytes, Refusal] = field(default_factory=dict)


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
        """A decision for each number, in the order given, in constant memory.

        The list is asked about one batch while the next is read.
        """
        for batch in one_ahead(lambda read: self._refusals(read, scope), self._read(numbers)):
            for number, phone in zip(batch.numbers, batch.phones, strict=True):
                refusal = _UNREADABLE if phone is None else batch.refused.get(phone.fingerprint)
                reason = refusal.reason if refusal else None
                yield Decision(number, reason is None, reason)

    def _read(self, numbers: Iterable[str]) -> Iterator[_Batch]:
        remaining, size = iter(numbers), _FIRST_BATCH
        while batch := list(islice(remaining, size)):
            yield _Batch(batch, [self._phone(number) for number in batch])
            size = min(2 * size, _BATCH)

    def _refusals(self, batch: _Batch, scope: Scope) -> _Batch:
        known = {phone.fingerprint: phone for phone in batch.phones if phone is not None}
        rekeying.settle(self._database, known.values())
        with self._database.read() as connection:
            refused = refusals(connection, list(known.values()), scope, self._policy, self._clock())
        return replace(batch, refused=refused)

    def _phone(self, number: str) -> Phone | None:
        try:
            return self._phones.parse(number)
        except InvalidNumberError:
            return None


_UNREADABLE = Refusal(Reason.INVALID_NUMBER)
