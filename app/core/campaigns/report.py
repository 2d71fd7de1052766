"""How a campaign stands, and what came of it: counts, reasons, opt-outs, and when they came."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.core.campaigns.brake import opt_outs
from app.core.campaigns.turns import load
from app.core.campaigns.words import OPEN, CampaignStatus, RecipientStatus, requester_of
from app.core.database import Database
from app.core.models import CampaignRecipient, OutboundMessage, Subscriber

_R = CampaignRecipient
_PAGE = 1000
_MOST_STEPS = 60  # of a timeline
# Seconds that one step of a timeline may last: round ones.
_STEPS = (1, 5, 15, 60, 300, 900, 3600, 6 * 3600, 86_400, 7 * 86_400, 30 * 86_400, 365 * 86_400)


@dataclass(frozen=True, slots=True)
class Standing:
    """A campaign at this moment.

    `counts` has every RecipientStatus; `refused` the gate's reasons, `failed` the provider's error
    codes (0: none was given); `cost` of what was sent, in the currency of the given rate.
    """

    id: int
    name: str
    program: str
    purpose: str
    sender: str | None
    status: CampaignStatus
    pause_reason: str | None
    resumes_at: datetime | None
    rate: float
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    plan: Mapping[str, Any]
    estimated_cost: float | None
    counts: Mapping[str, int]
    refused: Mapping[str, int]
    failed: Mapping[int, int]
    segments: int
    cost: float | None

    @property
    def settled(self) -> int:
        """How many had their turn."""
        return sum(self.counts.values()) - sum(self.counts[each] for each in OPEN)


@dataclass(frozen=True, slots=True)
class Step:
    """A stretch of a timeline."""

    at: datetime
    sent: int
    opted_out: int


@dataclass(frozen=True, slots=True)
class Report:
    """`delivery`: what became of the sent messages since; `step` is the timeline's, in seconds."""

    standing: Standing
    delivery: Mapping[str, int]
    opt_outs: int
    opt_out_share: float
    step: int
    timeline: Sequence[Step]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one recipient. `to` is None once the person was erased."""

    position: int
    to: str | None
    status: str
    reason: str | None
    error_code: int | None
    settled_at: datetime | None
    segments: int | None
    message_id: str | None
    delivery: str | None
    opted_out_at: datetime | None


def standing(connection: Connection, campaign: Any) -> Standing:
    """Count its recipients; one query over an index, however it stands."""
    query = (
        sa.select(
            _R.status,
            _R.reason,
            _R.error_code,
            sa.func.count().label("people"),
            sa.func.coalesce(sa.func.sum(_R.segments), 0).label("segments"),
        )
        .where(_R.campaign_id == campaign.id)
        .group_by(_R.status, _R.reason, _R.error_code)
    )
    counts = dict.fromkeys((each.value for each in RecipientStatus), 0)
    refused: Counter[str] = Counter()
    failed: Counter[int] = Counter()
    segments = 0
    for row in connection.execute(query):
        counts[row.status] += row.people
        segments += row.segments
        if row.status == RecipientStatus.REFUSED:
            refused[row.reason] += row.people
        if row.status == RecipientStatus.FAILED:
            failed[row.error_code or 0] += row.people
    own = {name: getattr(campaign, name) for name in _OWN}
    return Standing(
        **own,
        status=CampaignStatus(campaign.status),
        estimated_cost=_cost(campaign, campaign.plan.get("segments", 0)),
        counts=counts,
        refused=dict(refused),
        failed=dict(failed),
        segments=segments,
        cost=_cost(campaign, segments),
    )


_OWN = (
    *("id", "name", "program", "purpose", "sender", "pause_reason", "resumes_at", "rate"),
    *("created_at", "started_at", "finished_at", "plan"),
)


def report(connection: Connection, campaign: Any, now: datetime) -> Report:
    """All of it; `now` ends the timeline of a campaign that is not finished."""
    now_standing = standing(connection, campaign)
    left = connection.execute(opt_outs(campaign)).all()
    sent = now_standing.counts[RecipientStatus.SENT]
    step, timeline = _timeline(connection, campaign, [row.at for row in left], now)
    return Report(
        standing=now_standing,
        delivery=_delivery(connection, campaign),
        opt_outs=len(left),
        opt_out_share=len(left) / sent if sent else 0.0,
        step=step,
        timeline=timeline,
    )


def outcomes(database: Database, campaign_id: int) -> Iterator[Outcome]:
    """Each recipient, page by page."""
    with database.read() as connection:
        campaign = load(connection, campaign_id)
        left = {row.position: row.at for row in connection.execute(opt_outs(campaign))}
    after = 0
    while True:
        with database.read() as connection:
            rows = connection.execute(_page(campaign_id, after)).mappings().all()
        for row in rows:
            yield Outcome(**row, opted_out_at=left.get(row["position"]))
        if not rows:
            return
        after = rows[-1]["position"]


def _page(campaign_id: int, after: int) -> sa.Select[*tuple[Any, ...]]:
    return (
        sa.select(
            *(_R.position, Subscriber.number.label("to"), _R.status, _R.reason, _R.error_code),
            *(_R.settled_at, _R.segments, _R.message_id, OutboundMessage.status.label("delivery")),
        )
        .join(Subscriber, Subscriber.fingerprint == _R.fingerprint)
        .outerjoin(OutboundMessage, OutboundMessage.id == _R.message_id)
        .where(_R.campaign_id == campaign_id, _R.position > after)
        .order_by(_R.position)
        .limit(_PAGE)
    )


def _delivery(connection: Connection, campaign: Any) -> dict[str, int]:
    query = (
        sa.select(OutboundMessage.status, sa.func.count().label("people"))
        .where(
            OutboundMessage.requester == requester_of(campaign.id),
            OutboundMessage.provider_message_id.is_not(None),
        )
        .group_by(OutboundMessage.status)
    )
    return {row.status: row.people for row in connection.execute(query)}


def _timeline(
    connection: Connection, campaign: Any, left: Sequence[datetime], now: datetime
) -> tuple[int, list[Step]]:
    start = campaign.started_at
    if start is None:
        return _STEPS[0], []
    end = max([campaign.finished_at or now, *left])
    step = _step(end - start)
    sent = {row.place: row.people for row in connection.execute(_sends(campaign, start, step))}
    opted_out = Counter(int((at - start).total_seconds()) // step for at in left)
    last = max([*sent, *opted_out], default=0)
    return step, [
        Step(start + timedelta(seconds=place * step), sent.get(place, 0), opted_out[place])
        for place in range(last + 1)
    ]


def _step(span: timedelta) -> int:
    fitting = (step for step in _STEPS if span.total_seconds() / step <= _MOST_STEPS)
    return next(fitting, _STEPS[-1])


def _sends(campaign: Any, start: datetime, step: int) -> sa.Select[int, int]:
    """How many were sent in each step, by its place from 0."""
    seconds = sa.cast(sa.func.floor(sa.extract("epoch", _R.settled_at)), sa.BigInteger)
    place = ((seconds - int(start.timestamp())) // step).label("place")
    return (
        sa.select(place, sa.func.count().label("people"))
        .where(_R.campaign_id == campaign.id, _R.status == RecipientStatus.SENT)
        .group_by(place)
    )


def _cost(campaign: Any, segments: int) -> float | None:
    rate = campaign.cost_per_segment
    return None if rate is None else round(rate * segments, 4)
