"""What a person's own link can do in the core: ordered with sends, and never more than it may."""

import re

import pytest
import sqlalchemy as sa

from app.core.consent import Evidence
from app.core.database import Database
from app.core.errors import (
    CodeRefusedError,
    InvalidInputError,
    NotFoundError,
    NotSentError,
    TooManyRequestsError,
)
from app.core.models import ALL_PROGRAMS, Act, Channel, DeliveryStatus, LedgerEntry
from app.core.optin import Join
from app.core.preferences import State, Visit
from app.core.provider import Acceptance
from app.core.services import Services
from tests.fakes import LONG, START
from tests.making import PERSON, SENDER, draft, held, text
from tests.threads import meanwhile, together

VISIT = Visit("Stop all messages", "203.0.113.7", "A browser")


@pytest.fixture
def token(services: Services) -> str:
    return services.preferences.link_of(PERSON).removeprefix("/u/")


def acts(database: Database) -> list[str]:
    with database.read() as connection:
        return list(connection.execute(sa.select(LedgerEntry.act)).scalars())


def test_the_button_waits_for_the_message_that_the_provider_has(
    services, provider, sleep, database, token
):
    """What was on its way is over before the page says that all is stopped; as with STOP."""
    hang = provider.will_hang()
    with meanwhile(lambda: services.outbox.send(draft())) as sending:
        assert hang.reached.wait(LONG)
        sleep.meanwhile = lambda: (hang.release(), sending.result(LONG))
        services.preferences.stop(token, ALL_PROGRAMS, VISIT)
        assert sending.done()
    assert sleep.slept
    with pytest.raises(NotSentError):
        services.outbox.send(draft())


def test_a_message_that_does_not_end_is_written_down(services, provider, database, token):
    """If the provider still has a message when the page answers, the ledger says so."""
    hang = provider.will_hang()
    with meanwhile(lambda: services.outbox.send(draft())) as sending:
        assert hang.reached.wait(LONG)
        services.preferences.stop(token, ALL_PROGRAMS, VISIT)
        hang.release()
        sending.result(LONG)
    assert acts(database).count(Act.LATE_MESSAGE) == 1


def test_a_scheduled_message_is_cancelled(services, provider, token):
    """What waits at the provider for its time is cancelled there before the page answers."""
    provider.script.append(lambda: Acceptance("SM-later", DeliveryStatus.SCHEDULED, {}))
    services.outbox.send(draft())
    canceled: list[str] = []
    provider.cancel = canceled.append

    services.preferences.stop(token, ALL_PROGRAMS, VISIT)

    assert canceled == ["SM-later"]


def test_two_presses_at_once_are_one(services, database, token):
    """Two presses at the same moment make one entry in the ledger."""
    press = lambda: services.preferences.stop(token, ALL_PROGRAMS, VISIT)  # noqa: E731

    together(press, press)

    assert acts(database) == [Act.OPT_OUT]


def test_the_persons_own_stop_counts_beside_an_operators(services, database, token):
    """A number on the list by import is still asked: the person's own word is recorded."""
    services.suppressions.add(PERSON, ALL_PROGRAMS, "import", Evidence("cli"))

    services.preferences.stop(token, ALL_PROGRAMS, VISIT)

    assert acts(database) == [Act.SUPPRESS, Act.OPT_OUT]


def test_a_stop_ends_what_waits(services, provider, phones, token):
    """A pending request does not confirm after it, and a text that waited for review is settled."""
    services.inbox.receive(text("boh"))
    held(services, phones.parse(PERSON))
    request = services.join_form.ask(Join(PERSON, "default", "web", "the form"))
    code = re.search(r"\b\d{6}\b", provider.sent[-1].body)[0]

    services.preferences.stop(token, ALL_PROGRAMS, VISIT)

    assert services.reviews.waiting() == []
    with pytest.raises(CodeRefusedError):
        services.join_form.enter(request, code)


def test_where_nothing_is_recorded_the_page_says_what_was_sent(services, token):
    """A program that texts this person is shown, although no consent to it is recorded."""
    assert services.preferences.of(token, "").memberships == []
    services.outbox.send(draft())

    [membership] = services.preferences.of(token, "").memberships

    assert (membership.state, membership.since, membership.text) == (State.RECEIVING, None, None)
    assert not services.preferences.of(token, "").can_choose


def test_a_link_belongs_to_one_number(services, token):
    """Two numbers have two links; the same number always the same one."""
    assert services.preferences.link_of("333 123 4567") == f"/u/{token}"
    assert services.preferences.link_of(SENDER) != f"/u/{token}"
    assert services.preferences.of(token, "").tail == "567"


def test_unknown_links_are_counted_by_household(services, clock):
    """In IPv6 the limit holds for the whole /64, and opens again after an hour."""
    addresses = [f"2001:db8:0:1::{n:x}" for n in range(1, 31)]
    for address in addresses:
        with pytest.raises(NotFoundError):
            services.preferences.of("unknown", address)

    with pytest.raises(TooManyRequestsError) as refused:
        services.preferences.of("unknown", "2001:db8:0:1:ffff::1")
    with pytest.raises(NotFoundError):
        services.preferences.of("unknown", "2001:db8:0:2::1")
    clock.now = START + refused.value.retry_after
    with pytest.raises(NotFoundError):
        services.preferences.of("unknown", addresses[0])


def test_an_address_that_can_not_be_one_changes_nothing(services, database, token):
    """A wrong e-mail address is refused before anything is written."""
    with pytest.raises(InvalidInputError):
        services.preferences.prefer(token, Channel.EMAIL, "anna", VISIT)

    assert acts(database) == []
