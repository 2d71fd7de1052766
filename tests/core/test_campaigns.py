"""Campaigns: everybody on the list once, nobody forgotten, whatever breaks meanwhile."""

import io
import re
from dataclasses import replace
from datetime import time, timedelta
from itertools import pairwise

import pytest
import sqlalchemy as sa

from app.core.campaigns import Campaigns, NewCampaign, unread
from app.core.campaigns.page import page
from app.core.campaigns.plan import Listed, listed_from
from app.core.campaigns.turns import TAKEN_FOR, Turns
from app.core.errors import (
    InvalidInputError,
    NotFoundError,
    NotNowError,
    ProviderError,
    StorageUnavailableError,
)
from app.core.gate import Scope
from app.core.models import (
    CampaignRecipient,
    DeliveryStatus,
    OutboundMessage,
    Program,
    Purpose,
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

    def create(people=3, body="Ciao", columns=(), *, start=True, **choices) -> int:
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
        for _ in range(turns):
            if not campaigns._sender.turn(campaign_id):
                return

    return run


@pytest.fixture
def turns(services, clock) -> Turns:
    return Turns(services.database, services.phones, services.policy, clock)


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


def killed_while_reading(campaigns, make) -> int:
    """A campaign as `kill -9` leaves it half-way through its list."""

    def endless():
        yield from (Listed(line, to) for line, to in enumerate(numbers(700), 1))
        raise Killed

    class Killed(BaseException):
        """Nothing is tidied up after it."""

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(unread, "discard", lambda *_: None)
        with pytest.raises(Killed):
            make(endless())
    return campaigns.all()[0].id


def test_a_list_whose_reader_was_killed_can_be_read_again(
    services, campaigns, provider, make, work
):
    """The half list is never sent, says what to do, and is in nobody's way."""
    half = killed_while_reading(campaigns, make)
    assert status(campaigns, half) == "planning"
    with pytest.raises(NotNowError, match="create the campaign again"):
        campaigns.start(half)
    campaign_id = make(700)
    work(campaign_id)
    assert counts(campaigns, campaign_id) == {"sent": 700}
    assert reached(provider) == numbers(700)


def test_what_was_left_of_a_list_removes_itself(campaigns, make, database, clock):
    """After an hour in which nobody read on; campaigns that are planned stay."""
    planned, half = make(2, start=False), killed_while_reading(campaigns, make)
    clock.advance(minutes=59)
    assert campaigns.discard_abandoned() == 0
    clock.advance(minutes=1)
    assert campaigns.discard_abandoned() == 1
    assert [each.id for each in campaigns.all()] == [planned]
    with database.read() as connection:
        left = connection.execute(sa.select(CampaignRecipient.campaign_id).distinct())
        assert left.scalars().all() == [planned]
    assert half != planned


def test_a_list_that_comes_too_slowly_is_given_up_as_a_whole(campaigns, make, clock):
    """Its reader lives, but was taken for dead: it is told so, and no part of a list stays."""

    def slow():
        yield from (Listed(line, to) for line, to in enumerate(numbers(600), 1))
        clock.advance(hours=2)
        assert campaigns.discard_abandoned() == 1
        yield Listed(601, "+393339999999")

    with pytest.raises(NotNowError, match="create it anew"):
        make(slow())
    assert campaigns.all() == []


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


def test_an_erased_person_gets_nothing_and_stays_erased(services, campaigns, provider, make, work):
    """Neither a list read before the erasure nor one read after it brings the number back."""
    campaign_id = make(2)
    services.privacy.erase("+393330000001", "the person", "command line")
    work(campaign_id)
    work(make(2))
    assert reached(provider) == ["+393330000002"] * 2
    assert counts(campaigns, campaign_id) == {"sent": 1, "erased": 1}
    assert [each.to for each in campaigns.outcomes(campaign_id)] == [None, "+393330000002"]


def test_two_that_run_at_once_share_the_list(campaigns, provider, make, work):
    """Threads, processes or hosts: nobody is taken twice."""
    campaign_id = make(60)
    together(*[lambda: campaigns.work(campaign_id, lambda: False, threads=2)] * 2)
    assert reached(provider) == numbers(60)
    assert status(campaigns, campaign_id) == "finished"


def test_what_a_dead_process_had_taken_comes_up_again(
    campaigns, provider, make, work, clock, turns
):
    """Killed with recipients in its hands: they wait for nobody to clean up."""
    campaign_id = make(3)
    assert len(turns.take(campaign_id).recipients) == 3
    work(campaign_id, 3)
    assert provider.sent == []
    clock.advance(seconds=TAKEN_FOR.total_seconds())
    work(campaign_id)
    assert reached(provider) == numbers(3)


@pytest.mark.parametrize("step", range(16))
def test_killed_at_any_step_nobody_gets_it_twice_and_nobody_is_forgotten(
    services, campaigns, provider, make, work, clock, outage, step
):
    """The database vanishes after any statement, and with it the process; then it is resumed."""
    campaign_id = make(2)
    outage.begin(after=step)
    with pytest.raises(StorageUnavailableError):
        turns_until_it_breaks(campaigns, campaign_id)
    outage.end()
    for _ in range(4):
        clock.advance(seconds=LONG_AGO.total_seconds())
        services.outcomes.settle_abandoned()
        campaigns.settle(campaign_id)
        work(campaign_id)
    at_the_provider = reached(provider)
    assert len(at_the_provider) == len(set(at_the_provider))
    shown = counts(campaigns, campaign_id)
    assert shown.get("sent", 0) + shown.get("unknown", 0) == 2
    assert len(at_the_provider) == 2 or shown["unknown"] == 2 - len(at_the_provider)


def turns_until_it_breaks(campaigns, campaign_id) -> None:
    for _ in range(3):
        campaigns._sender.turn(campaign_id)


def test_what_never_arrived_is_tried_again_when_the_provider_allows(
    campaigns, provider, make, work, clock, sleep
):
    """After a failure that may pass the sender pauses, for all; then nobody is missing."""
    campaign_id = make(3)
    for _ in range(3):  # as often as the outbox tries by itself
        provider.will_refuse(20429, permanent=False)
    work(campaign_id, 1)
    assert counts(campaigns, campaign_id) == {"waiting": 3}
    sleep.slept.clear()
    work(campaign_id, 1)
    assert sleep.slept[0] == 1.0
    clock.advance(minutes=10)
    work(campaign_id)
    accepted = reached(provider)[2:]
    assert sorted(set(accepted)) == numbers(3)
    assert counts(campaigns, campaign_id) == {"sent": 3}


def test_what_will_never_be_taken_fails_and_the_others_go_on(campaigns, provider, make, work):
    """A permanent refusal is one recipient's: counted with the provider's code, never repeated."""
    provider.will_refuse(21614)
    campaign_id = make(3)
    work(campaign_id)
    assert counts(campaigns, campaign_id) == {"sent": 2, "failed": 1}
    assert campaigns.show(campaign_id).failed == {21614: 1}
    assert len(provider.sent) == 3


def test_wrong_credentials_pause_the_campaign_and_cost_nobody_their_turn(
    campaigns, provider, make, work
):
    """What is no message's fault stops at the first; after a resume everybody gets it."""

    def unauthorized():
        raise ProviderError("authenticate", code=20003, status=401, permanent=True)

    provider.script.append(unauthorized)
    campaign_id = make(3)
    work(campaign_id)
    assert (status(campaigns, campaign_id), len(provider.sent)) == ("paused", 1)
    assert "credentials" in campaigns.show(campaign_id).pause_reason
    campaigns.resume(campaign_id)
    work(campaign_id)
    assert counts(campaigns, campaign_id) == {"sent": 3}


def test_what_is_unknown_is_listed_and_not_repeated(campaigns, provider, make, work):
    """No answer came: the message may be on its way, so the campaign ends with it as unknown."""
    provider.will_not_answer()
    campaign_id = make(2)
    work(campaign_id)
    assert counts(campaigns, campaign_id) == {"sent": 1, "unknown": 1}
    assert campaigns.settle(campaign_id) == 0
    assert len(provider.sent) == 2


@pytest.mark.parametrize(
    ("learnt", "becomes", "sends"),
    [
        ({"status": "delivered", "provider_message_id": "SM-found"}, {"sent": 2}, 2),
        ({"status": "failed", "idempotency_key": None}, {"sent": 2}, 3),
        ({"status": "failed", "error_code": 21614}, {"sent": 1, "failed": 1}, 2),
        ({"status": "refused", "reason": "suppressed"}, {"sent": 1, "refused": 1}, 2),
    ],
)
def test_what_was_unknown_is_settled_once_it_is_known(
    campaigns, provider, make, work, database, learnt, becomes, sends
):
    """Found: sent. Surely not there: sent again, though the campaign had finished. Refused: so."""
    provider.will_not_answer()
    campaign_id = make(2)
    work(campaign_id)
    with database.write() as connection:
        unknown = sa.update(OutboundMessage).where(OutboundMessage.status == "unknown")
        connection.execute(unknown.values(learnt))
    assert campaigns.settle_all() == 1
    work(campaign_id)
    assert counts(campaigns, campaign_id) == becomes
    assert len(provider.sent) == sends


def test_of_a_message_that_is_gone_nothing_is_assumed(campaigns, provider, make, work, database):
    """Its row was pruned before anybody knew: it stays unknown rather than being sent twice."""
    provider.will_not_answer()
    campaign_id = make(1)
    work(campaign_id)
    with database.write() as connection:
        connection.execute(sa.delete(OutboundMessage))
    assert campaigns.settle(campaign_id) == 0
    work(campaign_id)
    assert len(provider.sent) == 1


def test_a_late_process_that_knows_more_is_believed(campaigns, provider, make, work, clock):
    """It was slow, another took over and only knew that nothing is known: then the first ends."""
    campaign_id = make(1)
    meanwhile = []

    def take_over():
        clock.advance(minutes=2)
        if not meanwhile:
            meanwhile.append(1)
            work(campaign_id, 1)
            meanwhile.append(counts(campaigns, campaign_id))

    provider.will_accept_then(take_over)
    work(campaign_id, 1)
    assert meanwhile[1] == {"unknown": 1}
    assert counts(campaigns, campaign_id) == {"sent": 1}
    assert len(provider.sent) == 1


def test_a_late_process_that_failed_is_not_believed(campaigns, provider, make, work, clock):
    """It stood still before it could say that it sent nothing; meanwhile another is sending."""
    campaign_id = make(1)
    for _ in range(3):  # as often as the outbox tries by itself
        provider.will_refuse(20429, permanent=False)
    turns = campaigns._sender._turns
    record = turns.record

    def stand_still(*settled):
        turns.record = record
        clock.advance(minutes=2)
        provider.will_accept_then(lambda: (record(*settled), work(campaign_id, 1)))
        work(campaign_id, 1)

    turns.record = stand_still
    work(campaign_id, 1)
    assert counts(campaigns, campaign_id) == {"sent": 1}
    clock.advance(minutes=10)
    work(campaign_id)
    assert len(provider.sent) == 3 + 1


def test_quiet_hours_make_a_campaign_wait_and_say_until_when(
    services, campaigns, provider, make, work, clock
):
    """Nobody is dropped: it pauses until the hours end where the people are, then goes on."""
    with services.database.write() as connection:
        connection.execute(sa.update(Program).values(quiet_from=time(12), quiet_until=time(15)))
    campaign_id = make(2)
    work(campaign_id)  # at 13:00 in Italy
    shown = campaigns.show(campaign_id)
    assert (shown.status, counts(campaigns, campaign_id)) == ("paused", {"waiting": 2})
    assert f"{shown.resumes_at:%H:%M}" == "14:00"
    assert "14:00" in shown.pause_reason
    assert campaigns.to_wake() == []
    clock.advance(hours=2)
    assert campaigns.to_wake() == [campaign_id]
    work(campaign_id)
    assert counts(campaigns, campaign_id) == {"sent": 2}


def test_what_was_taken_long_ago_is_not_tried_again(
    services, campaigns, provider, make, clock, turns
):
    """Retention may have taken the message's key: whoever it was for is unknown, not sent twice."""
    campaign_id = make(2)
    turns.take(campaign_id)
    clock.advance(days=100)
    services.retention.prune()
    campaigns.start(campaign_id)
    assert counts(campaigns, campaign_id) == {"unknown": 2}


def test_a_campaigns_list_goes_when_its_time_is_over(services, campaigns, make, work, clock):
    """First each person's words, then the list; the campaign itself stays."""
    campaign_id = make([Listed(1, "+393330000001", {"nome": "Anna"})], "Ciao {nome}", ["nome"])
    clock.advance(days=100)
    services.retention.prune()
    work(campaign_id)
    assert counts(campaigns, campaign_id) == {"erased": 1}
    clock.advance(days=800)
    services.retention.prune()
    assert counts(campaigns, campaign_id) == {}


# The rate


def test_a_sender_is_paced_across_all_processes(make, clock, turns):
    """Two campaigns of one sender at 10 a second, and its time is given away once."""
    first, second = make(30, rate=10), make(30, rate=10)
    one, two = turns.take(first), turns.take(second)
    assert (one.starts_at, one.spacing) == (clock.now, timedelta(seconds=0.1))
    assert (len(one.recipients), two.starts_at) == (10, clock.now + timedelta(seconds=1))
    three = turns.take(first)
    assert (three.recipients, three.wait) == ((), timedelta(seconds=1.5))
    clock.advance(seconds=1.5)
    assert turns.take(first).starts_at == one.starts_at + timedelta(seconds=2)


def test_messages_go_out_evenly(campaigns, make, work, clock, provider):
    """Each waits for its moment: a tenth of a second apart at ten a second."""
    moments = []
    campaign_id = make(5, rate=10)
    campaigns._sender._sleep = lambda seconds: clock.advance(seconds=seconds)
    send = provider.send
    provider.send = lambda message: moments.append(clock.now) or send(message)
    work(campaign_id, 5)
    gaps = [later - earlier for earlier, later in pairwise(moments)]
    assert gaps == [timedelta(seconds=0.1)] * 4


def test_who_is_refused_uses_up_none_of_the_senders_time(
    services, campaigns, provider, make, work, clock
):
    """Of thirty at ten a second twenty have opted out: the ten others are reached in a second."""
    for place, number in enumerate(numbers(20)):
        services.inbox.receive(text("STOP", number, f"SM{place}"))
    clock.advance(minutes=1)
    campaigns._sender._sleep = lambda seconds: clock.advance(seconds=seconds)
    campaign_id, began = make(30, rate=10), clock.now
    work(campaign_id)
    assert counts(campaigns, campaign_id) == {"sent": 10, "refused": 20}
    assert reached(provider) == numbers(30)[20:]
    assert clock.now - began <= timedelta(seconds=1)


def test_who_opts_out_after_the_moments_were_given_out_is_refused(
    services, campaigns, provider, make, work
):
    """Moments are given out by a forecast; what counts is the gate when the message would go."""
    campaign_id = make(3, rate=10)
    campaigns._sender._sleep = lambda _: services.inbox.receive(text("STOP", numbers(3)[2]))
    work(campaign_id)
    assert counts(campaigns, campaign_id) == {"sent": 2, "refused": 1}
    assert reached(provider) == numbers(2)


# Stopping and going on


def test_a_stop_gives_the_rest_back_at_once(campaigns, provider, make, work):
    """Ctrl-C in the middle of a turn: one message is finished, nobody is held up for a minute."""
    campaign_id = make(5)
    stops = iter([False, True])
    campaigns.work(campaign_id, lambda: next(stops, True), threads=1)
    assert counts(campaigns, campaign_id) == {"sent": 1, "waiting": 4}
    work(campaign_id)
    assert reached(provider) == numbers(5)


def test_a_paused_campaign_sends_nothing_until_it_is_resumed(campaigns, provider, make, work):
    """Run says why it does not; resume goes on with whoever is left."""
    campaign_id = make(2)
    campaigns.pause(campaign_id, "the price was wrong")
    work(campaign_id)
    with pytest.raises(NotNowError, match="the price was wrong"):
        campaigns.start(campaign_id)
    assert provider.sent == []
    campaigns.resume(campaign_id)
    work(campaign_id)
    assert reached(provider) == numbers(2)
    for refused in (campaigns.start, campaigns.resume):
        with pytest.raises(NotNowError, match="finished"):
            refused(campaign_id)
    with pytest.raises(NotFoundError):
        campaigns.show(999)


def test_a_campaign_that_nobody_works_on_is_found(campaigns, make, work, clock):
    """It runs, but its processes died: who looks after them finds it, and one at work not."""
    campaign_id = make(30)
    assert campaigns.to_wake() == [campaign_id]
    work(campaign_id, 1)
    assert campaigns.to_wake() == []
    clock.advance(minutes=1)
    assert campaigns.to_wake() == [campaign_id]


# The brake and the report


@pytest.fixture
def long_campaign(make, work, clock):
    """A hundred were sent to; the clock goes on at every look."""
    clock.step = timedelta(milliseconds=10)
    campaign_id = make(160)
    work(campaign_id, 5)
    return campaign_id


def stops(services, count: int) -> None:
    for place, number in enumerate(numbers(count)):
        services.inbox.receive(text("STOP", number, f"SM-stop-{place}"))


def test_a_campaign_that_drives_people_away_stops_itself(
    services, campaigns, work, clock, long_campaign, provider
):
    """5 % may go; one more, and it pauses, says why, and sends no further."""
    stops(services, 5)
    clock.advance(seconds=3)
    work(long_campaign, 1)
    assert (status(campaigns, long_campaign), len(provider.sent)) == ("running", 120)
    stops(services, 10)
    clock.advance(seconds=3)
    work(long_campaign)
    shown = campaigns.show(long_campaign)
    assert (shown.status, shown.counts["sent"]) == ("paused", 140)
    assert "opted out, more than 5.0%" in shown.pause_reason
    campaigns.resume(long_campaign)
    work(long_campaign)
    assert status(campaigns, long_campaign) == "finished"


def test_a_campaign_that_mostly_fails_stops_itself(
    services, campaigns, provider, make, work, clock
):
    """21610 and failures pile up: it pauses, with their share and the commonest code."""
    clock.step = timedelta(milliseconds=10)
    for _ in range(15):
        provider.will_have_opted_out()
    campaign_id = make(120)
    for _ in range(6):
        clock.advance(seconds=3)
        work(campaign_id, 1)
    shown = campaigns.show(campaign_id)
    assert shown.status == "paused"
    assert "15 of the last 60" in shown.pause_reason
    assert "21610" in shown.pause_reason


def test_the_report_counts_the_opt_outs_that_came_after_the_message(
    services, campaigns, clock, long_campaign
):
    """Not those from before it nor of other programs; even if the person comes back."""
    stops(services, 2)
    services.inbox.receive(text("START", numbers(1)[0], "SM-start"))
    services.inbox.receive(text("STOP", "+393339999999", "SM-other"))
    clock.advance(minutes=30)
    report = campaigns.report(long_campaign)
    assert (report.opt_outs, report.opt_out_share) == (2, 0.02)
    assert sum(step.sent for step in report.timeline) == report.standing.counts["sent"] == 100
    assert sum(step.opted_out for step in report.timeline) == 2
    assert len(report.timeline) <= 61
    outcomes = list(campaigns.outcomes(long_campaign))
    assert [each.to for each in outcomes] == numbers(160)
    assert [each.position for each in outcomes if each.opted_out_at] == [1, 2]
    assert outcomes[0].delivery == DeliveryStatus.QUEUED


def test_the_page_needs_nothing_from_outside(services, campaigns, make, work):
    """One file: no script, no address, every character of a name harmless."""
    campaign_id = make(3)
    work(campaign_id)
    report = campaigns.report(campaign_id)
    named = replace(report, standing=replace(report.standing, name="<script>x</script> & Co."))
    html = page(named)
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert not re.search(r"(src|href|url\(|@import|https?:)", html)
    assert html.count("<svg") == 2
    assert "+39333" not in html
    assert "Nothing has been sent yet" in page(campaigns.report(make(1, start=False)))
