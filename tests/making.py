"""Things that tests are made of."""

from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from app.config import Settings
from app.core import review
from app.core.consent import Evidence
from app.core.models import InboundMessage as Inbound
from app.core.outbound import Draft
from app.core.phone import Phone
from app.core.provider import InboundMessage
from app.core.services import Services
from tests.databases import BRAND, FINGERPRINT_KEY
from tests.fakes import START

ACCOUNT_SID = "AC" + "0" * 30 + "42"
AUTH_TOKEN = "made up for tests: token"


def made_settings(**changes: Any) -> Settings:
    """Make settings by hand: nothing is read from the environment or from a file."""
    values = {
        "secret_key": "made up for tests: secret",
        "fingerprint_key": FINGERPRINT_KEY,
        "twilio_account_sid": ACCOUNT_SID,
        "twilio_auth_token": AUTH_TOKEN,
        "public_url": "https://sms.example.org",
        "brand_name": BRAND,
        "consent": "assumed",
    }
    return Settings(**(values | changes))


PERSON = "+393331234567"
SENDER = "+393399957505"


def text(body: str, sender: str = PERSON, message_id: str = "SM1", **more: Any) -> InboundMessage:
    """A text that comes in by Twilio."""
    return InboundMessage("twilio", message_id, sender, SENDER, body, **more)


def draft(to: str = PERSON, body: str = "Ciao", **more: Any) -> Draft:
    """A marketing message of the first program."""
    return Draft(to, body, **({"program": "default", "sender": SENDER} | more))


def held(services: Services, phone: Phone, period: timedelta = timedelta(hours=72)) -> int:
    """Let the last text of this number wait for review, as one that may be an opt-out does."""
    newest = sa.select(sa.func.max(Inbound.id)).where(Inbound.fingerprint == phone.fingerprint)
    with services.database.write() as connection:
        hold_id = connection.execute(newest).scalar_one()
        evidence = Evidence("twilio", "boh")
        review.hold(connection, phone.fingerprint, hold_id, evidence, START, period)
    return hold_id
