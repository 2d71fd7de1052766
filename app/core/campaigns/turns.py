"""Taking recipients in turn, so that many processes on many hosts never hold the same one.

A recipient that is taken comes up again by itself when its time has passed: a process that was
killed needs nobody to clean up. Whoever takes it up then asks the outbox with the same idempotency
key, and is told what became of the first attempt instead of sending a second time.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.core.campaigns.words import OPEN, CampaignStatus, RecipientStatus
from app.core.database import Database, insert
from app.core.errors import NotFoundError
from app.core.gate import Scope, refusals
from app.core.models import Campaign, CampaignRecipient, Purpose, SenderPace, Subscriber
from app.core.phone import PhoneReader
from app.core.policy import Clock, Policy

TAKEN_FOR = timedelta(seconds=60)
# Whoever has held recipients this long gives the rest back, well before others may take them.
HELD_FOR = timedelta(seconds=30)
_AT_ONCE = 20  # taken by one thread: few, so that a stop or a crash concerns few
_AHEAD = timedelta(seconds=1)  # a sender's time is not given away further ahead than this
_SOON = timedelta(minutes=2)  # what comes up within this is waited for; for more the run pauses

_R = CampaignRecipient


@dataclass(frozen=True, slots=True)
class Taken:
    """A recipient and the number, which is None once the person was erased.

    `held_until` tells this turn from a later one, of whoever took the recipient up after it.
    `place` among the turn's moments to send; None for who needs none, as the gate will refuse.
    """

    position: int
    attempt: int
    held_until: datetime
    number: str | None
    fields: Mapping[str, str]
    place: int | None = 0


@dataclass(frozen=True, slots=True)
class Turn:
    """What to do next: send to `recipients` from `starts_at` on, `spacing` apart; or wait; or end.

    `campaign` is None where there is nothing more to do, now or at all.
    """

    campaign: Any = None
    recipients: Sequence[Taken] = ()
    starts_at: datetime | None = None
    spacing: timedelta = timedelta()
    wait: timedelta = timedelta()


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of a recipient in this attempt, as columns of its row."""

    taken: Taken
    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def status(self) -> RecipientStatus:
        return RecipientStatus(self.values["status"])


class Turns:
    """Takes recipients, and writes down what became of them."""

    def __init__(
        self, database: Database, phones: PhoneReader, policy: Policy, clock: Clock
    ) -> None:
        self._database = database
        self._phones = phones
        self._policy = policy
        self._clock = clock

    def take(self, campaign_id: int) -> Turn:
        """The next recipients that are due. Raises NotFoundError, StorageUnavailableError."""
        now = self._clock()
        with self._database.write() as connection:
            campaign = load(connection, campaign_id)
            if campaign.status != CampaignStatus.RUNNING:
                return Turn()
            # The sender's row comes first, and is held: one turn of a sender is taken at a time.
            starts_at = max(now, paced_until(connection, campaign, now))
            if starts_at - now > _AHEAD:
                return Turn(campaign, wait=starts_at - now - _AHEAD / 2)
            recipients = _take_due(connection, campaign, now)
            if not recipients:
                return _nobody_due(connection, campaign, now)
            if not campaign.rate:
                return Turn(campaign, recipients, starts_at)
            spacing = timedelta(seconds=1 / campaign.rate)
            recipients, moments = self._placed(connection, campaign, recipients, now)
            _pace(connection, campaign, starts_at + moments * spacing)
            return Turn(campaign, recipients, starts_at, spacing)

    def _placed(
        self, connection: Connection, campaign: Any, recipients: Sequence[Taken], now: datetime
    ) -> tuple[list[Taken], int]:
        """Give out moments to send, and say how many: who is refused must not use up any.

        This only foretells the gate's decision, which is made when the message is handed over.
        """
        phones = [self._phones.read_sender(each.number) for each in recipients if each.number]
        scope = Scope(campaign.program, Purpose(campaign.purpose))
        refused = refusals(connection, phones, scope, self._policy, now)
        free = {phone.e164 for phone in phones if phone.fingerprint not in refused}
        places = iter(range(len(recipients)))
        placed = [
            replace(each, place=next(places) if each.number in free else None)
            for each in recipients
        ]
        return placed, sum(each.place is not None for each in placed)

    def record(self, campaign_id: int, settled: Sequence[Settled]) -> None:
        """Write down what became of recipients, each only if this attempt is still the last."""
        by_columns: dict[tuple[str, ...], list[Settled]] = {}
        for each in sorted(settled, key=lambda each: each.taken.position):
            by_columns.setdefault(tuple(sorted(each.values)), []).append(each)
        with self._database.write() as connection:
            for group in by_columns.values():
                _write(connection, campaign_id, group)

    def give_back(self, campaign_id: int, recipients: Iterable[Taken]) -> None:
        """Let others have these at once: they were not tried."""
        values = {"status": RecipientStatus.WAITING, "due_at": self._clock()}
        rest = [Settled(each, values) for each in recipients]
        if rest:
            self.record(campaign_id, rest)

    def hold_off(self, campaign: Any, until: datetime) -> None:
        """The provider wants less, or can't be reached: nobody sends for this sender until then."""
        with self._database.write() as connection:
            current = paced_until(connection, campaign, until)
            _pace(connection, campaign, max(until, current))


def load(connection: Connection, campaign_id: int) -> Any:
    """A campaign's row. Raises NotFoundError."""
    row = connection.execute(sa.select(Campaign).where(Campaign.id == campaign_id)).first()
    if row is None:
        raise NotFoundError("there is no such campaign")
    return row


def paced_until(connection: Connection, campaign: Any, now: datetime) -> datetime:
    """Until when the sender's time is given away; its row is locked, where the rate needs that."""
    sender = campaign.sender or ""
    if not campaign.rate:
        query = sa.select(SenderPace.paced_until).where(SenderPace.sender == sender)
        return connection.execute(query).scalar() or now
    row = {"sender": sender, "paced_until": now}
    locking = insert(SenderPace).values(row)
    locking = locking.on_conflict_do_update(index_elements=["sender"], set_={"sender": sender})
    return connection.execute(locking.returning(SenderPace.paced_until)).scalar_one()


def _pace(connection: Connection, campaign: Any, until: datetime) -> None:
    row = {"sender": campaign.sender or "", "paced_until": until}
    query = insert(SenderPace).values(row)
    connection.execute(
        query.on_conflict_do_update(index_elements=["sender"], set_={"paced_until": until})
    )


def _take_due(connection: Connection, campaign: Any, now: datetime) -> list[Taken]:
    count = max(1, min(_AT_ONCE, int(campaign.rate))) if campaign.rate else _AT_ONCE
    # Rows that another process is just taking are passed over, not waited for. SQLite knows no
    # such lock and needs none: its transactions that write exclude each other.
    due = (
        sa.select(_R.position, _R.attempt, _R.fields, Subscriber.number)
        .join(Subscriber, Subscriber.fingerprint == _R.fingerprint)
        .where(_R.campaign_id == campaign.id, _is_open(), _R.due_at <= now)
        .order_by(_R.due_at, _R.position)
        .limit(count)
        .with_for_update(skip_locked=True, of=_R)
    )
    rows = connection.execute(due).all()
    held_until = now + TAKEN_FOR
    if rows:
        values = {"status": RecipientStatus.TAKEN, "due_at": held_until}
        positions = [row.position for row in rows]
        connection.execute(
            sa.update(_R)
            .where(_R.campaign_id == campaign.id, _R.position.in_(positions))
            .values(values)
        )
    return [
        Taken(row.position, row.attempt, held_until, row.number, row.fields or {}) for row in rows
    ]


def _nobody_due(connection: Connection, campaign: Any, now: datetime) -> Turn:
    """Nobody can be sent to at this moment: for a moment, for hours, or any more."""
    query = sa.select(sa.func.min(_R.due_at)).where(_R.campaign_id == campaign.id, _is_open())
    next_due = connection.execute(query).scalar()
    if next_due is None:
        change_running(
            connection, campaign.id, {"status": CampaignStatus.FINISHED, "finished_at": now}
        )
        return Turn()
    if next_due - now > _SOON:
        until = f"{next_due:%Y-%m-%d %H:%M} UTC"
        reason = f"everybody left is in quiet hours, or waits for another reason, until {until}"
        pause(connection, campaign.id, reason, next_due)
        return Turn()
    return Turn(campaign, wait=max(next_due - now, timedelta()))


def pause(
    connection: Connection, campaign_id: int, reason: str, resumes_at: datetime | None = None
) -> bool:
    """Stop a running campaign; False where it is not running. Those being sent to are finished."""
    values = {"status": CampaignStatus.PAUSED, "pause_reason": reason, "resumes_at": resumes_at}
    return change_running(connection, campaign_id, values)


def change_running(connection: Connection, campaign_id: int, values: Mapping[str, Any]) -> bool:
    """Change a campaign if it is running: whoever comes second changes nothing."""
    query = sa.update(Campaign).where(
        Campaign.id == campaign_id, Campaign.status == CampaignStatus.RUNNING
    )
    return connection.execute(query.values(values)).rowcount > 0


def _write(connection: Connection, campaign_id: int, group: Sequence[Settled]) -> None:
    """Rows of one kind: their values name the same columns."""
    columns = {
        name: sa.bindparam(f"new_{name}", type_=getattr(_R, name).type) for name in group[0].values
    }
    query = sa.update(_R).where(
        _R.campaign_id == campaign_id,
        _R.position == sa.bindparam("at"),
        _R.attempt == sa.bindparam("tried"),
        # Whoever comes late may still know that the message was sent, and is believed. That it was
        # not sent, not tried or is unknown only the holder may say: another may have sent it since.
        sa.or_(
            sa.and_(_R.status == RecipientStatus.TAKEN, _R.due_at == sa.bindparam("held_until")),
            sa.and_(
                sa.bindparam("is_final", type_=sa.Boolean),
                sa.or_(
                    _R.status == RecipientStatus.TAKEN,
                    _R.status == RecipientStatus.WAITING,
                    _R.status == RecipientStatus.UNKNOWN,
                ),
            ),
        ),
    )
    rows = [
        {f"new_{name}": value for name, value in each.values.items()}
        | {"at": each.taken.position, "tried": each.taken.attempt}
        | {"held_until": each.taken.held_until}
        | {"is_final": each.status not in {*OPEN, RecipientStatus.UNKNOWN}}
        for each in group
    ]
    connection.execute(query.values(columns), rows)


def _is_open() -> sa.ColumnElement[bool]:
    """In the statement itself, so that the index on such rows alone is found."""
    return _R.status.in_([sa.literal(str(each), literal_execute=True) for each in OPEN])
