"""The core, with everything outside it faked but the database."""

import pytest

from app.config import Settings
from app.core.database import Database
from app.core.phone import PhoneReader
from app.core.policy import Policy
from app.core.services import Services
from tests.fakes import FakeClock, FakeProvider, FakeSleep, Outage


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def sleep():
    return FakeSleep()


@pytest.fixture
def provider():
    return FakeProvider()


@pytest.fixture
def phones(settings: Settings):
    return PhoneReader(settings.default_region, settings.fingerprint_key)


@pytest.fixture
def services(database: Database, phones, provider, clock, sleep):
    """Everything that the doors call; consent is assumed, and the brand is Demo."""
    return Services.build(database, phones, Policy(), provider, clock, sleep)


@pytest.fixture
def outage(database: Database):
    return Outage(database.engine)
