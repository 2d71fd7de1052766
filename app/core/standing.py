"""What is known of a person when a text comes in: one look, under the number's lock."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.core import consent
from app.core.barrier import IN_FLIGHT
from app.core.language import Intent
from app.core.models import (
    ALL_PROGRAMS,
    Consent,
    InboundMessage,
    OptInRequest,
    OutboundMessage,
    RequestStatus,
    ReviewHold,
    Subscriber,
    Suppression,
)
from app.core.phone import Phone
from app.core.provider import InboundMessage as Message

_HOUR = timedelta(hours=1)

# Who texts STOP again just after the confirmation is not told twice (47 CFR 64.1200(a)(12):
# one confirmation); who does so another day is.
_CONFIRMED_FOR = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Standing:
    """`repeated`: this very message was stored before. `consented`: a consent is not withdrawn.

    `asked`: a request waits for its code. `held`: a text waits for review. `in_flight`: a message
    is being handed to the provider.
    """

    repeated: bool
    language: str | None
    suppressed: bool
    confirmed_at: datetime | None
    replies_in_last_hour: int
    consented: bool
    asked: bool
    held: bool
    in_flight: bool

    def told_recently(self, now: datetime) -> bool:
        """Whether the person has opted out already, and had it confirmed not long ago."""
        confirmed = self.confirmed_at
        return self.suppressed and confirmed is not None and now - confirmed < _CONFIRMED_FOR


def standing_of(connection: Connection, phone: Phone, message: Message, now: datetime) -> Standing:
    which = {
        "person": phone.fingerprint,
        "provider": message.provider,
        "message_id": message.provider_message_id,
        "an_hour_ago": now - _HOUR,
    }
    return Standing(*connection.execute(_QUERY, which).one())


_person = sa.bindparam("person", type_=Subscriber.fingerprint.type)
_repeated = sa.exists().where(
    InboundMessage.provider == sa.bindparam("provider"),
    InboundMessage.provider_message_id == sa.bindparam("message_id"),
)
_language = sa.select(Subscriber.language).where(Subscriber.fingerprint == _person)
_suppressed = sa.exists().where(
    Suppression.fingerprint == _person,
    Suppression.program == ALL_PROGRAMS,
    Suppression.reason == consent.OPT_OUT,
)
_replied = sa.and_(InboundMessage.fingerprint == _person, InboundMessage.reply.is_not(None))
_confirmed = sa.select(sa.func.max(InboundMessage.received_at)).where(
    _replied, InboundMessage.meaning == Intent.OPT_OUT
)
_replies = sa.select(sa.func.count()).where(
    _replied, InboundMessage.received_at > sa.bindparam("an_hour_ago")
)
_consented = sa.exists().where(Consent.fingerprint == _person, Consent.withdrawn_at.is_(None))
_asked = sa.exists().where(
    OptInRequest.fingerprint == _person, OptInRequest.status == RequestStatus.PENDING
)
_held = sa.exists().where(ReviewHold.fingerprint == _person, ReviewHold.decided_at.is_(None))
_in_flight = sa.exists().where(OutboundMessage.fingerprint == _person, IN_FLIGHT)
_QUERY = sa.select(
    _repeated,
    _language.scalar_subquery(),
    _suppressed,
    _confirmed.scalar_subquery(),
    _replies.scalar_subquery(),
    _consented,
    _asked,
    _held,
    _in_flight,
)
