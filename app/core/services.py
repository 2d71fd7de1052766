"""The parts of the core, put together once and handed to every door."""

import time
from dataclasses import dataclass
from typing import Self

from app.core.accesses import Accesses
from app.core.api_keys import ApiKeys
from app.core.barrier import Sleep
from app.core.campaigns import Campaigns
from app.core.copies import CopySearches
from app.core.database import Database
from app.core.deletions import Deletions
from app.core.delivery import DeliveryLog
from app.core.dossier import Dossiers
from app.core.due import Duties
from app.core.erasure_list import ErasureList
from app.core.gate import Gate
from app.core.handset import Handsets
from app.core.history import Histories
from app.core.inbound import Inbox
from app.core.joining import JoinForm
from app.core.ledger import Ledger
from app.core.limits import Limiter
from app.core.optin import OptIns
from app.core.outbound import Outbox
from app.core.outcomes import Outcomes
from app.core.person_requests import PersonRequests
from app.core.phone import PhoneReader
from app.core.policy import Clock, Policy, utc_now
from app.core.preferences import Preferences
from app.core.privacy import Privacy
from app.core.programs import Programs
from app.core.provider import Provider
from app.core.reconcile import Reconciler
from app.core.rekeying import Rekeying
from app.core.renewal import Renewals
from app.core.retention import Retention
from app.core.review import ReviewQueue
from app.core.scheduled import ScheduledMessages
from app.core.suppressions import SuppressionList
from app.core.unknown import UnknownOutcomes


@dataclass(frozen=True, slots=True)
class Services:
    """What the doors call. Threads share it; each process makes its own."""

    database: Database
    phones: PhoneReader
    policy: Policy
    clock: Clock
    provider: Provider
    gate: Gate
    inbox: Inbox
    outbox: Outbox
    outcomes: Outcomes
    scheduled: ScheduledMessages
    unknowns: UnknownOutcomes
    reconciler: Reconciler
    programs: Programs
    opt_ins: OptIns
    campaigns: Campaigns
    join_form: JoinForm
    preferences: Preferences
    handsets: Handsets
    deliveries: DeliveryLog
    suppressions: SuppressionList
    reviews: ReviewQueue
    histories: Histories
    api_keys: ApiKeys
    ledger: Ledger
    limiter: Limiter
    dossiers: Dossiers
    privacy: Privacy
    renewals: Renewals
    retention: Retention
    deletions: Deletions
    copy_searches: CopySearches
    erasure_list: ErasureList
    rekeying: Rekeying
    accesses: Accesses
    person_requests: PersonRequests
    duties: Duties

    @classmethod
    def build(
        cls,
        database: Database,
        phones: PhoneReader,
        policy: Policy,
        provider: Provider,
        clock: Clock = utc_now,
        sleep: Sleep = time.sleep,
    ) -> Self:
        scheduled = ScheduledMessages(database, provider, clock)
        outbox = Outbox(database, provider, phones, policy, clock, sleep, scheduled)
        outcomes = Outcomes(database, clock, sleep)
        inbox = Inbox(database, phones, policy, scheduled, clock, sleep)
        opt_ins = OptIns(database, phones, policy, outbox, clock)
        reviews = ReviewQueue(database, clock)
        deletions = Deletions(database, provider, clock)
        retention = Retention(database, reviews, policy, clock)
        return cls(
            database=database,
            phones=phones,
            policy=policy,
            clock=clock,
            provider=provider,
            gate=Gate(database, phones, policy, clock),
            inbox=inbox,
            outbox=outbox,
            outcomes=outcomes,
            scheduled=scheduled,
            unknowns=UnknownOutcomes(database, provider, outcomes, clock),
            reconciler=Reconciler(database, provider, phones, inbox, outbox, clock),
            programs=Programs(database, policy, clock),
            opt_ins=opt_ins,
            campaigns=Campaigns(database, phones, policy, outbox, clock, sleep),
            join_form=JoinForm(database, policy, opt_ins, clock),
            preferences=Preferences(database, phones, policy, scheduled, clock, sleep),
            handsets=Handsets(database, phones, policy, outbox, clock),
            deliveries=DeliveryLog(database, phones, policy, clock),
            suppressions=SuppressionList(database, phones, clock),
            reviews=reviews,
            histories=Histories(database),
            api_keys=ApiKeys(database, clock),
            ledger=Ledger(database, clock),
            limiter=Limiter(database, clock),
            dossiers=Dossiers(database, phones, policy, provider.name, clock),
            privacy=Privacy(database, phones, provider, scheduled, deletions, clock, sleep),
            renewals=Renewals(database, phones, policy, outbox, clock),
            retention=retention,
            deletions=deletions,
            copy_searches=CopySearches(database, provider, phones, clock),
            erasure_list=ErasureList(database, phones, clock),
            rekeying=Rekeying(database),
            accesses=Accesses(database, clock),
            person_requests=PersonRequests(database, phones, clock),
            duties=Duties(database, retention, policy, clock),
        )
