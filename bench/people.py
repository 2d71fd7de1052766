"""A database full of people in every state, made by the product's own doors."""

import hashlib
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from app.config import Settings
from app.core.campaigns import NewCampaign
from app.core.campaigns.plan import Listed
from app.core.consent import Evidence
from app.core.gate import Scope
from app.core.models import Channel, Purpose
from app.core.optin import Join, code_of
from app.core.outbound import Draft
from app.core.provider import InboundMessage
from app.core.services import Services
from app.gateway import Gateway
from bench.settings import BRAND, FINGERPRINT_KEY, SENDER

LONG_AGO = datetime(2024, 3, 1, 12, tzinfo=UTC)
WORDS = "words that nobody else has ever said"
MAIL = "somebody.in.particular@mail.example"


class Clock:
    """Goes on by a little at each look, so that no limit by the hour is met."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        self.now += timedelta(milliseconds=50)
        return self.now


def number_of(place: int) -> str:
    """Italian mobile numbers; neighbours differ in their prefix, which has limits of its own."""
    return f"+3933{place % 10_000:04d}{1000 + place // 10_000:04d}"


def gateway_of(url: str, clock: Callable[[], datetime] | None = None) -> Gateway:
    """One with the simulated network, whose log is a table as well; marketing needs a consent."""
    settings = Settings(
        database_url=url,
        secret_key="made up for measuring: secret",
        fingerprint_key=FINGERPRINT_KEY,
        twilio_account_sid="AC" + "0" * 32,
        twilio_auth_token="made up for measuring: token",
        twilio_from=SENDER,
        brand_name=BRAND,
    )
    return Gateway(settings, clock=clock) if clock else Gateway(settings)


def fill(url: str, people: int) -> None:
    """So many people, each in the state that its place gives; every tenth in a campaign."""
    with gateway_of(url, Clock(LONG_AGO)) as gateway:
        services = gateway.services
        sa.event.listen(services.database.engine, "connect", _hasten)
        services.programs.add("second", {})
        for place in range(people):
            _STATES[place % len(_STATES)](services, number_of(place))
        listed = (Listed(line, number_of(line), {"nome": WORDS}) for line in range(0, people, 10))
        new = NewCampaign("spring", "Ciao {nome}", Scope("default", Purpose.MARKETING))
        services.campaigns.create(new, ["nome"], listed)
        services.ledger.seal()


def _hasten(connection: Any, _: object) -> None:
    """Filling need not survive a power cut."""
    sqlite = isinstance(connection, sqlite3.Connection)
    connection.execute("PRAGMA synchronous=OFF" if sqlite else "SET synchronous_commit = off")
    connection.commit()


def id_of(number: str, mark: str) -> str:
    """A provider's id of a message, which tells nothing of the number."""
    return "SM" + hashlib.sha256(f"{mark} {number}".encode()).hexdigest()[:32]


def text(services: Services, number: str, body: str, mark: str) -> None:
    message_id = id_of(number, mark)
    services.inbox.receive(InboundMessage("simulator", message_id, number, SENDER, body))


def joined(services: Services, number: str, channel: Channel = Channel.SMS) -> None:
    mail = MAIL if channel is Channel.EMAIL else None
    join = Join(number, "default", "web", "form", channel=channel, email=mail, user_agent=WORDS)
    asked = services.opt_ins.request(join)
    services.opt_ins.confirm(asked.id, code_of(services.phones, asked.id))


def active(services: Services, number: str) -> None:
    """In every table: what an erasure has to find."""
    joined(services, number)
    text(services, number, WORDS, "a")
    text(services, number, "boh basta", "b")  # held for review
    services.outbox.send(Draft(number, WORDS, "default", Purpose.SERVICE, "Shop"))
    services.preferences.link_of(number)


def opted_out(services: Services, number: str) -> None:
    joined(services, number)
    text(services, number, "STOP", "c")


def stopped_one_program(services: Services, number: str) -> None:
    joined(services, number)
    evidence = Evidence("api", WORDS)
    services.suppressions.add(number, "second", "complaint", evidence)


def pending(services: Services, number: str) -> None:
    services.opt_ins.request(Join(number, "default", "web", "form", user_agent=WORDS))


def imported(services: Services, number: str) -> None:
    services.suppressions.add(number, "*", "imported", Evidence("import"))


def by_mail(services: Services, number: str) -> None:
    joined(services, number, Channel.EMAIL)


def scheduled(services: Services, number: str) -> None:
    later = (("ScheduleType", "fixed"), ("SendAt", "2030-01-01T00:00:00Z"))
    services.outbox.send(Draft(number, WORDS, "default", Purpose.SERVICE, SENDER, options=later))


def wants_to_be_erased(services: Services, number: str) -> None:
    text(services, number, "CANCELLAMI DATI", "d")


def asked_why(services: Services, number: str) -> None:
    joined(services, number)
    text(services, number, "PERCHE", "e")


def never_answered(services: Services, number: str) -> None:
    services.outbox.send(Draft(number, WORDS, "default", Purpose.SERVICE, SENDER))


_STATES: list[Callable[[Services, str], None]] = [
    *(active, opted_out, stopped_one_program, pending, imported, by_mail, scheduled),
    *(wants_to_be_erased, asked_why, never_answered),
]
