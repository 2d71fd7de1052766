"""Campaigns: everybody on the list once, nobody forgotten, whatever breaks meanwhile."""

import io
from datetime import timedelta

import pytest
import sqlalchemy as sa

from app.core.campaigns import Campaigns, NewCampaign
from app.core.campaigns.plan import Listed, forget, listed_from
from app.core.campaigns.turns import TAKEN_FOR, Turns
from app.core.errors import (
    InvalidInputError,
    StorageUnavailableError,
)
from app.core.gate import Scope
from app.core.models import (
    CampaignRecipient,
    Purpose,
    Subscriber,
)
from app.core.number_tables import NumberTable
from tests.fakes import FakeProvider
from tests.making import SENDER, text
from tests.threads import together

SCOPE = Scope("default", Purpose.MARKETING)
LONG_AGO = timedelta(minutes=5)  # after which nothing is held by a process that died


def numbers(count: int) -> list[str]:
    return [f"+39333{place:07d}" for place in range(1, count + 1)]


@pytest.fixture
def campaigns(services) -> Campaigns:
    return services.campaigns


@pytest.fixture
def make(campaigns):
    """Make a campaign of so many numbers, or of these rows."""

    def create(people=3, body="Ciao", columns=(), start=True, **choices) -> int:
        listed = (
            [Listed(line, to) for line, to in enumerate(numbers(people), 1)]
            if isinstance(people, int)
            else people
        )
        new = NewCampaign("spring", body, SCOPE, SENDER, **({"rate": 0} | choices))
        campaign_id = campaigns.create(new, columns, listed)
        if start:
            campaigns.start(campaign_id)
        return campaign_id

    return create


@pytest.fixture
def work(campaigns):
    """Send until there is nothing more to do now, at most so many turns."""

    def run(campaign_id: int, turns: int = 50) -> None:
        left = iter(range(turns))
        campaigns.work(campaign_id, lambda: next(left, None) is None, threads=1)

    return run


def counts(campaigns: Campaigns, campaign_id: int) -> dict[str, int]:
    return {name: n for name, n in campaigns.show(campaign_id).counts.items() if n}


def status(campaigns: Campaigns, campaign_id: int) -> str:
    return campaigns.show(campaign_id).status


def reached(provider: FakeProvider) -> list[str]:
    return sorted(message.to.e164 for message in provider.sent)


# The list and the plan


def planned(services, content: str, body: str, **choices) -> tuple[int, list]:
    table = NumberTable(io.BytesIO(content.encode()), services.phones)
    faults: list = []
    new = NewCampaign("spring", body, SCOPE, SENDER, **choices)
    columns = table.header.cells if table.header else ()
    campaign_id = services.campaigns.create(new, columns, listed_from(table, table), faults.append)
    return campaign_id, faults


def test_a_list_is_planned_before_anything_is_sent(services, campaigns, provider):
    """Recipients, duplicates in any spelling, unreadable lines, refusals, segments and cost."""
    services.inbox.receive(text("STOP", "+393330000002"))
    content = (
        "nome;telefono\nAnna;+393330000001\nBruno;3330000002\nAnna B;00393330000001\n"
        "Carla;12\n;+393330000004\nDora;+39 333 0000005\n"
    )
    campaign_id, faults = planned(
        services, content, "Ciao {Nome}, saldi!\nRispondi STOP", cost_per_segment=0.07
    )
    shown = campaigns.show(campaign_id)
    assert (shown.plan["recipients"], shown.plan["duplicates"], shown.plan["unreadable"]) == (
        *(3, 1, 2),
    )
    assert shown.plan["refused"] == {"suppressed": 1}
    assert (shown.plan["segments"], shown.estimated_cost) == (2, 0.14)
    assert [fault.line for fault in faults] == [5, 6]
    assert "default" in faults[1].reason
    assert (shown.status, provider.sent) == ("planned", [])


def test_the_plan_counts_segments_with_the_way_out_that_will_be_added(campaigns, make, work):
    """What is planned is what is then paid: a euro sign, an emoji, and the added line."""
    for body in ("x" * 150, "Ciao 🌞" * 12):
        campaign_id = make(1, body)
        work(campaign_id)
        shown = campaigns.show(campaign_id)
        assert shown.plan["segments"] == shown.segments == shown.plan["longest_segments"] > 1


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ("Ciao {cognome}", "{cognome}"),
        ("Ciao {nome", "brace"),
        ("Ciao nome}", "brace"),
        ("Ciao {}", "brace"),
        ("Ciao { }", "brace"),
        ("  ", "empty"),
    ],
)
def test_a_text_with_a_fault_is_refused_before_anything(campaigns, make, body, fault):
    """A place without column, a brace that stands alone: said at once, and nothing is kept."""
    with pytest.raises(InvalidInputError, match=fault):
        make([Listed(1, "+393330000001", {"nome": "Anna"})], body, ["nome"])
    assert campaigns.all() == []


def test_places_are_filled_with_each_recipients_own_words(provider, make, work):
    """Any case of the column's name, defaults for empty cells, doubled braces as themselves."""
    people = [
        Listed(1, "+393330000001", {"Nome ": " Anna\n{x} "}),
        Listed(2, "+393330000002", {"Nome ": ""}),
    ]
    work(make(people, "Ciao {NOME|a te}, {{codice}} STOP", ["Nome "]))
    assert sorted(message.body for message in provider.sent) == [
        "Ciao Anna {x}, {codice} STOP",
        "Ciao a te, {codice} STOP",
    ]


def test_a_text_that_gets_too_long_is_a_fault_of_that_line(campaigns, make):
    """One cell that is far too long costs its own line, not the campaign."""
    people = [Listed(1, "+393330000001", {"nome": "x" * 2000}), Listed(2, "+393330000002")]
    campaign_id = make(people, "Ciao {nome|a te}", ["nome"])
    assert campaigns.show(campaign_id).plan["unreadable"] == 1
    assert counts(campaigns, campaign_id) == {"waiting": 1}


def test_a_list_that_breaks_off_leaves_nothing(campaigns, make, database):
    """Reading fails half-way: no campaign that could be run with half a list."""

    def broken():
        yield Listed(1, "+393330000001")
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="gone"):
        make(broken())
    assert campaigns.all() == []
    with database.read() as connection:
        assert connection.execute(sa.select(CampaignRecipient.position)).all() == []


# Sending


def test_everybody_is_sent_to_once_and_the_campaign_finishes(campaigns, provider, make, work):
    """More than one turn's worth; the texts' own words are gone from the list afterwards."""
    campaign_id = make(45)
    work(campaign_id)
    assert reached(provider) == numbers(45)
    assert counts(campaigns, campaign_id) == {"sent": 45}
    assert status(campaigns, campaign_id) == "finished"


def test_the_gate_decides_at_the_moment_of_handing_over(services, campaigns, provider, make, work):
    """Who opts out after the list was read gets nothing; who comes back meanwhile does."""
    services.inbox.receive(text("STOP", "+393330000001", "SM1"))
    campaign_id = make(3)
    services.inbox.receive(text("STOP", "+393330000002", "SM2"))
    services.inbox.receive(text("START", "+393330000001", "SM3"))
    work(campaign_id)
    assert reached(provider) == ["+393330000001", "+393330000003"]
    assert campaigns.show(campaign_id).refused == {"suppressed": 1}


def test_an_erased_person_gets_nothing_and_stays_erased(campaigns, provider, make, work, database):
    """Neither a list read before the erasure nor one read after it brings the number back."""
    campaign_id = make(2)
    with database.write() as connection:
        person = connection.execute(
            sa.select(Subscriber.fingerprint).where(Subscriber.number == "+393330000001")
        ).scalar_one()
        connection.execute(
            sa.update(Subscriber).where(Subscriber.fingerprint == person).values(number=None)
        )
        assert forget(connection, person) == 1
    work(campaign_id)
    work(make(2))
    assert reached(provider) == ["+393330000002"] * 2
    assert counts(campaigns, campaign_id) == {"sent": 1, "erased": 1}
    assert [each.to for each in campaigns.outcomes(campaign_id)] == [None, "+393330000002"]


def test_two_that_run_at_once_share_the_list(campaigns, provider, make, work):
    """Threads, processes or hosts: nobody is taken twice."""
    campaign_id = make(60)
    together(*[lambda: work(campaign_id)] * 3)
    work(campaign_id)
    assert reached(provider) == numbers(60)
    assert status(campaigns, campaign_id) == "finished"


def test_what_a_dead_process_had_taken_comes_up_again(
    services, campaigns, provider, make, work, clock
):
    """Killed with recipients in its hands: they wait for nobody to clean up."""
    campaign_id = make(3)
    assert len(Turns(services.database, clock).take(campaign_id).recipients) == 3
    work(campaign_id, 3)
    assert provider.sent == []
    clock.advance(seconds=TAKEN_FOR.total_seconds())
    work(campaign_id)
    assert reached(provider) == numbers(3)


@pytest.mark.parametrize("step", range(16))
def test_killed_at_any_step_nobody_gets_it_twice_and_nobody_is_forgotten(
    services, campaigns, provider, make, clock, outage, step
):
    """The database vanishes for good after any statement, as the process does; then it is resumed."""
    campaign_id = make(2)
    outage.begin(after=step)
    with pytest.raises(StorageUnavailableError):
        while True:
            campaigns._sender.turn(campaign_id)
            outage.begin(after=0)
    outage.end()
    before = len(provider.sent)
    for _ in range(4):
        clock.advance(seconds=LONG_AGO.total_seconds())
        services.outcomes.settle_abandoned()
        campaigns.settle(campaign_id)
        campaigns.work(campaign_id, _after(20), threads=1)
    at_the_provider = reached(provider)
    assert len(at_the_provider) == len(set(at_the_provider))
    shown = counts(campaigns, campaign_id)
    assert shown.get("sent", 0) + shown.get("unknown", 0) == 2
    assert len(at_the_provider) == 2 or shown["unknown"] == 2 - len(at_the_provider), before


def _after(turns: int):
    left = iter(range(turns))
    return lambda: next(left, None) is None
