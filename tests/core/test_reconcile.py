"""No STOP is lost: after `reconcile` the state is what it would have been with every webhook."""

from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from app.core.consent import Evidence
from app.core.errors import ProviderError, Reason
from app.core.gate import Scope
from app.core.known import Silence
from app.core.models import (
    ALL_PROGRAMS,
    CompleteSpan,
    DeliveryStatus,
    InboundMessage,
    LedgerEntry,
    OutboundMessage,
    Purpose,
)
from app.core.provider import LoggedMessage
from tests.fakes import START
from tests.making import PERSON, SENDER, text
from tests.threads import together

A_DAY = START - timedelta(hours=24)


def missed(body: str, at: datetime, message_id: str = "SM1", sender: str = PERSON, **more):
    return LoggedMessage(
        message_id,
        is_inbound=True,
        sender=sender,
        recipient=SENDER,
        body=body,
        status=DeliveryStatus.QUEUED,
        at=at,
        **more,
    )


def ago(**span: float) -> datetime:
    return START - timedelta(**span)


def reason(services, number: str = PERSON) -> Reason | None:
    return next(services.gate.check([number], Scope("default", Purpose.MARKETING))).reason


def silences(database) -> list:
    with database.read() as connection:
        query = sa.select(InboundMessage.silence).order_by(InboundMessage.id)
        return list(connection.execute(query).scalars())


def test_a_stop_that_never_came_suppresses_and_is_not_answered_late(services, provider, database):
    """Its evidence says when it was sent; after hours nobody gets a confirmation."""
    provider.logged = [missed("STOP", ago(hours=3))]
    done = services.reconciler.run(A_DAY)
    assert (done.texts, done.missed, done.answered) == (1, 1, 0)
    assert reason(services) is Reason.SUPPRESSED
    assert provider.sent == []
    assert silences(database) == [Silence.TOO_LATE]
    with database.read() as connection:
        entry = connection.execute(sa.select(LedgerEntry)).one()
    assert entry.evidence["sent_at"] == ago(hours=3).isoformat()


def test_what_is_young_is_answered_by_a_message_once(services, provider, database):
    """Within five minutes the confirmation goes out, to the suppressed number, and never twice."""
    provider.logged = [missed("STOP", ago(minutes=3))]
    assert services.reconciler.run(A_DAY).answered == 1
    [sent] = provider.sent
    assert (sent.to.e164, sent.sender) == (PERSON, SENDER)
    assert "Demo" in sent.body
    services.reconciler.run(A_DAY)
    repeated = services.inbox.receive(text("STOP"))  # its webhook comes after all
    assert (repeated.reply, len(provider.sent)) == (None, 1)
    with database.read() as connection:
        assert connection.execute(sa.select(OutboundMessage.requester)).scalar_one() == "answer"


def test_only_an_answer_can_go_past_the_gate(services, provider, database):
    """The way past it takes no text and no number: what was answered in its webhook is refused."""
    services.inbox.receive(text("STOP"))
    with database.read() as connection:
        answered = connection.execute(sa.select(InboundMessage.id)).scalar_one()
    assert services.outbox.answer(answered) is None
    assert services.outbox.answer(10**6) is None
    assert provider.sent == []


def test_an_answer_that_came_too_late_is_none(services, provider, clock, database):
    """Not after five minutes, and not when the person has texted again."""
    provider.logged = [missed("INFO", ago(minutes=3))]
    provider.will_refuse(0, permanent=False)
    services.reconciler.run(A_DAY)
    with database.read() as connection:
        message = connection.execute(sa.select(InboundMessage.id)).scalar_one()
    clock.advance(minutes=3)
    assert services.outbox.answer(message) is None
    assert len(provider.sent) == 1


def test_what_the_provider_answers_itself_is_not_answered(services, provider):
    """Where Twilio has confirmed the STOP, one confirmation is enough."""
    provider.logged = [missed("STOP", ago(minutes=3), answered_by_provider=True)]
    assert services.reconciler.run(A_DAY).answered == 0
    assert provider.sent == []


def test_missed_texts_are_acted_on_in_the_order_of_their_times(services, provider):
    """The log gives the newest first; the person's last word counts."""
    words = ["START", "STOP", "START", "STOP"]
    provider.logged = [missed(body, ago(hours=i + 2), f"SM{i}") for i, body in enumerate(words)]
    assert services.reconciler.run(A_DAY).missed == 4
    assert reason(services) is None


@pytest.mark.parametrize(
    ("late", "live", "expected"),
    [
        ("STOP", "START", None),
        ("START", "STOP", Reason.SUPPRESSED),
        ("STOP", "INFO", Reason.SUPPRESSED),
    ],
)
def test_an_older_word_never_undoes_a_newer_one(services, provider, late, live, expected):
    """The webhook of the older text was lost, that of the newer one came."""
    services.inbox.receive(text(live, message_id="SM-live"))
    provider.logged = [missed(late, ago(hours=2))]
    services.reconciler.run(A_DAY)
    assert reason(services) is expected


def test_an_older_start_does_not_lift_a_newer_suppression(services, provider):
    """What an operator or an import has stopped since stays stopped."""
    services.suppressions.add(PERSON, ALL_PROGRAMS, "import", Evidence("test"))
    provider.logged = [missed("START", ago(hours=2))]
    services.reconciler.run(A_DAY)
    assert reason(services) is Reason.SUPPRESSED


def test_what_reached_us_is_left_alone(services, provider, database):
    """A text that came by its webhook is in the log too, and is not acted on again."""
    services.inbox.receive(text("STOP"))
    services.inbox.receive(text("START", message_id="SM2"))
    provider.logged = [missed("STOP", ago(minutes=10))]
    assert services.reconciler.run(A_DAY).missed == 0
    assert reason(services) is None
    assert len(silences(database)) == 2


def test_a_text_that_is_only_just_sent_is_left_to_its_webhook(services, provider):
    """The webhook may be on its way; and the watermark does not say more than is known."""
    provider.logged = [missed("STOP", ago(seconds=20))]
    done = services.reconciler.run(A_DAY)
    assert done.missed == 0
    assert services.reconciler.watermark() == done.until == ago(minutes=1)


def test_runs_at_the_same_time_act_once(services, provider, database):
    """Two hosts reconcile while the webhooks come after all: one act and one row for each text."""
    numbers = [f"+39333123456{i}" for i in range(8)]
    provider.logged = [
        missed("STOP", ago(hours=2), f"SM{i}", number) for i, number in enumerate(numbers)
    ]
    webhooks = [
        lambda i=i, n=n: services.inbox.receive(text("STOP", n, f"SM{i}"))
        for i, n in enumerate(numbers)
    ]
    together(*[lambda: services.reconciler.run(A_DAY)] * 2, *webhooks)
    assert {reason(services, number) for number in numbers} == {Reason.SUPPRESSED}
    assert len(silences(database)) == 8


def test_the_watermark_goes_on_and_a_gap_is_told(services, provider, clock, database):
    """Spans that touch become one; a run that leaves time out says which."""
    assert services.reconciler.watermark() is None
    services.reconciler.catch_up()
    clock.advance(hours=5)
    services.reconciler.catch_up()
    with database.read() as connection:
        span = connection.execute(sa.select(CompleteSpan)).one()
    assert (span.since, span.until) == (A_DAY, START + timedelta(hours=5, minutes=-1))
    clock.advance(days=3)
    assert services.reconciler.run(clock.now - timedelta(hours=1)).gap_since == span.until


def test_a_log_that_cannot_be_read_completes_nothing(services, provider):
    """The watermark stays where it was, and the next run reads again."""
    provider.log_failure = ProviderError("down", permanent=False)
    with pytest.raises(ProviderError):
        services.reconciler.catch_up()
    assert services.reconciler.watermark() is None


def test_a_code_that_came_in_time_still_confirms(services, provider, clock, database):
    """The handset answered within the code's time; that its webhook was lost is not its fault."""
    services.programs.edit("default", {"join_words": ["PIZZA"]})
    asked = services.inbox.receive(text("PIZZA", message_id="SM-join"))
    code = next(word for word in asked.reply.replace(".", " ").split() if word.isdigit())
    clock.advance(hours=2)
    provider.logged = [missed(code, START + timedelta(minutes=2))]
    services.reconciler.run(A_DAY)
    with database.read() as connection:
        acts = connection.execute(sa.select(LedgerEntry.act)).scalars().all()
    assert "consent" in acts
