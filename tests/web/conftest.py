"""The web application as a test client sees it."""

from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from app import web
from app.config import Settings
from app.core.consent import Evidence
from app.core.models import ALL_PROGRAMS
from app.gateway import Gateway
from app.providers.twilio import TwilioWebhooks
from tests.making import AUTH_TOKEN
from tests.web.scripts import SUPPRESSED


@pytest.fixture
def gateway(settings: Settings) -> Iterator[Gateway]:
    with Gateway(settings) as gateway:
        yield gateway


@pytest.fixture
def browser(gateway: Gateway) -> FlaskClient:
    """A client of the whole web application, which sends through the simulated network."""
    settings = gateway.settings
    door = TwilioWebhooks(AUTH_TOKEN, settings.public_url, provider_replies=False)
    return web.create_app(settings, gateway.services, [door]).test_client()


@pytest.fixture
def suppressed(gateway: Gateway) -> str:
    """A number that must not be reached."""
    gateway.services.suppressions.add(SUPPRESSED, ALL_PROGRAMS, "import", Evidence("test"))
    return SUPPRESSED
