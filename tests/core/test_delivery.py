"""What became of sent messages: reports in any order, in any number, also before we know them."""

from dataclasses import replace
from itertools import permutations

import pytest
import sqlalchemy as sa

from app.core import consent
from app.core.errors import Reason, StorageUnavailableError
from app.core.gate import Scope
from app.core.models import (
    ALL_PROGRAMS,
    DeliveryStatus,
    OutboundMessage,
    Purpose,
    Subscriber,
    Suppression,
)
from app.core.models import (
    DeliveryReport as ReportRow,
)
from app.core.provider import Acceptance, DeliveryReport
from app.core.services import Services
from tests.making import PERSON, draft, text
from tests.threads import together


@pytest.fixture
def sent(services: Services):
    """A message that the provider took; its provider message id."""
    return services.outbox.send(draft()).provider_id


@pytest.fixture
def status(database):
    def read() -> str:
        with database.read() as connection:
            return connection.execute(sa.select(OutboundMessage.status)).scalar_one()

    return read


def report(message_id: str, status: DeliveryStatus, **more) -> DeliveryReport:
    return DeliveryReport("twilio", message_id, status, **({"to": PERSON} | more))


def opted_out(message_id: str, **more) -> DeliveryReport:
    return report(message_id, DeliveryStatus.FAILED, error_code=21610, opted_out=True, **more)


def reason(services: Services) -> Reason | None:
    return next(services.gate.check([PERSON], Scope("default", Purpose.MARKETING))).reason


@pytest.mark.parametrize(
    "order",
    list(permutations([DeliveryStatus.QUEUED, DeliveryStatus.SENT, DeliveryStatus.DELIVERED])),
)
def test_a_status_only_moves_forwards(services, sent, status, order):
    """Whatever order the reports come in, and how often, the message ends as delivered."""
    for each in (*order, *order):
        services.deliveries.record(report(sent, each))
    assert status() == DeliveryStatus.DELIVERED


@pytest.mark.parametrize("unfit", [DeliveryStatus.UNKNOWN, DeliveryStatus.REFUSED])
def test_a_status_that_says_nothing_changes_nothing(services, sent, status, unfit):
    """A word that the provider has only just invented is kept, and moves no message."""
    services.deliveries.record(report(sent, unfit))
    assert status() == DeliveryStatus.QUEUED


def test_a_report_on_somebody_elses_message_is_kept_and_harmless(services, sent, status, database):
    """An account may send by other ways too: unknown ids are stored, ours stay as they are."""
    services.deliveries.record(report("SM-not-ours", DeliveryStatus.FAILED))
    assert status() == DeliveryStatus.QUEUED
    with database.read() as connection:
        assert len(connection.execute(sa.select(ReportRow)).all()) == 1


def test_another_provider_cannot_speak_of_our_message(services, sent, status):
    """An id is one provider's own."""
    services.deliveries.record(
        DeliveryReport("simulator", sent, DeliveryStatus.DELIVERED, to=PERSON)
    )
    assert status() == DeliveryStatus.QUEUED


@pytest.mark.parametrize("to", [PERSON, None])
def test_an_opt_out_in_a_report_suppresses_the_number(services, sent, status, database, to):
    """21610 may come after the message was taken, with the number or without it."""
    services.deliveries.record(opted_out(sent, to=to))
    assert status() == DeliveryStatus.FAILED
    assert reason(services) is Reason.SUPPRESSED
    with database.read() as connection:
        query = sa.select(Suppression.program, Suppression.reason)
        assert connection.execute(query).one() == (ALL_PROGRAMS, consent.PROVIDER_OPT_OUT)


def test_an_opt_out_in_a_report_on_an_unknown_message_counts(services):
    """Also for what was sent by other ways."""
    services.deliveries.record(opted_out("SM-not-ours"))
    assert reason(services) is Reason.SUPPRESSED


def test_a_repeated_report_does_not_undo_a_start(services, sent):
    """The person came back after it: the same report again changes nothing."""
    services.deliveries.record(opted_out(sent))
    services.inbox.receive(text("START"))
    services.deliveries.record(opted_out(sent))
    assert reason(services) is None


def test_a_report_without_number_on_an_unknown_message_is_harmless(services):
    """There is nobody to suppress, and nothing crashes."""
    services.deliveries.record(opted_out("SM-not-ours", to=None))
    assert reason(services) is None


def test_an_opt_out_reported_before_its_message_is_known_counts_then(services, provider, status):
    """The report is faster than the answer to our request and names no number: it waits for it."""
    early = opted_out("SM-early", to=None)
    provider.will_accept_then(lambda: services.deliveries.record(early))
    provider.accept = lambda: Acceptance("SM-early", DeliveryStatus.QUEUED, {})
    services.outbox.send(draft())
    assert status() == DeliveryStatus.FAILED
    assert reason(services) is Reason.SUPPRESSED
    services.inbox.receive(text("START"))
    services.deliveries.record(early)
    assert reason(services) is None


def test_a_report_does_not_bring_an_erased_number_back(services, sent, database):
    """An erased number stays erased."""
    with database.write() as connection:
        connection.execute(sa.update(Subscriber).values(number=None))
    services.deliveries.record(report(sent, DeliveryStatus.DELIVERED))
    with database.read() as connection:
        assert connection.execute(sa.select(Subscriber.number)).scalar_one() is None


def test_reports_at_one_moment_all_count(services, sent, status, database):
    """Ten copies of three reports at once: three rows, the furthest status, one suppression."""
    reports = [
        report(sent, DeliveryStatus.SENT),
        report(sent, DeliveryStatus.DELIVERED),
        opted_out(sent),
    ]
    together(*[lambda r=r: services.deliveries.record(r) for r in reports * 5])
    assert status() == DeliveryStatus.DELIVERED
    with database.read() as connection:
        assert len(connection.execute(sa.select(ReportRow)).all()) == 3
        assert len(connection.execute(sa.select(Suppression)).all()) == 1


def test_a_report_that_cannot_be_stored_is_told_so(services, sent, status, outage, database):
    """Nothing is half done: the provider tries again, and then it counts."""
    for passing in range(4):
        outage.begin(after=passing)
        with pytest.raises(StorageUnavailableError):
            services.deliveries.record(opted_out(sent))
        outage.end()
        assert (status(), reason(services)) == (DeliveryStatus.QUEUED, None)
    services.deliveries.record(opted_out(sent))
    assert reason(services) is Reason.SUPPRESSED


# --- handsets that can't be reached


def out_of_reach(services, count: int, first: int = 0) -> None:
    for i in range(first, first + count):
        unreachable = report(f"SM-{i}", DeliveryStatus.UNDELIVERED, error_code=30003)
        services.deliveries.record(replace(unreachable, unreachable=True))


def test_a_handset_that_cannot_be_reached_again_and_again_is_suppressed(services, sent, database):
    """Three times in a row, as UNREACHABLE_AFTER says; the reason is not taken for an opt-out."""
    out_of_reach(services, 2)
    assert reason(services) is None
    out_of_reach(services, 1, first=2)
    assert reason(services) is Reason.SUPPRESSED
    with database.read() as connection:
        query = sa.select(Suppression.reason)
        assert connection.execute(query).scalar_one() == consent.UNREACHABLE


def test_a_delivered_message_begins_the_count_anew(services, sent):
    """In a row means in a row; copies of one report count once."""
    out_of_reach(services, 2)
    services.deliveries.record(report(sent, DeliveryStatus.DELIVERED))
    out_of_reach(services, 2, first=2)
    out_of_reach(services, 2, first=2)
    assert reason(services) is None


def test_who_comes_back_starts_anew(services, sent):
    """After START one more report does not suppress at once."""
    out_of_reach(services, 3)
    services.inbox.receive(text("START"))
    out_of_reach(services, 1, first=3)
    assert reason(services) is None
