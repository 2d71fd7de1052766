"""Unknown outcomes: looked up at the provider and settled, never sent again."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from app.core.errors import ProviderError, ProviderOutcomeUnknownError, Reason
from app.core.gate import Scope
from app.core.models import DeliveryStatus, OutboundMessage, Purpose
from app.core.provider import DeliveryReport, LoggedMessage
from app.core.unknown import NEVER_ARRIVED_AFTER
from tests.fakes import START
from tests.making import PERSON, SENDER, draft, text

BODY = "Ciao\nRispondi STOP"
MARKETING = Scope("default", Purpose.MARKETING)
_EARLY_OPT_OUT = DeliveryReport(
    "twilio", "SM7", DeliveryStatus.FAILED, error_code=21610, opted_out=True
)


@pytest.fixture
def rows(database):
    def read() -> list:
        with database.read() as connection:
            query = sa.select(OutboundMessage).order_by(OutboundMessage.created_at)
            return list(connection.execute(query))

    return read


def send_and_hear_nothing(services, provider, **more) -> None:
    provider.will_not_answer()
    with pytest.raises(ProviderOutcomeUnknownError):
        services.outbox.send(draft(body=BODY, **more))


def logged(message_id: str = "SM7", **changes) -> LoggedMessage:
    values = {
        "provider_message_id": message_id,
        "is_inbound": False,
        "sender": SENDER,
        "recipient": PERSON,
        "body": BODY,
        "status": DeliveryStatus.DELIVERED,
        "at": START,
    }
    return LoggedMessage(**(values | changes))


def test_an_opt_out_that_was_reported_early_counts_once_the_message_is_found(
    services, provider, clock
):
    """The report came before we knew the id, and without a number: it waits for the message."""
    send_and_hear_nothing(services, provider)
    services.deliveries.record(_EARLY_OPT_OUT)
    provider.logged = [logged()]
    clock.advance(minutes=5)
    assert services.unknowns.settle().found == 1
    assert next(services.gate.check([PERSON], MARKETING)).reason is Reason.SUPPRESSED


def test_a_start_after_an_early_report_stands(services, provider, clock):
    """When it is known whose opt-out was named, the person has come back already."""
    send_and_hear_nothing(services, provider)
    services.deliveries.record(_EARLY_OPT_OUT)
    clock.advance(minutes=1)
    services.inbox.receive(text("START"))
    provider.logged = [logged()]
    clock.advance(minutes=5)
    assert services.unknowns.settle().found == 1
    assert next(services.gate.check([PERSON], MARKETING)).allowed


def test_what_the_provider_has_is_found(services, provider, rows):
    """The row gets the provider's id and status, and nothing is sent again."""
    send_and_hear_nothing(services, provider)
    provider.logged = [logged()]
    assert services.unknowns.settle().found == 1
    [row] = rows()
    assert (row.status, row.provider_message_id) == (DeliveryStatus.DELIVERED, "SM7")
    assert len(provider.sent) == 1
    assert services.unknowns.waiting() == []


def test_what_surely_never_arrived_may_be_sent_again(services, provider, clock, rows):
    """Only after a safe wait, for the provider's log is not instant; then its key is free."""
    send_and_hear_nothing(services, provider, idempotency_key="k")
    assert services.unknowns.settle().open == 1
    clock.advance(seconds=NEVER_ARRIVED_AFTER.total_seconds())
    assert services.unknowns.settle().never_arrived == 1
    assert rows()[0].status == DeliveryStatus.FAILED
    assert services.outbox.send(draft(body=BODY, idempotency_key="k")).provider_id


@pytest.mark.parametrize(
    "other",
    [
        {"is_inbound": True},
        {"sender": "+390612345678"},
        {"body": "Altro\nRispondi STOP"},
        {"at": START - timedelta(minutes=5)},
        {"at": START + timedelta(minutes=30)},
        {"recipient": "+393331234568"},
    ],
)
def test_another_message_is_not_taken_for_it(services, provider, clock, other):
    """Number, sender, text, time and direction must all fit."""
    send_and_hear_nothing(services, provider)
    provider.logged = [logged(**other)]
    clock.advance(minutes=5)
    assert services.unknowns.settle().never_arrived == 1


def test_a_message_that_is_ours_already_is_not_taken_for_it(services, provider, clock):
    """The same text a moment later has its own row: the log's entry is that one's."""
    send_and_hear_nothing(services, provider)
    sent = services.outbox.send(draft(body=BODY))
    provider.logged = [logged(sent.provider_id)]
    clock.advance(minutes=5)
    assert services.unknowns.settle().never_arrived == 1


def test_what_cannot_be_told_apart_stays_unknown_and_is_listed(services, provider, clock):
    """Two equal texts, one in the log: nobody can say which it is, so a person must."""
    for _ in range(2):
        send_and_hear_nothing(services, provider)
    provider.logged = [logged()]
    clock.advance(minutes=5)
    assert services.unknowns.settle().ambiguous == 2
    waiting = services.unknowns.waiting()
    assert len(waiting) == 2
    assert PERSON not in str(waiting)


def test_a_code_is_found_though_it_is_not_stored(services, provider, rows):
    """The row holds the text with the code's place empty: any code fits there."""
    provider.will_not_answer()
    secret = draft(body="Codice 123456", purpose="service", kept_body="Codice {code}")
    with pytest.raises(ProviderOutcomeUnknownError):
        services.outbox.send(secret)
    provider.logged = [logged(body="Codice 123456")]
    assert services.unknowns.settle().found == 1


def test_a_crash_after_the_claim_is_settled_too(services, provider, outage, clock, rows):
    """The sender died with its claim: after a while the row is looked up like the others."""
    provider.will_accept_then(outage.begin)
    with pytest.raises(ProviderOutcomeUnknownError):
        services.outbox.send(draft(body=BODY))
    outage.end()
    provider.logged = [logged("SM9")]
    clock.advance(seconds=31)
    assert services.unknowns.settle().found == 1
    assert rows()[0].provider_message_id == "SM9"


def test_a_log_that_cannot_be_read_settles_nothing(services, provider, clock, rows):
    """Not to see a message is not to know that it isn't there."""
    send_and_hear_nothing(services, provider)
    provider.log_failure = ProviderError("down", permanent=False)
    clock.advance(days=1)
    with pytest.raises(ProviderError):
        services.unknowns.settle()
    assert rows()[0].status == DeliveryStatus.UNKNOWN
