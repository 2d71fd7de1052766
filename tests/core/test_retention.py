"""Retention: what has passed its period goes, day by day, and what must stay stays."""

import re
from contextlib import suppress
from datetime import timedelta
from itertools import count

import pytest
import sqlalchemy as sa

from app.core import retention
from app.core.consent import Evidence
from app.core.data_map import TABLES, Period
from app.core.errors import StorageUnavailableError
from app.core.gate import Scope
from app.core.models import (
    Act,
    Base,
    Campaign,
    CampaignRecipient,
    Consent,
    InboundMessage,
    LedgerEntry,
    OptInRequest,
    OutboundMessage,
    Purpose,
    Subscriber,
    Suppression,
)
from app.core.optin import Join
from app.core.policy import Policy
from app.core.services import Services
from tests.making import PERSON, draft, held, text

YEARS = 3
DAY = timedelta(days=1)
LAZY, KEEN, GONE, LISTED = (f"+39333123400{n}" for n in range(4))


@pytest.fixture
def services(database, phones, provider, clock, sleep) -> Services:
    """Marketing needs a consent, which lasts two years."""
    return Services.build(database, phones, Policy(consent_required=True), provider, clock, sleep)


def code_in(body: str) -> str:
    return re.search(r"\b\d{6}\b", body)[0]


def join(services: Services, provider, number: str) -> None:
    services.opt_ins.request(Join(number, "default", "web", "form", address="192.0.2.1"))
    code = code_in(provider.sent[-1].body)
    services.inbox.receive(text(code, number, f"SMjoin{number}{len(provider.sent)}"))


def rows(services: Services, table: type) -> list:
    with services.database.read() as connection:
        return list(connection.execute(sa.select(table)).all())


def reason(services: Services, number: str) -> str | None:
    [decision] = services.gate.check([number], Scope("default", Purpose.MARKETING))
    return decision.reason


def test_three_years_day_by_day(services: Services, provider, clock):
    """On no day is anything older than its period, nor is anybody texted who must not be.

    One joins and never answers, one renews, one opts out in the second month, one was imported.
    """
    silent = {services.phones.parse(number).fingerprint for number in (GONE, LISTED)}
    start = clock.now
    for number in (LAZY, KEEN, GONE):
        join(services, provider, number)
    services.suppressions.add(LISTED, "*", "imported", Evidence("import"))
    for day in range(1, YEARS * 365 + 1):
        clock.now = start + day * DAY
        if day == 45:
            services.inbox.receive(text("STOP", GONE, "SMstop"))
        if day % 100 == 0:
            services.outbox.send(draft(KEEN, f"Novità {day}"))
        services.renewals.ask_all("default")
        if provider.sent[-1].to.e164 == KEEN and "rinnov" in provider.sent[-1].body:
            answer = text(code_in(provider.sent[-1].body), KEEN, "SMkeen")
            services.inbox.receive(answer)
        services.retention.prune()
        check_day(services, clock, day, silent)

    asked = [sent for sent in provider.sent if "rinnov" in (sent.body or "")]
    assert {message.to.e164 for message in asked} == {LAZY, KEEN}
    clock.advance(days=400)
    services.retention.prune()
    known = {row.number for row in rows(services, Subscriber)}
    assert known == {KEEN, None}  # the silent ones are forgotten by name, and stay silent
    clock.advance(hours=1)
    services.ledger.seal()
    assert services.ledger.verify().faults == []


def check_day(services: Services, clock, day: int, silent: set[bytes]) -> None:
    now = clock.now
    assert reason(services, GONE) == ("suppressed" if day >= 45 else None)
    assert reason(services, LISTED) == "suppressed"
    assert (reason(services, LAZY) is None) == (day < 730)
    assert reason(services, KEEN) is None
    assert all(row.expires_at > now for row in rows(services, Consent))
    for table, at in ((InboundMessage, "received_at"), (OutboundMessage, "created_at")):
        for row in rows(services, table):
            assert now - getattr(row, at) < timedelta(days=730)
            assert row.body is None or now - getattr(row, at) < timedelta(days=90)
    used = {row.request_id for row in rows(services, Consent)}
    for row in rows(services, OptInRequest):
        assert row.id in used or row.code_expires_at > now - DAY
    if day >= 45:
        assert {row.fingerprint for row in rows(services, Suppression)} == silent


def test_in_the_end_the_map_is_kept(services: Services, provider, clock, phones, database):
    """After ten years nothing that has a period is left but what keeps a number silent."""
    join(services, provider, PERSON)
    services.inbox.receive(text("che noia", PERSON, "SMa"))
    held(services, phones.parse(PERSON))
    services.outbox.send(draft(PERSON, purpose=Purpose.SERVICE, sender="Shop"))
    for _ in range(3):
        clock.advance(days=1300)
        services.retention.prune()
    services.deletions.run()

    with database.read() as connection:
        for name, table in Base.metadata.tables.items():
            mortal = {
                column
                for each in TABLES[name].held
                if each.period is not Period.SILENCE
                for column in each.columns.split()
            }
            for row in connection.execute(sa.select(table)).mappings():
                assert all(row[column] is None for column in mortal - {"salt"}) or (
                    name == "ledger_entries" and row["at"] > clock.now - retention.PROOF
                ), name
    assert reason(services, PERSON) == "suppressed"  # the text that nobody read was an opt-out


def test_a_dry_run_changes_nothing(services: Services, provider, clock):
    """It says what the real run then does, and only that leaves an entry in the ledger."""
    join(services, provider, PERSON)
    clock.advance(days=800)
    entries = len(rows(services, LedgerEntry))
    due = services.retention.due()
    assert len(rows(services, LedgerEntry)) == entries
    assert len(rows(services, Consent)) == 1

    done = services.retention.prune()
    assert due["consents that ended, deleted"] == done["consents that ended, deleted"] == 1
    [entry] = [row for row in rows(services, LedgerEntry) if row.act == Act.PRUNE]
    assert entry.evidence["done"] == done
    assert entry.fingerprint is None
    assert services.retention.prune() == {}
    assert len([row for row in rows(services, LedgerEntry) if row.act == Act.PRUNE]) == 1


def test_a_prune_that_breaks_goes_on_later(
    services: Services, provider, clock, outage, monkeypatch
):
    """Wherever it stops, what is left is whole, and the next one finishes."""
    monkeypatch.setattr(retention, "_BATCH", 2)
    for number in (LAZY, KEEN, GONE):
        join(services, provider, number)
    services.inbox.receive(text("STOP", GONE, "SMstop"))
    clock.advance(days=800)
    for statement in count(2):
        outage.begin(after=statement, statements=1)
        with suppress(StorageUnavailableError):
            services.retention.prune()
            break
        outage.end()
        assert reason(services, GONE) == "suppressed"
    outage.end()

    assert statement > 5
    services.retention.prune()
    assert services.retention.due() == {}
    assert rows(services, Consent) == rows(services, InboundMessage) == []


def test_the_proof_stays_while_the_consent_does(services: Services, provider, clock):
    """A consent that lasts longer than the proof's five years keeps its entries."""
    services.programs.edit("default", {"retention_days": 3650})
    join(services, provider, PERSON)
    join(services, provider, LAZY)
    services.inbox.receive(text("STOP", LAZY, "SMstop"))
    clock.advance(days=5 * 366)
    services.retention.prune()

    acts = {row.act for row in rows(services, LedgerEntry) if row.fingerprint is not None}
    assert "consent" in acts
    clock.advance(days=1900)
    services.retention.prune()
    assert all(row.fingerprint is None for row in rows(services, LedgerEntry))


def test_an_opt_out_can_be_proven_for_years(services: Services, provider, clock, phones):
    """Six months after it (CTIA) and four years (TCPA), though messages are kept for a month."""
    short = Policy(consent_required=True, retention=timedelta(days=30))
    build = (services.database, phones, short, provider, clock)
    services = Services.build(*build)
    join(services, provider, PERSON)
    services.inbox.receive(text("STOP", PERSON, "SMstop"))
    clock.advance(days=4 * 365 + 1)
    services.retention.prune()

    assert rows(services, InboundMessage) == []
    person = phones.parse(PERSON).fingerprint
    [kept] = [row for row in rows(services, LedgerEntry) if row.act == Act.OPT_OUT]
    assert (kept.fingerprint, kept.text) == (person, "STOP")


def test_a_campaigns_places_go_with_time(services: Services, clock, phones, database):
    """What fills its texts goes with the texts, and an erasure; the places go with the records."""
    services.inbox.receive(text("ciao"))
    person = phones.parse(PERSON).fingerprint
    campaign = sa.insert(Campaign).values(
        id=1,
        name="spring",
        program="default",
        purpose="marketing",
        rate=0.0,
        body="Ciao {nome}",
        status="planned",
        plan={},
        created_at=clock.now,
        max_opt_out_share=1.0,
        max_failure_share=1.0,
    )
    place = {"campaign_id": 1, "position": 1, "fingerprint": person, "fields": {"nome": "Ada"}}
    place |= {"status": "waiting", "attempt": 1, "due_at": clock.now}
    with database.write() as connection:
        connection.execute(campaign)
        connection.execute(sa.insert(CampaignRecipient).values(place))

    clock.advance(days=89)
    assert "fields of campaigns, emptied" not in services.retention.prune()
    clock.advance(days=1)
    assert services.retention.prune()["fields of campaigns, emptied"] == 1
    assert rows(services, CampaignRecipient)[0].fields is None
    clock.advance(days=700)
    services.retention.prune()
    assert rows(services, CampaignRecipient) == rows(services, Subscriber) == []
