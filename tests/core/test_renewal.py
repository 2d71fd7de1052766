"""Renewal: a consent is asked for again only while it is valid, once, and by its channel."""

import re
from datetime import timedelta

import pytest
import sqlalchemy as sa

from app.core.consent import Evidence
from app.core.errors import InvalidInputError, NotSentError, ProviderError
from app.core.models import Channel, Consent, LedgerEntry, OptInRequest, Purpose
from app.core.optin import Join
from app.core.services import Services
from tests.fakes import START
from tests.making import PERSON, draft, held, text

END = timedelta(days=730)


def code_in(body: str) -> str:
    return re.search(r"\b\d{6}\b", body)[0]


def join(services: Services, provider, channel: Channel = Channel.SMS) -> None:
    services.opt_ins.request(Join(PERSON, "default", "web", "form", channel=channel))
    services.inbox.receive(text(code_in(provider.sent[-1].body), message_id="SMjoin"))


def renewal(services: Services) -> object:
    return services.outbox.send(draft(purpose=Purpose.RENEWAL))


def near_the_end(clock, days: float = 10) -> None:
    clock.now += END - timedelta(days=days)


def test_a_consent_near_its_end_is_renewed(services, provider, clock, database):
    """The code that comes back begins a new period, with the words that asked as its evidence."""
    join(services, provider)
    assert list(services.renewals.ending("default")) == []
    near_the_end(clock)
    assert services.renewals.ask_all("default").sent == 1

    services.inbox.receive(text(code_in(provider.sent[-1].body), message_id="SMyes"))

    with database.read() as connection:
        consent = connection.execute(sa.select(Consent)).one()
        request = connection.execute(
            sa.select(OptInRequest).where(OptInRequest.id == consent.request_id)
        ).one()
        asking = connection.execute(
            sa.select(LedgerEntry).where(LedgerEntry.act == "renewal_asked")
        ).one()
    assert consent.expires_at == clock.now + END
    assert consent.renewal_asked_at is None
    assert (request.door, request.confirmed_by) == ("renewal", "SMyes")
    assert request.code_message_id
    assert "consenso" in asking.text
    assert "STOP" in provider.sent[-1].body  # marketing itself: it has its way out


def test_it_is_asked_once_in_a_period(services, provider, clock):
    """Nobody is asked twice for one consent, by any door; once it is given anew, it can be."""
    join(services, provider)
    near_the_end(clock)
    services.renewals.ask_all("default")
    asked = provider.sent[-1].body

    clock.advance(days=5)
    assert list(services.renewals.ending("default")) == []
    with pytest.raises(NotSentError):
        renewal(services)

    services.inbox.receive(text(code_in(asked), message_id="SMyes"))
    assert list(services.renewals.ending("default")) == []  # it is far from its end again
    near_the_end(clock)
    assert services.renewals.ask_all("default").sent == 1
    assert services.renewals.ask_all("default").sent == 0
    services.inbox.receive(text(code_in(provider.sent[-1].body), message_id="SMyes2"))
    assert services.outbox.send(draft()).to == PERSON


def opted_out(services, provider, clock):
    join(services, provider)
    near_the_end(clock)
    services.inbox.receive(text("STOP", message_id="SMstop"))


def unknown(services, provider, clock):
    pass


def never_confirmed(services, provider, clock):
    services.opt_ins.request(Join(PERSON, "default", "web", "form"))


def refused_the_code(services, provider, clock):
    services.opt_ins.request(Join(PERSON, "default", "web", "form"))
    for number in range(6):
        services.inbox.receive(text("000000", message_id=f"SM{number}"))


def expired(services, provider, clock):
    join(services, provider)
    clock.now += END


def by_mail(services, provider, clock):
    join(services, provider, Channel.EMAIL)
    near_the_end(clock)


def suppressed(services, provider, clock):
    join(services, provider)
    near_the_end(clock)
    services.suppressions.add(PERSON, "default", "complaint", Evidence("api"))


def erased(services, provider, clock):
    join(services, provider)
    near_the_end(clock)
    services.privacy.erase(PERSON, "the person", "web")


def under_review(services, provider, clock):
    join(services, provider)
    near_the_end(clock)
    held(services, services.phones.parse(PERSON), clock.now - START + timedelta(hours=72))


def nothing_at_all(services, provider, clock):
    join(services, provider, Channel.NONE)
    near_the_end(clock)


def other_program_only(services, provider, clock):
    services.programs.add("other", {})
    services.opt_ins.request(Join(PERSON, "other", "web", "form"))
    services.inbox.receive(text(code_in(provider.sent[-1].body), message_id="SMjoin"))
    near_the_end(clock)


def came_back_without_consent(services, provider, clock):
    opted_out(services, provider, clock)
    clock.advance(days=20)  # the consent ended meanwhile
    services.suppressions.lift(PERSON, "*", Evidence("api", "asked at the counter"))


NEVER = [
    *(opted_out, unknown, never_confirmed, refused_the_code, expired, by_mail, suppressed),
    *(erased, under_review, nothing_at_all, other_program_only, came_back_without_consent),
]


@pytest.mark.parametrize("state", NEVER, ids=lambda state: state.__name__)
def test_who_must_not_be_asked_can_not_be(services, provider, clock, state):
    """Neither listed nor let through by the gate, also where consent to marketing is assumed."""
    state(services, provider, clock)
    sent = len(provider.sent)

    assert list(services.renewals.ending("default")) == []
    with pytest.raises(NotSentError):
        renewal(services)
    assert len(provider.sent) == sent


def test_who_opts_out_between_list_and_message_is_not_asked(services, provider, clock):
    """The list only proposes: the gate decides when the message goes, and no code is left open."""
    join(services, provider)
    near_the_end(clock)
    [ending] = services.renewals.ending("default")
    services.inbox.receive(text("STOP", message_id="SMstop"))

    with pytest.raises(NotSentError):
        services.renewals.ask(ending)
    assert "renewal" not in {each["door"] for each in requests(services)}


def requests(services: Services) -> list[dict]:
    return services.dossiers.export(PERSON)["requests"]


def test_the_end_comes_in_its_minute(services, provider, clock):
    """Who does not answer gets nothing more once the consent is over, and its code is over too."""
    join(services, provider)
    near_the_end(clock, days=1)
    services.renewals.ask_all("default")
    asked = provider.sent[-1].body
    clock.advance(days=1)

    reply = services.inbox.receive(text(code_in(asked), message_id="SMlate")).reply
    assert "non è più valida" in reply
    with pytest.raises(NotSentError):
        renewal(services)


def test_a_program_sets_how_early(services, provider, clock):
    """The thirty days are the program's to change; a sender nobody can answer can't ask."""
    join(services, provider)
    services.programs.edit("default", {"renewal_days": 5})
    near_the_end(clock)
    assert list(services.renewals.ending("default")) == []

    clock.advance(days=6)
    [ending] = services.renewals.ending("default")
    services.programs.edit("default", {"sender": "Shop"})
    with pytest.raises(InvalidInputError, match="answer"):
        services.renewals.ask(ending)


def test_a_message_not_taken_leaves_no_code(services, provider, clock):
    """What the provider refused was not asked; the person is not asked a second time either."""
    join(services, provider)
    near_the_end(clock)
    provider.will_refuse(21211)
    [ending] = services.renewals.ending("default")

    with pytest.raises(ProviderError):
        services.renewals.ask(ending)
    assert [each["door"] for each in requests(services)] == ["web"]
