"""The law's clocks: what is open, by when, and an alarm before it is late."""

import re
from datetime import timedelta

import pytest
import sqlalchemy as sa

from app.core.due import Clockwork
from app.core.errors import NotFoundError, ProviderError
from app.core.models import Channel, InboundMessage, RequestKind
from app.core.optin import Join
from app.core.services import Services
from tests.core.test_copies import erased_by_sms
from tests.making import PERSON, draft, text

__all__ = ["erased_by_sms"]

MONTH = timedelta(days=30)


def clock_of(services: Services, name: str) -> Clockwork:
    return {duty.name: duty for duty in services.duties.quick()}[name]


def missed(services: Services, clock, minutes: float, body: str = "STOP") -> None:
    """A text whose webhook was lost is found in the provider's log so long after."""
    sent_at = clock.now
    clock.advance(minutes=minutes)
    services.inbox.receive(text(body, sent_at=sent_at))


def test_a_confirmation_is_due_in_five_minutes(services: Services, clock, provider):
    """47 CFR 64.1200(a)(12): an alarm before, late after; done when the message has gone."""
    missed(services, clock, minutes=1)
    duty = clock_of(services, "opt-outs not confirmed")
    assert (duty.count, duty.by) == (1, clock.now + timedelta(minutes=4))
    assert not duty.is_near(clock.now)
    assert duty.is_near(clock.now + timedelta(minutes=2))
    assert duty.is_late(clock.now + timedelta(minutes=4))

    with services.database.read() as connection:
        [text_id] = connection.execute(sa.select(InboundMessage.id)).scalars()
    services.outbox.answer(text_id)
    assert clock_of(services, "opt-outs not confirmed").count == 0


def test_one_that_was_missed_is_shown_for_a_day(services: Services, clock):
    """It is not sent late; that it was not given can be seen, and justified."""
    missed(services, clock, minutes=7)
    duty = clock_of(services, "opt-outs not confirmed")
    assert duty.is_late(clock.now)
    clock.advance(days=1)
    assert clock_of(services, "opt-outs not confirmed").count == 0


def test_what_was_confirmed_in_its_webhook_is_not_due(services: Services):
    """Nor is a text that is no opt-out."""
    services.inbox.receive(text("STOP"))
    services.inbox.receive(text("INFO", message_id="SM2"))
    assert clock_of(services, "opt-outs not confirmed").count == 0


def test_an_opt_out_is_honoured_within_ten_days(services: Services, provider, clock):
    """A scheduled message that the provider won't cancel is alarmed before it is late."""
    provider.will_schedule()
    services.outbox.send(draft(options=(("SendAt", "2027-01-01T00:00:00Z"),)))
    provider.cancel_failure = ProviderError("no", status=500, permanent=False)
    services.inbox.receive(text("STOP"))

    duty = clock_of(services, "scheduled messages to who opted out")
    assert (duty.count, duty.by) == (1, clock.now + timedelta(days=10))
    assert not duty.is_near(clock.now)
    assert duty.is_near(clock.now + timedelta(days=8))


@pytest.mark.parametrize("kind", list(RequestKind))
def test_a_request_has_its_month(services: Services, clock, kind):
    """GDPR art. 12(3): counted from when it was made, alarmed a week before."""
    services.person_requests.add(PERSON, kind, "letter", clock.now - timedelta(days=20))
    duty = clock_of(services, f"requests for {kind}")

    assert (duty.count, duty.by) == (1, clock.now + timedelta(days=10))
    assert not duty.is_near(clock.now)
    assert duty.is_near(clock.now + timedelta(days=3))
    [request] = services.person_requests.waiting()
    services.person_requests.close(request.id, "ada")
    assert clock_of(services, f"requests for {kind}").count == 0
    with pytest.raises(NotFoundError):
        services.person_requests.close(request.id, "ada")


def test_handing_the_data_out_answers_the_request(services: Services, phones):
    """And an erasure answers the other kind: nobody has to remember to close it."""
    for kind in RequestKind:
        services.person_requests.add(PERSON, kind, "letter", None)
    services.accesses.note_dossier("command line", "ada", phones.parse(PERSON).fingerprint)
    assert [row.kind for row in services.person_requests.waiting()] == ["erasure"]

    services.privacy.erase(PERSON, "the person", "command line")
    assert services.person_requests.waiting() == []


def test_erase_by_sms_without_its_code_waits_for_an_operator(services: Services, clock):
    """The wish counts from the text, once, however often it is repeated."""
    services.inbox.receive(text("ERASE", message_id="SM1"))
    asked_at = clock.now
    clock.advance(days=2)
    services.inbox.receive(text("ERASE", message_id="SM2"))

    duty = clock_of(services, "requests for erasure")
    assert (duty.count, duty.by) == (1, asked_at + MONTH)


def test_erased_by_sms_nothing_waits_but_the_provider(services: Services, erased_by_sms, clock):
    """The code closes the wish; the log's spans have a month as the copies have."""
    assert clock_of(services, "requests for erasure").count == 0
    duty = clock_of(services, "spans of the provider's log to search for copies")
    assert duty.count > 0
    assert not duty.is_near(clock.now)
    assert duty.is_late(clock.now + MONTH + timedelta(minutes=6))


@pytest.mark.parametrize(("channel", "count"), [(Channel.SMS, 1), (Channel.EMAIL, 0)])
def test_who_chose_email_is_not_counted_as_one_to_ask(
    services: Services, provider, clock, channel, count
):
    """They can't be asked by SMS: an alarm that nobody can answer would be no alarm."""
    services.opt_ins.request(Join(PERSON, "default", "web", "form", channel=channel))
    code = re.search(r"\d{6}", provider.sent[-1].body)[0]
    services.inbox.receive(text(code, message_id="SMjoin"))
    clock.advance(days=725)

    assert clock_of(services, "consents near their end, not asked for").count == count
