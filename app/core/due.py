"""The clocks that the law runs: what is still to be done, and by when.

Opt-outs at once (at most ten business days: 47 CFR 64.1200(a)(10)), and confirmed within five
minutes ((a)(12)); access and erasure within a month (GDPR art. 12(3)); a held text before its time
makes it an opt-out; consents to be asked for while they last; what has passed its period.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from app.core.database import Database, UtcDateTime
from app.core.known import ANSWER_WITHIN
from app.core.models import (
    ALL_PROGRAMS,
    UNCONFIRMED,
    UNSETTLED,
    Channel,
    Consent,
    CopySearch,
    DeliveryStatus,
    InboundMessage,
    OutboundMessage,
    PersonRequest,
    ProviderDeletion,
    RequestKind,
    ReviewHold,
    Suppression,
)
from app.core.policy import Clock, Policy
from app.core.retention import Retention

OPT_OUTS_WITHIN = timedelta(days=10)  # as if every day were a business day: stricter is simpler
A_MONTH = timedelta(days=30)
PRUNED_WITHIN = timedelta(days=2)
_ALARM_BEFORE = timedelta(days=2)
_MISSED_FOR = timedelta(days=1)  # so long a confirmation that was not given stays an alarm


@dataclass(frozen=True, slots=True)
class Clockwork:
    """One kind of duty: how many are open, and when the first of them is late.

    `alarm`: how long before that somebody should look at it.
    """

    name: str
    count: int
    by: datetime | None = None
    alarm: timedelta = _ALARM_BEFORE

    def is_late(self, now: datetime) -> bool:
        return self.by is not None and self.by <= now

    def is_near(self, now: datetime) -> bool:
        """Whether somebody should look at it now, before it is late."""
        return self.by is not None and self.by <= now + self.alarm


class Duties:
    """Reads the clocks."""

    def __init__(
        self, database: Database, retention: Retention, policy: Policy, clock: Clock
    ) -> None:
        self._database = database
        self._retention = retention
        self._policy = policy
        self._clock = clock

    def all(self) -> list[Clockwork]:
        """Every clock; that of retention reads whole tables."""
        overdue = sum(self._retention.due().values())
        by = self._clock() + PRUNED_WITHIN if overdue else None
        return [*self.quick(), Clockwork("rows past their period", overdue, by)]

    def quick(self) -> list[Clockwork]:
        """Those that indexes answer, however often they are asked."""
        now = self._clock()
        return [
            self._read("texts held for review", sa.func.min(ReviewHold.due_at), _held()),
            self._read(
                "scheduled messages to who opted out",
                sa.func.min(Suppression.since),
                _unhonoured(),
                OPT_OUTS_WITHIN,
            ),
            self._read(
                "opt-outs not confirmed",
                sa.func.min(InboundMessage.received_at),
                _unconfirmed(now),
                ANSWER_WITHIN,
                alarm=ANSWER_WITHIN / 2,
            ),
            *(self._requests(kind) for kind in RequestKind),
            self._read(
                "copies that the provider must delete",
                sa.func.min(ProviderDeletion.asked_at),
                [ProviderDeletion.done_at.is_(None)],
                A_MONTH,
                alarm=timedelta(days=7),
            ),
            self._read(
                "spans of the provider's log to search for copies",
                sa.func.min(CopySearch.until),
                [],
                A_MONTH,
                alarm=timedelta(days=7),
            ),
            self._read(
                "consents near their end, not asked for",
                sa.func.min(Consent.expires_at),
                _ending(now, self._policy.renewal),
            ),
        ]

    def _requests(self, kind: RequestKind) -> Clockwork:
        mine = [PersonRequest.closed_at.is_(None), PersonRequest.kind == kind]
        first = sa.func.min(PersonRequest.asked_at)
        return self._read(f"requests for {kind}", first, mine, A_MONTH, alarm=timedelta(days=7))

    def _read(
        self,
        name: str,
        first: Any,
        which: list[Any],
        within: timedelta = timedelta(),
        alarm: timedelta = _ALARM_BEFORE,
    ) -> Clockwork:
        earliest = sa.type_coerce(first, UtcDateTime())
        query = sa.select(sa.func.count(), earliest).where(*which)
        with self._database.read() as connection:
            count, since = connection.execute(query).one()
        return Clockwork(name, count, None if since is None else since + within, alarm)


def _held() -> list[Any]:
    return [ReviewHold.decided_at.is_(None)]


def _unhonoured() -> list[Any]:
    return [
        UNSETTLED,
        OutboundMessage.status == sa.literal(str(DeliveryStatus.SCHEDULED), literal_execute=True),
        Suppression.fingerprint == OutboundMessage.fingerprint,
        Suppression.program.in_((ALL_PROGRAMS, OutboundMessage.program)),
    ]


def _unconfirmed(now: datetime) -> list[Any]:
    """Opt-outs that no webhook answered, and no message since."""
    answer = sa.exists().where(
        OutboundMessage.requester == "answer",
        OutboundMessage.idempotency_key == sa.cast(InboundMessage.id, sa.String),
        OutboundMessage.provider_message_id.is_not(None),
    )
    return [UNCONFIRMED, InboundMessage.received_at > now - _MISSED_FOR, ~answer]


def _ending(now: datetime, window: timedelta) -> list[Any]:
    return [
        Consent.withdrawn_at.is_(None),
        Consent.renewal_asked_at.is_(None),
        Consent.channel == Channel.SMS,  # nobody else can be asked by SMS
        Consent.expires_at > now,
        Consent.expires_at <= now + window,
    ]
