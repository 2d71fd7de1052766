"""When and how often a program may text: quiet hours on the recipient's own clock, and a cap.

A program that has chosen neither may text at any time: no hours hold everywhere. Usual choices for
marketing: 20:00 to 9:00 in Italy (courtesy hours), 21:00 to 8:00 in the United States (47 CFR
64.1200(c)(1)). For numbers of the United States a program that has chosen hours keeps the law's
besides, which in some states are narrower. Service messages are no marketing: they go at any time.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, time, timedelta
from functools import cache, lru_cache
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import sqlalchemy as sa
from phonenumbers.tzdata import TIMEZONE_DATA, TIMEZONE_LONGEST_PREFIX
from sqlalchemy.engine import Connection

from app.core.models import DeliveryStatus, OutboundMessage, Program, Purpose
from app.core.phone import Phone
from app.core.us_hours import is_quiet_by_law

QUIET = "it is a quiet hour of this program where the recipient is"
TOO_OFTEN = "this number has had as many messages of this program as its frequency cap allows"

# What never reached anybody counts for no cap.
_NOT_SENT = (DeliveryStatus.REFUSED, DeliveryStatus.FAILED, DeliveryStatus.CANCELED)


def not_now(
    connection: Connection, phones: Sequence[Phone], slug: str, at: datetime
) -> dict[bytes, str]:
    """Why a program's marketing may not reach these numbers at that time, where it may not."""
    program = connection.execute(sa.select(Program).where(Program.slug == slug)).one()
    refused: dict[bytes, str] = {}
    if program.cap_messages is not None:
        people = [phone.fingerprint for phone in phones]
        refused |= dict.fromkeys(_had_enough(connection, people, program, at), TOO_OFTEN)
    if program.quiet_from is not None:
        quiet = quiet_numbers(phones, program.quiet_from, program.quiet_until, at)
        refused |= dict.fromkeys(quiet | _quiet_by_law(phones, at), QUIET)
    return refused


def quiet_numbers(
    phones: Iterable[Phone], quiet_from: time, quiet_until: time, at: datetime
) -> set[bytes]:
    """The fingerprints of those for whom it is a quiet hour, in any zone their number may be in."""

    @cache
    def is_quiet(zone: str) -> bool:
        return _is_within(at.astimezone(_zone(zone)).time(), quiet_from, quiet_until)

    return {
        phone.fingerprint
        for phone in phones
        if any(is_quiet(zone) for zone in zones_of(phone.e164))
    }


def _quiet_by_law(phones: Iterable[Phone], at: datetime) -> set[bytes]:
    """Those in the United States for whom a state's own hours forbid it."""
    return {
        phone.fingerprint
        for phone in phones
        if phone.region == "US"
        and any(is_quiet_by_law(phone.e164, at.astimezone(_zone(z))) for z in zones_of(phone.e164))
    }


def zones_of(number: str) -> tuple[str, ...]:
    """The time zones in which a number (E.164) may be; UTC where the tables know none."""
    return _zones_of_prefix(number[1 : 1 + TIMEZONE_LONGEST_PREFIX])


def on_their_clock(at: datetime, number: str) -> datetime:
    """A moment on the clock of a number (E.164), by which its day is that person's day."""
    return at.astimezone(_zone(zones_of(number)[0]))


@lru_cache(maxsize=65_536)
def _zones_of_prefix(digits: str) -> tuple[str, ...]:
    # The library's own look-up parses the number anew: too slow for a list of millions.
    for length in range(len(digits), 0, -1):
        if digits[:length] in TIMEZONE_DATA:
            return tuple(TIMEZONE_DATA[digits[:length]])
    return ("UTC",)


@cache
def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):  # newer than this machine's tables
        return ZoneInfo("UTC")


def _is_within(now: time, start: time, end: time) -> bool:
    if start <= end:
        return start <= now < end
    return now >= start or now < end


def _had_enough(
    connection: Connection, people: Sequence[bytes], program: Any, at: datetime
) -> Sequence[bytes]:
    query = (
        sa.select(OutboundMessage.fingerprint)
        .where(
            OutboundMessage.fingerprint.in_(people),
            OutboundMessage.created_at > at - timedelta(days=program.cap_days),
            OutboundMessage.program == program.slug,
            OutboundMessage.purpose == Purpose.MARKETING,
            OutboundMessage.status.not_in(_NOT_SENT),
        )
        .group_by(OutboundMessage.fingerprint)
        .having(sa.func.count() >= program.cap_messages)
    )
    return connection.execute(query).scalars().all()
