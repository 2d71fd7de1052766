"""The product for Python scripts: `Gateway` sends, and answers whether it may."""

from itertools import count, islice

import pytest
from twilio.base.exceptions import TwilioRestException

from app import Gateway, RecipientRefused
from app.config import Settings, SettingsError
from app.core.errors import IdempotencyConflictError, InvalidInputError, StorageUnavailableError
from app.core.models import DeliveryStatus
from tests.fakes import FakeProvider, Outage
from tests.making import PERSON, made_settings, text

OTHER = "+393331234568"


@pytest.fixture
def provider():
    return FakeProvider()


@pytest.fixture
def gateway(settings: Settings, provider: FakeProvider):
    with Gateway(settings, provider) as gateway:
        yield gateway


@pytest.fixture
def _stopped(gateway: Gateway):
    """The person has texted STOP."""
    gateway.services.inbox.receive(text("STOP"))


def test_a_message_is_sent_in_one_line(gateway, provider):
    """The receipt says under which ids, in how many parts, and that the provider has it."""
    receipt = gateway.messages.create(to="333 123 4567", body="Ciao", sender="+393399957505")
    [sent] = provider.sent
    assert (sent.to.e164, receipt.to) == (PERSON, PERSON)
    assert sent.body.startswith("Ciao")
    assert (receipt.status, receipt.segments) == (DeliveryStatus.QUEUED, 1)
    assert receipt.id
    assert receipt.provider_id


@pytest.mark.usefixtures("_stopped")
@pytest.mark.parametrize("purpose", ["marketing", "service"])
def test_a_refusal_is_the_twilio_librarys_own_error(gateway, provider, purpose):
    """Scripts written for Twilio keep working: code 21610, and why in `reason`."""
    with pytest.raises(TwilioRestException) as refused:
        gateway.messages.create(to=PERSON, body="Ciao", purpose=purpose)
    assert isinstance(refused.value, RecipientRefused)
    assert (refused.value.code, refused.value.status) == (21610, 400)
    assert refused.value.reason == "suppressed"
    assert PERSON[3:] not in str(refused.value)
    assert provider.sent == []


def test_an_opt_out_that_the_provider_knew_is_a_refusal_too(gateway, provider):
    """The script can't tell who knew first, and need not."""
    provider.will_have_opted_out()
    for _ in range(2):
        with pytest.raises(RecipientRefused) as refused:
            gateway.messages.create(to=PERSON, body="Ciao")
        assert refused.value.reason == "suppressed"
    assert len(provider.sent) == 1


def test_a_number_that_is_none_is_refused(gateway, provider):
    """With Twilio's code for it."""
    with pytest.raises(RecipientRefused) as refused:
        gateway.messages.create(to="12345", body="Ciao")
    assert (refused.value.code, refused.value.reason) == (21211, "invalid_number")
    assert provider.sent == []


def test_a_misspelt_purpose_or_program_sends_nothing(gateway, provider):
    """A purpose that there is not is an error of the caller; a program, a refusal."""
    with pytest.raises(InvalidInputError, match="marketing"):
        gateway.messages.create(to=PERSON, body="Ciao", purpose="Marketing!")
    with pytest.raises(InvalidInputError, match="marketing"):
        gateway.check([PERSON], purpose="spam")
    with pytest.raises(InvalidInputError, match="marketing"):
        gateway.allowed([PERSON], purpose="spam")  # at once, not when it is first read
    with pytest.raises(RecipientRefused) as refused:
        gateway.messages.create(to=PERSON, body="Ciao", program="nope")
    assert refused.value.reason == "unknown_program"
    assert provider.sent == []


def test_one_key_is_one_message(gateway, provider):
    """The same idempotency key gives the first answer; for another message it is an error."""
    send = {"to": PERSON, "body": "Ciao", "idempotency_key": "spring-42"}
    first, again = gateway.messages.create(**send), gateway.messages.create(**send)
    assert (again.id, again.provider_id) == (first.id, first.provider_id)
    with pytest.raises(IdempotencyConflictError):
        gateway.messages.create(**(send | {"body": "Altro"}))
    assert len(provider.sent) == 1


@pytest.mark.usefixtures("_stopped")
def test_check_answers_each_number_in_its_own_spelling(gateway):
    """In the order given, with the reason where it is no."""
    asked = ["333 123 4567", OTHER, "nobody"]
    decisions = gateway.check(asked)
    assert [(d.to, d.allowed, d.reason) for d in decisions] == [
        ("333 123 4567", False, "suppressed"),
        (OTHER, True, None),
        ("nobody", False, "invalid_number"),
    ]


@pytest.mark.usefixtures("_stopped")
def test_allowed_filters_any_iterable_in_constant_memory(gateway):
    """Also one without end: it is read little further than it is used."""
    taken = count()
    numbers = (PERSON if next(taken) % 2 else OTHER for _ in iter(int, 1))
    assert list(islice(gateway.allowed(numbers), 700)) == [OTHER] * 700
    assert next(taken) <= 4000


def test_nothing_is_sent_while_the_list_cannot_be_read(gateway, provider):
    """Fail closed, at all three: send, check and allowed."""
    Outage(gateway.services.database.engine).begin()
    for attempt in (
        lambda: gateway.messages.create(to=PERSON, body="Ciao"),
        lambda: gateway.check([PERSON]),
        lambda: list(gateway.allowed([PERSON])),
    ):
        with pytest.raises(StorageUnavailableError):
            attempt()
    assert provider.sent == []


def test_another_fingerprint_key_opens_nothing(settings, provider):
    """With another key nobody would look suppressed: every door stays shut."""
    other = made_settings(database_url=settings.database_url, fingerprint_key="x" * 32)
    with Gateway(other, provider) as gateway:
        with pytest.raises(StorageUnavailableError, match="FINGERPRINT_KEY"):
            gateway.messages.create(to=PERSON, body="Ciao")
        with pytest.raises(StorageUnavailableError, match="FINGERPRINT_KEY"):
            gateway.check([PERSON])
    assert provider.sent == []


def test_the_environment_describes_a_gateway(database_url, monkeypatch):
    """`Gateway.from_env()` reads it once, and says what is wrong with it."""
    monkeypatch.setenv("SMS_PROVIDER", "twilio")
    with pytest.raises(SettingsError, match="TWILIO_AUTH_TOKEN"):
        Gateway.from_env()
    values = made_settings(database_url=database_url).model_dump()
    for name in ("secret_key", "fingerprint_key", "database_url"):
        monkeypatch.setenv(name.upper(), values[name])
    monkeypatch.setenv("SMS_PROVIDER", "simulator")
    monkeypatch.setenv("CONSENT", "assumed")
    with Gateway.from_env() as gateway:
        assert gateway.check([PERSON])[0].allowed
        assert gateway.messages.create(to=PERSON, body="Ciao").status == "queued"
