"""What is known of a number when its text comes in: one query, under the number's lock."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.orm import aliased

from app.core import consent
from app.core.language import Intent
from app.core.models import (
    ALL_PROGRAMS,
    UNSETTLED,
    Consent,
    DeliveryStatus,
    InboundMessage,
    OptInRequest,
    OutboundMessage,
    RequestStatus,
    ReviewHold,
    Subscriber,
    Suppression,
)
from app.core.phone import Phone
from app.core.statements import Statement

_HOUR = timedelta(hours=1)

# One confirmation within five minutes (47 CFR 64.1200(a)(12)); a later one must be justified.
ANSWER_WITHIN = timedelta(minutes=5)

# Who texts STOP again just after the confirmation is not told twice (47 CFR 64.1200(a)(12):
# one confirmation); who does so another day is.
_CONFIRMED_FOR = timedelta(hours=24)


class Silence(StrEnum):
    """Why a text got no answer."""

    NOTHING_TO_SAY = "nothing_to_say"
    ANSWERED_BY_PROVIDER = "answered_by_provider"
    CONFIRMED_ALREADY = "confirmed_already"
    TOO_MANY_REPLIES = "too_many_replies"
    OVERTAKEN = "overtaken"  # found later in the provider's log, when newer words stood already
    TOO_LATE = "too_late"  # it was found in the provider's log, when no answer was due any more
    ANSWERED_APART = "answered_apart"  # found there in time: the answer is a message of its own


@dataclass(frozen=True, slots=True)
class Known:
    """The number's state. What is False here can't become true while the lock is held.

    `is_known`: its number is stored. `opted_out`: of everything, by the person. `confirmed_at`:
    when an opt-out was last answered.
    `consented`: to a program, and not withdrawn. `held`: a text waits for review. `pending`: a
    request waits for its code. `claimed`: a message is being handed to the provider. `scheduled`:
    one waits there for its time. `repeated`: this very text is stored already.
    """

    is_known: bool
    language: str | None
    opted_out: bool
    consented: bool
    held: bool
    pending: bool
    claimed: bool
    scheduled: bool
    confirmed_at: datetime | None
    replies_in_last_hour: int
    repeated: bool

    def told_recently(self, now: datetime) -> bool:
        """Whether the person has opted out already, and had it confirmed not long ago."""
        confirmed = self.confirmed_at
        return self.opted_out and confirmed is not None and now - confirmed < _CONFIRMED_FOR


def known_of(
    connection: Connection, phone: Phone, provider: str, provider_message_id: str, now: datetime
) -> Known:
    """Read it all. The subscriber's row must exist, and be locked."""
    given = {
        "person": phone.fingerprint,
        "provider": provider,
        "message_id": provider_message_id,
        "hour_ago": now - _HOUR,
    }
    (row,) = _QUERY.run(connection, given)
    return Known(*row)


def _query() -> sa.Select[Any]:
    """The columns in the order of Known."""
    person = sa.bindparam("person", type_=Subscriber.fingerprint.type)
    mine = aliased(InboundMessage)
    replied = sa.and_(mine.fingerprint == person, mine.reply.is_not(None))
    confirmed = sa.and_(
        mine.fingerprint == person,
        mine.meaning == _word(Intent.OPT_OUT),
        sa.or_(mine.reply.is_not(None), mine.silence == _word(Silence.ANSWERED_BY_PROVIDER)),
    )
    return sa.select(
        Subscriber.number.is_not(None).label("is_known"),
        Subscriber.language,
        _there_is(
            Suppression,
            person,
            Suppression.program == ALL_PROGRAMS,
            Suppression.reason == consent.OPT_OUT,
        ).label("opted_out"),
        _there_is(Consent, person, Consent.withdrawn_at.is_(None)).label("consented"),
        _there_is(ReviewHold, person, ReviewHold.decided_at.is_(None)).label("held"),
        _there_is(OptInRequest, person, OptInRequest.status == _word(RequestStatus.PENDING)).label(
            "pending"
        ),
        _there_is(
            OutboundMessage, person, OutboundMessage.status == _word(DeliveryStatus.CLAIMED)
        ).label("claimed"),
        _there_is(
            OutboundMessage,
            person,
            UNSETTLED,
            OutboundMessage.status == _word(DeliveryStatus.SCHEDULED),
        ).label("scheduled"),
        sa.select(sa.func.max(mine.received_at))
        .where(confirmed)
        .scalar_subquery()
        .label("confirmed_at"),
        sa.select(sa.func.count())
        .where(replied, mine.received_at > sa.bindparam("hour_ago"))
        .scalar_subquery()
        .label("replies_in_last_hour"),
        sa.exists()
        .where(
            InboundMessage.provider == sa.bindparam("provider"),
            InboundMessage.provider_message_id == sa.bindparam("message_id"),
        )
        .label("repeated"),
    ).where(Subscriber.fingerprint == person)


def _word(value: str) -> sa.ColumnClause[str]:
    """As a part of the statement: an index on such rows alone is found only then."""
    return sa.literal_column(f"'{value}'", sa.String)


def _there_is(table: type[Any], person: Any, *which: Any) -> Any:
    return sa.exists().where(table.fingerprint == person, *which)


_QUERY = Statement(_query())
