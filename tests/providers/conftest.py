"""A gateway that sends through Twilio, and a client of it whose network is a list."""

import pytest

from app import Client, Gateway
from app.core.consent import Evidence
from app.core.models import ALL_PROGRAMS
from tests.making import made_settings
from tests.providers.scripts import SUPPRESSED, RecordingTransport


@pytest.fixture
def gateway(database_url):
    settings = made_settings(database_url=database_url, sms_provider="twilio")
    with Gateway(settings) as gateway:
        gateway.services.suppressions.add(SUPPRESSED, ALL_PROGRAMS, "import", Evidence("test"))
        yield gateway


@pytest.fixture
def transport():
    return RecordingTransport()


@pytest.fixture
def client(gateway, transport):
    return Client(gateway=gateway, http_client=transport)
