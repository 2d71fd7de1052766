"""Messages that go out: once, through the gate, and with an outcome that is written down."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from app.core.database import Database
from app.core.errors import (
    IdempotencyConflictError,
    InvalidInputError,
    InvalidNumberError,
    NotFoundError,
    NotSentError,
    ProviderError,
    ProviderOutcomeUnknownError,
    Reason,
    StorageUnavailableError,
)
from app.core.gate import Scope
from app.core.models import (
    DeliveryStatus,
    LedgerEntry,
    OutboundMessage,
    Purpose,
    Subscriber,
    Suppression,
)
from app.core.outbound import CLAIM_LIFETIME
from app.core.provider import DeliveryReport
from app.core.services import Services
from tests.fakes import FakeClock, FakeProvider, FakeSleep, Outage, counted_statements
from tests.making import PERSON, SENDER, draft, text


@pytest.fixture
def rows(database: Database):
    def read() -> list:
        with database.read() as connection:
            return list(connection.execute(sa.select(OutboundMessage)).all())

    return read


def stop(services: Services) -> None:
    services.inbox.receive(text("STOP", message_id="SM-stop"))


def test_a_message_is_handed_over_once_and_its_row_says_so(services, provider, rows):
    """The receipt, the provider and the row agree on number, text, id, status and segments."""
    receipt = services.outbox.send(draft("333 123 4567", "Ciao\nRispondi STOP"))

    [sent] = provider.sent
    assert (sent.to.e164, sent.body, sent.sender) == (PERSON, "Ciao\nRispondi STOP", SENDER)
    [row] = rows()
    assert (row.id, row.status) == (receipt.id, DeliveryStatus.QUEUED)
    assert (row.provider_message_id, row.segments) == (receipt.provider_id, 1)
    assert services.outbox.status(receipt.id).status is receipt.status is DeliveryStatus.QUEUED


def test_a_suppressed_number_is_not_reached(services, provider, rows):
    """The gate's refusal is an error with its reason, a row without the text, and no call."""
    stop(services)
    for purpose in Purpose:
        with pytest.raises(NotSentError) as refused:
            services.outbox.send(draft(purpose=purpose))
        assert refused.value.reason is Reason.SUPPRESSED
    assert provider.sent == []
    assert {(row.status, row.reason, row.body) for row in rows()} == {
        (DeliveryStatus.REFUSED, Reason.SUPPRESSED, None)
    }


@pytest.mark.parametrize("program", ["nope", "x" * 300, "*", "", "DEFAULT", "default "])
def test_an_unknown_program_is_refused_and_leaves_nothing(services, provider, rows, program):
    """A slip in the program's name sends nothing, keeps nothing, and can be put right."""
    with pytest.raises(NotSentError) as refused:
        services.outbox.send(draft(program=program, idempotency_key="k"))
    assert refused.value.reason is Reason.UNKNOWN_PROGRAM
    assert rows() == []
    assert services.outbox.send(draft(idempotency_key="k")).id


@pytest.mark.parametrize("program", ["a\0b", "\ud800"])
def test_a_program_that_no_database_can_look_up_sends_nothing(services, provider, program):
    """What can't even be asked for is refused in our words."""
    with pytest.raises((NotSentError, InvalidInputError)):
        services.outbox.send(draft(program=program))
    assert provider.sent == []


@pytest.mark.parametrize("key", ["k\0", "\ud800", "k" * 201])
def test_an_idempotency_key_that_cannot_be_stored_crashes_nothing(services, provider, key):
    """It is refused in our words, or kept as it is; the message is never sent twice."""
    for _ in range(2):
        try:
            services.outbox.send(draft(idempotency_key=key))
        except InvalidInputError:
            assert provider.sent == []
    assert len(provider.sent) <= 1


def test_a_bad_number_is_an_error_before_anything(services, provider, rows):
    """What is no number reaches neither database nor provider."""
    with pytest.raises(InvalidNumberError):
        services.outbox.send(draft("12345"))
    assert (provider.sent, rows()) == ([], [])


def test_an_erased_number_stays_erased(services, database):
    """Sending to a number does not make its number known again; its receipt then names none."""
    receipt = services.outbox.send(draft())
    with database.write() as connection:
        connection.execute(sa.update(Subscriber).values(number=None))
    services.outbox.send(draft())
    with database.read() as connection:
        assert connection.execute(sa.select(Subscriber.number)).scalars().all() == [None]
    assert services.outbox.status(receipt.id).to is None


def test_a_message_that_there_is_not(services):
    """An id that was never given is not found, whatever it looks like."""
    for message_id in ("", "x" * 500, "SM1"):
        with pytest.raises(NotFoundError):
            services.outbox.status(message_id)
    with pytest.raises((NotFoundError, InvalidInputError)):
        services.outbox.status("\0")


# --- the provider's answers


def test_a_refusal_by_the_provider_is_passed_on_and_written_down(services, provider, rows):
    """The provider's code reaches the caller and the row; nobody is suppressed for it."""
    provider.will_refuse(21408)
    with pytest.raises(ProviderError) as refused:
        services.outbox.send(draft())
    assert (refused.value.code, refused.value.permanent) == (21408, True)
    [row] = rows()
    assert (row.status, row.error_code) == (DeliveryStatus.FAILED, 21408)
    assert services.outbox.send(draft()).status is DeliveryStatus.QUEUED


def test_an_opt_out_that_only_the_provider_knew_becomes_ours(services, provider, database, rows):
    """21610 at create is a refusal like the gate's, and suppresses the number at once."""
    provider.will_have_opted_out()
    with pytest.raises(NotSentError) as refused:
        services.outbox.send(draft(idempotency_key="k"))
    assert refused.value.reason is Reason.SUPPRESSED
    with pytest.raises(NotSentError):  # the first answer again
        services.outbox.send(draft(idempotency_key="k"))
    with pytest.raises(NotSentError):  # now the gate itself
        services.outbox.send(draft())
    assert len(provider.sent) == 1
    assert (rows()[0].status, rows()[0].error_code) == (DeliveryStatus.REFUSED, 21610)
    with database.read() as connection:
        [suppression] = connection.execute(sa.select(Suppression)).all()
        [entry] = connection.execute(sa.select(LedgerEntry)).all()
    assert (suppression.reason, suppression.ledger_entry_id) == ("provider_opt_out", entry.id)
    assert entry.evidence["code"] == 21610


def test_a_provider_opt_out_does_not_hide_the_persons_own(services, provider, database):
    """Where the person had opted out while the message was under way, that stays the reason."""
    hang = provider.will_hang()
    hang.release()
    provider.script[0] = _opt_out_during(services, provider)
    with pytest.raises(NotSentError):
        services.outbox.send(draft())
    with database.read() as connection:
        assert connection.execute(sa.select(Suppression.reason)).scalars().all() == ["opt_out"]


def _opt_out_during(services, provider):
    provider.will_have_opted_out()
    answer = provider.script.pop()

    def scripted():
        stop(services)
        return answer()

    return scripted


@pytest.mark.parametrize("failure", ["will_not_answer", "will_break"])
def test_an_unknown_outcome_is_never_sent_again_by_itself(services, provider, rows, failure):
    """Whatever happened after the request left, the row says unknown and the key stays used."""
    getattr(provider, failure)()
    for _ in range(2):
        with pytest.raises(ProviderOutcomeUnknownError):
            services.outbox.send(draft(idempotency_key="k"))
    assert len(provider.sent) == 1
    assert rows()[0].status == DeliveryStatus.UNKNOWN


def test_an_id_that_the_provider_gave_before_is_an_unknown_outcome(services, provider, rows):
    """Two messages under one provider message id can't both be told apart later: no crash."""
    provider.will_accept_as("SM7")
    provider.will_accept_as("SM7")
    services.outbox.send(draft())
    with pytest.raises(ProviderOutcomeUnknownError):
        services.outbox.send(draft())
    assert [row.status for row in rows()] == [DeliveryStatus.QUEUED, DeliveryStatus.UNKNOWN]


def test_a_claim_that_took_too_long_is_not_handed_over(services, provider, clock, rows):
    """Who waits for an old claim may stop waiting: its sender gives it up."""
    clock.step = CLAIM_LIFETIME + timedelta(milliseconds=1)
    with pytest.raises(ProviderError) as late:
        services.outbox.send(draft())
    assert not late.value.permanent
    assert provider.sent == []
    assert rows()[0].status == DeliveryStatus.FAILED


# --- idempotency


def test_the_same_key_gives_the_first_answer_again(services, provider):
    """One message, however often it is asked for; STOP in between changes no answer."""
    first = services.outbox.send(draft(idempotency_key="spring-42"))
    stop(services)
    again = services.outbox.send(draft(idempotency_key="spring-42"))
    assert (again.id, again.provider_id, again.status) == (
        first.id,
        first.provider_id,
        first.status,
    )
    assert len(provider.sent) == 1


def test_the_same_key_gives_the_first_refusal_again(services, provider):
    """A refusal is an answer too, and lasts for its key."""
    stop(services)
    with pytest.raises(NotSentError):
        services.outbox.send(draft(idempotency_key="k"))
    services.inbox.receive(text("START", message_id="SM-start"))
    with pytest.raises(NotSentError) as refused:
        services.outbox.send(draft(idempotency_key="k"))
    assert refused.value.reason is Reason.SUPPRESSED


@pytest.mark.parametrize(
    "other",
    [
        {"body": "Altro"},
        {"to": "+393331234568"},
        {"purpose": Purpose.SERVICE},
        {"sender": "+390612345678"},
        {"options": [("MediaUrl", "https://example.org/a.png")]},
    ],
)
def test_a_key_used_for_another_message_is_an_error(services, provider, other):
    """One key for two messages would lose one of them silently."""
    services.outbox.send(draft(idempotency_key="k"))
    with pytest.raises(IdempotencyConflictError):
        services.outbox.send(draft(**({"idempotency_key": "k"} | other)))
    assert len(provider.sent) == 1


def test_keys_belong_to_who_asks(services, provider):
    """Two API keys may use the same idempotency key."""
    for requester in ("a", "b"):
        services.outbox.send(draft(idempotency_key="k", requester=requester))
    assert len(provider.sent) == 2


def test_what_may_be_sent_again_can_be_under_its_key(services, provider):
    """Surely not sent, and not for good: the same key tries again. A refusal for good is final."""
    provider.will_refuse(20429, permanent=False, retry_after=timedelta(minutes=1))
    with pytest.raises(ProviderError):
        services.outbox.send(draft(idempotency_key="k"))
    assert services.outbox.send(draft(idempotency_key="k")).status is DeliveryStatus.QUEUED

    provider.will_refuse(21211)
    for _ in range(2):
        with pytest.raises(ProviderError) as refused:
            services.outbox.send(draft(idempotency_key="k2"))
        assert (refused.value.code, refused.value.permanent) == (21211, True)
    assert len(provider.sent) == 3


# --- the database fails


def test_nothing_is_sent_when_the_list_cannot_be_read(services, provider, outage: Outage):
    """Fail closed: whichever statement of the claim fails, the provider is not called."""
    for passing in range(4):
        outage.begin(1, after=passing)
        with pytest.raises(StorageUnavailableError):
            services.outbox.send(draft())
    outage.begin()
    with pytest.raises(StorageUnavailableError):
        list(services.gate.check([PERSON], Scope("default", Purpose.MARKETING)))
    assert provider.sent == []


@pytest.mark.parametrize("failing", [1, 2])
def test_an_outcome_is_written_down_when_the_database_is_back_in_a_moment(
    services, provider, outage: Outage, sleep: FakeSleep, rows, failing: int
):
    """The provider took the message, the database was away: a later attempt writes it down."""
    provider.will_accept_then(lambda: outage.begin(failing))
    assert services.outbox.send(draft()).status is DeliveryStatus.QUEUED
    assert rows()[0].status == DeliveryStatus.QUEUED
    assert len(sleep.slept) == failing


def test_a_message_that_was_sent_and_could_not_be_written_down_is_said_to_be_so(
    services, provider, outage: Outage, clock: FakeClock, rows
):
    """The caller hears that it may have been sent; its row is unknown, and not sent again."""
    provider.will_accept_then(outage.begin)
    with pytest.raises(ProviderOutcomeUnknownError) as said:
        services.outbox.send(draft(idempotency_key="k"))
    assert "don't send it again" in str(said.value)
    outage.end()
    assert rows()[0].status == DeliveryStatus.CLAIMED

    assert services.outcomes.settle_abandoned() == 0
    clock.advance(seconds=30)
    assert services.outcomes.settle_abandoned() == 1
    assert rows()[0].status == DeliveryStatus.UNKNOWN
    with pytest.raises(ProviderOutcomeUnknownError):
        services.outbox.send(draft(idempotency_key="k"))
    assert len(provider.sent) == 1


@pytest.mark.parametrize(
    ("scripted", "said"),
    [
        ("will_not_answer", ProviderOutcomeUnknownError),
        ("will_have_opted_out", StorageUnavailableError),
    ],
)
def test_a_failure_that_cannot_be_written_down(services, provider, outage, scripted, said):
    """What the caller must know most is said: it may have been sent, or surely was not."""
    getattr(provider, scripted)()
    answer = provider.script.pop()

    def then_fail():
        outage.begin()
        return answer()

    provider.script.append(then_fail)
    with pytest.raises(said):
        services.outbox.send(draft())
    outage.end()
    provider.will_have_opted_out()
    with pytest.raises(NotSentError):  # met again, and kept this time
        services.outbox.send(draft())
    with pytest.raises(NotSentError):
        services.outbox.send(draft())
    assert len(provider.sent) == 2


def test_a_report_that_overtakes_the_senders_own_writing_is_not_lost(services, provider, rows):
    """`delivered` may come before the provider's id is written down: it is caught up with."""
    report = DeliveryReport("twilio", "SM9", DeliveryStatus.DELIVERED, PERSON)
    provider.script.append(lambda: (services.deliveries.record(report), provider.accept("SM9"))[1])
    assert services.outbox.send(draft()).status is DeliveryStatus.DELIVERED
    assert rows()[0].status == DeliveryStatus.DELIVERED


def test_a_send_costs_few_statements(services, provider: FakeProvider, database: Database):
    """Claim and outcome, their locks included."""
    services.outbox.send(draft())
    with counted_statements(database.engine) as statements:
        services.outbox.send(draft())
    assert len(statements) <= 8, "\n".join(statements)
