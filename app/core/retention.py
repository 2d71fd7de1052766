"""Retention: what has passed its period goes, in small batches, while the gateway serves.

The periods are those of app.core.data_map. A consent's is its program's (Garante 24 Feb 2005: 24
months is the usual figure for marketing); the proof's covers the time in which a fine can be
imposed (L. 689/1981 art. 28: five years; TCPA: four).
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.core import consent, forgetting
from app.core.consent import Evidence
from app.core.database import Database
from app.core.models import (
    ALL_PROGRAMS,
    Access,
    Act,
    Campaign,
    CampaignRecipient,
    Consent,
    DeliveryReport,
    FormerFingerprint,
    HandsetCode,
    InboundMessage,
    LedgerEntry,
    LinkToken,
    OptInRequest,
    OutboundMessage,
    PersonRequest,
    ProviderDeletion,
    RateCount,
    ReviewHold,
    SimulatorMessage,
    Subscriber,
    Suppression,
)
from app.core.policy import Clock, Policy
from app.core.review import ReviewQueue

AFTER_CODE = timedelta(days=1)  # after a code's end, the request that was not confirmed
TEXTS = timedelta(days=90)  # what was texted, either way
PROOF = timedelta(days=5 * 365 + 1)  # the ledger's persons and words

_BATCH = 500  # rows in one transaction: a webhook that waits for one does not notice

Delete = Callable[[Connection, int], int]  # takes at most so many rows; how many it took


@dataclass(frozen=True, slots=True)
class Rule:
    """What goes: `doing` names it for who reads, `count` how much is due, `take` takes a batch."""

    doing: str
    count: sa.Select[Any]
    take: Delete


class Retention:
    """Deletes by age."""

    def __init__(
        self, database: Database, reviews: ReviewQueue, policy: Policy, clock: Clock
    ) -> None:
        self._database = database
        self._reviews = reviews
        self._policy = policy
        self._clock = clock

    def due(self) -> dict[str, int]:
        """How much has passed its period, by what is done to it; nothing is changed."""
        return self._counted(list(self._rules()))

    def _counted(self, rules: Sequence[Rule]) -> dict[str, int]:
        counts = [rule.count.scalar_subquery().label(rule.doing) for rule in rules]
        with self._database.read() as connection:
            found = connection.execute(sa.select(*counts)).mappings().one()
        return {doing: count for doing, count in found.items() if count}

    def prune(self) -> dict[str, int]:
        """Delete it; how much, by what was done. Stopped half-way it is whole, and goes on later.

        What it did goes to the ledger, unless it was nothing.
        """
        # A text that nobody read in time is an opt-out: it must be one before the text goes.
        self._reviews.settle_overdue()
        done: Counter[str] = Counter()
        while taken := self._round():  # what is gone may have kept something else
            done.update(taken)
        if done:
            with self._database.write() as connection:
                evidence = Evidence("retention", details={"done": dict(done)})
                consent.record(connection, Act.PRUNE, None, ALL_PROGRAMS, evidence, self._clock())
        self._database.scrub()
        return dict(done)

    def _round(self) -> dict[str, int]:
        rules = list(self._rules())
        due = self._counted(rules)  # first a look: most have nothing to do on most days
        taken = {rule.doing: self._apply(rule) for rule in rules if rule.doing in due}
        return {doing: count for doing, count in taken.items() if count}

    def _apply(self, rule: Rule) -> int:
        total = 0
        while True:
            with self._database.write() as connection:
                taken = rule.take(connection, _BATCH)
            total += taken
            if taken == 0:
                return total

    def _rules(self) -> Iterator[Rule]:
        """In an order in which nothing that is still referred to goes first."""
        now = self._clock()
        yield from _consent_rules(now)
        yield from _message_rules(now, now - self._policy.retention)
        yield from _campaign_rules(now, now - self._policy.retention)
        yield from _person_rules(now - self._policy.retention)
        yield from _housekeeping_rules(now, now - self._policy.retention)


def _consent_rules(now: datetime) -> Iterator[Rule]:
    yield Rule(
        "consents that ended, deleted",
        _count(Consent, forgetting.expired_consents(now)),
        lambda connection, limit: forgetting.drop_expired_consents(connection, now, limit),
    )
    in_use = sa.exists().where(Consent.request_id == OptInRequest.id)
    over = OptInRequest.code_expires_at <= now - AFTER_CODE
    yield _delete(
        "requests to join without a consent, deleted",
        OptInRequest,
        OptInRequest.id,
        sa.and_(over, ~in_use),
    )
    past = HandsetCode.expires_at <= now - AFTER_CODE
    yield _delete("codes to see one's data, deleted", HandsetCode, HandsetCode.fingerprint, past)
    before = now - PROOF
    yield Rule(
        "ledger entries, their person and words blanked",
        _count(LedgerEntry, forgetting.settled_entries(before)),
        lambda connection, limit: forgetting.blank_settled_entries(connection, before, limit),
    )


def _message_rules(now: datetime, last: datetime) -> Iterator[Rule]:
    texts = now - TEXTS
    inbound = {"body": None, "reply": None, "language": None, "opt_in_request_id": None}
    yield _empty(
        "texts received, emptied", InboundMessage, InboundMessage.received_at <= texts, inbound
    )
    outbound = {"body": None, "idempotency_key": None, "content_digest": None}
    yield _empty(
        "texts sent, emptied", OutboundMessage, OutboundMessage.created_at <= texts, outbound
    )
    simulated = SimulatorMessage.created_at <= texts
    yield _delete(
        "messages of the simulator, deleted", SimulatorMessage, SimulatorMessage.id, simulated
    )
    hold = ReviewHold.inbound_message_id
    old = sa.exists().where(InboundMessage.id == hold, InboundMessage.received_at <= last)
    decided = ReviewHold.decided_at.is_not(None)
    yield _delete("reviews, deleted", ReviewHold, hold, sa.and_(decided, old))
    waiting = sa.exists().where(hold == InboundMessage.id)
    gone = sa.and_(InboundMessage.received_at <= last, ~waiting)
    yield _delete("messages received, deleted", InboundMessage, InboundMessage.id, gone)
    sent = OutboundMessage.created_at <= last
    yield _delete("messages sent, deleted", OutboundMessage, OutboundMessage.id, sent)


def _campaign_rules(now: datetime, last: datetime) -> Iterator[Rule]:
    row = sa.tuple_(CampaignRecipient.campaign_id, CampaignRecipient.position)

    def of_campaign(before: datetime) -> sa.ColumnElement[bool]:
        mine = Campaign.id == CampaignRecipient.campaign_id
        return sa.exists().where(mine, Campaign.created_at <= before)

    words = sa.and_(of_campaign(now - TEXTS), CampaignRecipient.fields.is_not(None))

    def empty(connection: Connection, limit: int) -> int:
        batch = sa.select(*row.clauses).where(words).limit(limit)
        query = sa.update(CampaignRecipient).where(row.in_(batch), words).values(fields=None)
        return connection.execute(query).rowcount

    yield Rule("fields of campaigns, emptied", _count(CampaignRecipient, words), empty)
    yield _delete("campaigns' recipients, deleted", CampaignRecipient, row, of_campaign(last))


def _person_rules(last: datetime) -> Iterator[Rule]:
    me = Subscriber.fingerprint
    quiet = [Subscriber.first_seen_at <= last] + [
        ~sa.exists().where(table.fingerprint == me)
        for table in (Consent, OptInRequest, InboundMessage, OutboundMessage, CampaignRecipient)
    ]
    held_back = sa.exists().where(Suppression.fingerprint == me)
    fresh = sa.exists().where(Suppression.fingerprint == me, Suppression.since > last)
    unused = ~sa.exists().where(OutboundMessage.fingerprint == LinkToken.fingerprint)
    yield _delete("links to personal pages, deleted", LinkToken, LinkToken.token_hash, unused)
    known = sa.or_(Subscriber.number.is_not(None), Subscriber.language.is_not(None))
    forget = sa.and_(*quiet, held_back, ~fresh, known)
    blank = {"number": None, "language": None}
    emptied = sa.update(Subscriber).values(blank)
    yield _locked("numbers that only stay silent, forgotten", forget, emptied)
    yield _locked("subscribers, deleted", sa.and_(*quiet, ~held_back), sa.delete(Subscriber))


def _housekeeping_rules(now: datetime, last: datetime) -> Iterator[Rule]:
    unneeded = ~sa.exists().where(LedgerEntry.fingerprint == FormerFingerprint.former)
    yield _delete(
        "former fingerprints, deleted", FormerFingerprint, FormerFingerprint.former, unneeded
    )
    over = RateCount.expires_at <= now
    yield _delete("counts of requests, deleted", RateCount, RateCount.key, over)
    yield _delete("accesses, deleted", Access, Access.id, Access.at <= last)
    report = sa.tuple_(
        DeliveryReport.provider, DeliveryReport.provider_message_id, DeliveryReport.status
    )
    reported = DeliveryReport.reported_at <= last
    yield _delete("delivery reports, deleted", DeliveryReport, report, reported)
    closed = PersonRequest.closed_at <= last
    yield _delete("requests of people, deleted", PersonRequest, PersonRequest.id, closed)
    copy = sa.tuple_(ProviderDeletion.provider, ProviderDeletion.provider_message_id)
    done = ProviderDeletion.done_at <= last
    yield _delete("provider deletions that are done, deleted", ProviderDeletion, copy, done)


def _count(table: type[Any], due: sa.ColumnElement[bool]) -> sa.Select[Any]:
    return sa.select(sa.func.count()).select_from(table).where(due)


def _delete(doing: str, table: type[Any], key: Any, due: sa.ColumnElement[bool]) -> Rule:
    columns = list(key.clauses) if isinstance(key, sa.Tuple) else [key]

    def take(connection: Connection, limit: int) -> int:
        batch = sa.select(*columns).where(due).limit(limit)
        return connection.execute(sa.delete(table).where(key.in_(batch), due)).rowcount

    return Rule(doing, _count(table, due), take)


def _empty(
    doing: str, table: type[Any], old: sa.ColumnElement[bool], values: Mapping[str, None]
) -> Rule:
    due = sa.and_(old, sa.or_(*(getattr(table, column).is_not(None) for column in values)))

    def take(connection: Connection, limit: int) -> int:
        batch = sa.select(table.id).where(due).limit(limit)
        return connection.execute(
            sa.update(table).where(table.id.in_(batch)).values(dict(values))
        ).rowcount

    return Rule(doing, _count(table, due), take)


def _locked(doing: str, due: sa.ColumnElement[bool], change: Any) -> Rule:
    """For subscribers: locked first, and looked at again, as a text may come in at this moment."""

    def take(connection: Connection, limit: int) -> int:
        query = sa.select(Subscriber.fingerprint).where(due).limit(limit)
        locked = connection.execute(query.with_for_update(skip_locked=True)).scalars().all()
        mine = Subscriber.fingerprint.in_(locked)
        return connection.execute(change.where(mine, due)).rowcount

    return Rule(doing, _count(Subscriber, due), take)
