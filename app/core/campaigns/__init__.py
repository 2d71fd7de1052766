"""Campaigns: one text to many subscribers of a program. Planned, sent, stopped, resumed."""

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.core.barrier import Sleep
from app.core.campaigns import plan, report, settling, unread
from app.core.campaigns.plan import Listed, Message, Planner
from app.core.campaigns.report import Outcome, Report, Standing, standing
from app.core.campaigns.sending import CampaignSender, Stopped
from app.core.campaigns.template import Template
from app.core.campaigns.turns import load, pause
from app.core.campaigns.words import CampaignStatus, RecipientStatus
from app.core.database import Database
from app.core.errors import InvalidInputError, NotNowError, UnknownProgramError
from app.core.gate import Scope, program_exists
from app.core.imports import Fault
from app.core.models import Campaign, CampaignRecipient, LedgerEntry
from app.core.outbound import Outbox
from app.core.phone import PhoneReader
from app.core.policy import Clock, Policy
from app.core.programs import terms_of

_LONGEST_NAME = 100
_MOST_A_SEGMENT = 1_000_000  # in whatever currency
THREADS = 16  # each waits for the provider most of the time


@dataclass(frozen=True, slots=True)
class NewCampaign:
    """What a campaign is to be.

    `rate`: messages a second of its sender, 0 as fast as it goes. The default is slow on purpose:
    what waits at the provider for its turn can't be called back when its person opts out.
    `max_opt_out_share`, `max_failure_share`: above these it stops itself.
    """

    name: str
    body: str
    scope: Scope
    sender: str | None = None
    rate: float = 10.0
    max_opt_out_share: float = 0.05
    max_failure_share: float = 0.2
    cost_per_segment: float | None = None

    def __post_init__(self) -> None:
        if not 0 < len(self.name.strip()) <= _LONGEST_NAME or not self.name.isprintable():
            raise InvalidInputError(f"a campaign's name has 1 to {_LONGEST_NAME} characters")
        if self.rate and not 0.01 <= self.rate <= 100_000:  # noqa: PLR2004
            raise InvalidInputError("the rate must be 0.01 to 100000 a second, or 0 for no limit")
        for share in (self.max_opt_out_share, self.max_failure_share):
            if not 0 < share <= 1:
                raise InvalidInputError("a share must be above 0 and at most 1 (5 % is 0.05)")
        if self.cost_per_segment is not None and not 0 <= self.cost_per_segment < _MOST_A_SEGMENT:
            raise InvalidInputError(f"a segment costs from 0 to less than {_MOST_A_SEGMENT}")


class Campaigns:
    """Makes campaigns, starts and stops them, says how far they are."""

    def __init__(
        self,
        database: Database,
        phones: PhoneReader,
        policy: Policy,
        outbox: Outbox,
        clock: Clock,
        sleep: Sleep = time.sleep,
    ) -> None:
        self._database = database
        self._phones = phones
        self._policy = policy
        self._clock = clock
        self._sender = CampaignSender(database, phones, policy, outbox, clock, sleep)

    def create(
        self,
        new: NewCampaign,
        columns: Iterable[str],
        listed: Iterable[Listed],
        report_fault: Callable[[Fault], object] = lambda _: None,
    ) -> int:
        """Read the list, in constant memory, and plan; the campaign's id.

        `columns` are the names that places in the text may have. Raises InvalidInputError (a place
        without column: before anything is kept), UnknownProgramError, StorageUnavailableError.
        Where reading ends early nothing is left behind; what a process that was killed left is
        found by `discard_abandoned`.
        """
        template = Template(new.body)
        template.require(columns)
        campaign_id, message = self._begin(new, template)
        planner = Planner(campaign_id, message, self._phones, self._policy)
        try:
            for batch in plan.batches(listed):
                with self._database.write() as connection:
                    unread.still_reading(connection, campaign_id, self._clock())
                    faults = planner.add(connection, batch, self._clock())
                for fault in faults:
                    report_fault(fault)
        except BaseException:
            unread.discard(self._database, campaign_id)
            raise
        values = {"plan": planner.plan.as_dict(), "status": CampaignStatus.PLANNED}
        with self._database.write() as connection:
            unread.still_reading(connection, campaign_id, self._clock())
            _change(connection, campaign_id, values | {"looked_at": None})
        return campaign_id

    def start(self, campaign_id: int) -> None:
        """Let it be sent: for the first time, or on after a process died.

        Raises NotFoundError, NotNowError where it is paused, finished or not planned.
        """
        with self._database.write() as connection:
            campaign = load(connection, campaign_id)
            if campaign.status == CampaignStatus.RUNNING:
                _give_up_lost(connection, campaign_id, self._clock())
                return
            if campaign.status == CampaignStatus.PAUSED:
                raise NotNowError(
                    f"the campaign is paused ({campaign.pause_reason}): resume it to go on"
                )
            if campaign.status != CampaignStatus.PLANNED:
                raise NotNowError(_CANNOT_RUN[CampaignStatus(campaign.status)])
            newest = connection.execute(sa.select(sa.func.max(LedgerEntry.id))).scalar() or 0
            values = {"started_at": self._clock(), "ledger_from": newest}
            self._run(connection, campaign_id, values)

    def resume(self, campaign_id: int) -> None:
        """Let a paused campaign go on. Its brake counts anew from here.

        Raises NotFoundError, NotNowError where it is not paused.
        """
        with self._database.write() as connection:
            campaign = load(connection, campaign_id)
            if campaign.status == CampaignStatus.RUNNING:
                return
            if campaign.status != CampaignStatus.PAUSED:
                raise NotNowError(f"the campaign is not paused, it is {campaign.status}")
            self._run(connection, campaign_id, {})

    def pause(self, campaign_id: int, reason: str) -> None:
        """Stop it; messages that are being handed over are finished.

        Raises NotFoundError, NotNowError where it is not running.
        """
        with self._database.write() as connection:
            campaign = load(connection, campaign_id)
            if not pause(connection, campaign_id, reason) and (
                campaign.status != CampaignStatus.PAUSED
            ):
                raise NotNowError(f"the campaign is not running, it is {campaign.status}")

    def work(self, campaign_id: int, stopped: Stopped, threads: int = THREADS) -> bool:
        """Send to its recipients until there is nothing more to do or `stopped` says so.

        False when there is nothing more to do. Any number of processes and hosts may do so at
        once. Raises NotFoundError, StorageUnavailableError.
        """
        failed = threading.Event()

        def send() -> bool:
            try:
                return self._sender.work(campaign_id, lambda: failed.is_set() or stopped())
            except BaseException:
                failed.set()
                raise

        threads = min(threads, self._database.writers_at_once)
        with ThreadPoolExecutor(threads) as pool:
            senders = [pool.submit(send) for _ in range(threads)]
        unfinished = [sender.result() for sender in senders]  # all of them, for their errors
        return any(unfinished)

    def settle(self, campaign_id: int) -> int:
        """Take over what has become known of messages whose outcome was not; how many.

        Those that surely were not sent wait again, and a finished campaign runs again for them.
        """
        return settling.settle(self._database, campaign_id, self._clock())

    def to_wake(self) -> list[int]:
        """Campaigns that should run and that nobody works on; those whose pause is over as well."""
        now = self._clock()
        is_over = sa.and_(Campaign.status == CampaignStatus.PAUSED, Campaign.resumes_at <= now)
        deserted = sa.or_(Campaign.looked_at.is_(None), Campaign.looked_at <= now - _DESERTED_AFTER)
        running = sa.select(Campaign.id).where(Campaign.status == CampaignStatus.RUNNING, deserted)
        with self._database.write() as connection:
            values = {**_RUNNING, "counted_from": now, "looked_at": None}
            connection.execute(sa.update(Campaign).where(is_over).values(values))
            return list(connection.execute(running.order_by(Campaign.id)).scalars())

    def discard_abandoned(self) -> int:
        """Remove those whose list was not read to the end; how many. A periodic chore."""
        return unread.discard_abandoned(self._database, self._clock())

    def settle_all(self) -> int:
        """As `settle`, for all campaigns. A periodic chore."""
        return sum(map(self.settle, settling.unsettled(self._database)))

    def show(self, campaign_id: int) -> Standing:
        """How it stands. Raises NotFoundError."""
        with self._database.read() as connection:
            return standing(connection, load(connection, campaign_id))

    def all(self) -> list[Standing]:
        """All campaigns, the newest first."""
        with self._database.read() as connection:
            rows = connection.execute(sa.select(Campaign).order_by(Campaign.id.desc())).all()
            return [standing(connection, row) for row in rows]

    def report(self, campaign_id: int) -> Report:
        """Everything that can be told of it. Raises NotFoundError."""
        with self._database.read() as connection:
            return report.report(connection, load(connection, campaign_id), self._clock())

    def outcomes(self, campaign_id: int) -> Iterable[Outcome]:
        """What became of each recipient, in the list's order and in constant memory."""
        return report.outcomes(self._database, campaign_id)

    def _begin(self, new: NewCampaign, template: Template) -> tuple[int, Message]:
        with self._database.write() as connection:
            if not program_exists(connection, new.scope.program):
                raise UnknownProgramError("there is no such program")
            terms = terms_of(connection, new.scope.program, self._policy, with_text=False)
            sender = new.sender or terms.sender
            row: dict[str, Any] = {
                "name": new.name.strip(),
                "program": new.scope.program,
                "purpose": new.scope.purpose,
                "sender": sender,
                "body": new.body,
                "status": CampaignStatus.PLANNING,
                "rate": new.rate,
                "max_opt_out_share": new.max_opt_out_share,
                "max_failure_share": new.max_failure_share,
                "cost_per_segment": new.cost_per_segment,
                "plan": {},
                "created_at": self._clock(),
            }
            query = sa.insert(Campaign).values(row).returning(Campaign.id)
            campaign_id = connection.execute(query).scalar_one()
        return campaign_id, Message(template, new.scope, sender, terms.language)

    def _run(self, connection: Connection, campaign_id: int, values: dict[str, Any]) -> None:
        now = self._clock()
        _give_up_lost(connection, campaign_id, now)
        counted = {"counted_from": now, "looked_at": None}
        _change(connection, campaign_id, {**_RUNNING, **counted, **values})


# Whoever works on a campaign looks after its brake every few seconds.
_DESERTED_AFTER = timedelta(seconds=20)

# How long a taken recipient's message surely can be recognised by its key.
_TRACEABLE = timedelta(days=30)

_RUNNING = {"status": CampaignStatus.RUNNING, "pause_reason": None, "resumes_at": None}

_CANNOT_RUN = {
    CampaignStatus.PLANNING: (
        "its list is still being read; if the process that read it was killed, create the campaign "
        "again (what is left of this one removes itself after an hour)"
    ),
    CampaignStatus.FINISHED: "the campaign is finished: everybody on its list had their turn",
}


def _give_up_lost(connection: Connection, campaign_id: int, now: datetime) -> None:
    """What a process that died had in its hands long ago is unknown, and not tried again.

    It may have been sent, and its message may have lost its key since (app.core.retention).
    """
    lost = sa.update(CampaignRecipient).where(
        CampaignRecipient.campaign_id == campaign_id,
        CampaignRecipient.status == RecipientStatus.TAKEN,
        CampaignRecipient.due_at <= now - _TRACEABLE,
    )
    connection.execute(lost.values(status=RecipientStatus.UNKNOWN))


def _change(connection: Connection, campaign_id: int, values: dict[str, Any]) -> None:
    connection.execute(sa.update(Campaign).where(Campaign.id == campaign_id).values(values))


__all__ = ["CampaignStatus", "Campaigns", "Listed", "NewCampaign"]
