"""The public form in the core: forms and codes that arrive together."""

import re
from functools import partial

import pytest
import sqlalchemy as sa

from app.core.database import Database
from app.core.errors import CodeFault, CodeRefusedError, ProviderError
from app.core.models import Act, LedgerEntry
from app.core.optin import Join
from app.core.services import Services
from tests.fakes import FakeProvider
from tests.making import PERSON, text
from tests.threads import together

FORM = "f" * 32


def ask(services: Services, **more) -> str:
    join = Join(PERSON, "default", "web", "https://sms.example.org/join/default", **more)
    return services.join_form.ask(join)


def code(provider: FakeProvider) -> str:
    return re.search(r"\b\d{6}\b", provider.sent[-1].body)[0]


def count(database: Database, act: Act) -> int:
    query = sa.select(sa.func.count()).where(LedgerEntry.act == act)
    with database.read() as connection:
        return connection.execute(query).scalar_one()


def test_a_form_that_arrives_twice_at_once_sends_one_code(services, provider, database):
    """Both arrivals are the same request, and one SMS goes out."""
    one, other = together(*[partial(ask, services, request_id=FORM)] * 2)

    assert one == other == FORM
    assert len(provider.sent) == 1
    assert count(database, Act.JOIN) == 1


def test_two_equal_codes_at_once_make_one_consent(services, provider, database):
    """Both are answered as right; the consent is given once."""
    request = ask(services)
    right = partial(services.join_form.enter, request, code(provider))

    together(right, right)

    assert count(database, Act.CONSENT) == 1
    assert services.join_form.has_joined(request)


def test_the_code_by_form_and_by_handset_at_once_makes_one_consent(services, provider, database):
    """Typed in and answered at the same moment: one of the two confirms, neither breaks."""
    request = ask(services)
    digits = code(provider)

    together(
        partial(services.join_form.enter, request, digits),
        partial(services.inbox.receive, text(digits)),
    )

    assert count(database, Act.CONSENT) == 1


def test_a_form_is_free_again_when_its_request_is_over(services, provider, clock):
    """The same form sent again after the code's time asks anew, with another code."""
    first = ask(services, request_id=FORM)
    clock.advance(seconds=600)

    second = ask(services, request_id=FORM)

    assert first == FORM != second
    assert len(provider.sent) == 2


def test_a_code_that_could_not_be_sent_can_be_asked_for_again(services, provider, clock):
    """When the provider refused the SMS, the same form does not pretend that it is on its way."""
    provider.will_refuse(21614)
    with pytest.raises(ProviderError):
        ask(services, request_id=FORM)
    clock.advance(minutes=1)

    ask(services, request_id=FORM)

    assert len(provider.sent) == 2


def test_an_opt_out_that_only_the_provider_knew_is_not_told_either(services, provider):
    """The provider's own refusal looks like any request; the number is suppressed from then on."""
    provider.will_have_opted_out()

    request = ask(services)

    with pytest.raises(CodeRefusedError) as refused:
        services.join_form.enter(request, "123456")
    assert refused.value.reason is CodeFault.WRONG_CODE


def test_stop_while_the_code_is_awaited_ends_it(services, provider):
    """The code does not confirm after a STOP, and the form does not say why."""
    request = ask(services)
    digits = code(provider)
    services.inbox.receive(text("STOP"))

    with pytest.raises(CodeRefusedError) as refused:
        services.join_form.enter(request, digits)

    assert refused.value.reason is CodeFault.EXPIRED
    assert not services.join_form.has_joined(request)
