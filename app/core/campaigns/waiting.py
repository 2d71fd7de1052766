"""When somebody whom it is not the hour to text may be tried again."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from app.core.database import Database
from app.core.models import OutboundMessage, Program, Purpose
from app.core.phone import Phone
from app.core.timing import quiet_numbers, zones_of

_DAY = timedelta(days=1)
_A_WHILE = timedelta(minutes=15)  # where the program has changed its mind meanwhile


def next_chance(database: Database, phone: Phone, program: str, at: datetime) -> datetime:
    """When the quiet hours end where the person is, or the frequency cap has room again."""
    with database.read() as connection:
        query = sa.select(Program).where(Program.slug == program)
        timing = connection.execute(query).first()
        if timing is None:
            return at + _A_WHILE
        if timing.quiet_from is not None and _is_quiet(phone, timing, at):
            return _quiet_ends(phone, timing, at)
        if timing.cap_days is None:
            return at + _A_WHILE
        newest = sa.select(sa.func.max(OutboundMessage.created_at)).where(
            OutboundMessage.fingerprint == phone.fingerprint,
            OutboundMessage.program == program,
            OutboundMessage.purpose == Purpose.MARKETING,
            OutboundMessage.provider_message_id.is_not(None),
        )
        last = connection.execute(newest).scalar() or at
    # With several messages in a cap's days an earlier chance may come: once a day is often enough.
    return min(max(last + timedelta(days=timing.cap_days), at + _A_WHILE), at + _DAY)


def _is_quiet(phone: Phone, timing: Any, at: datetime) -> bool:
    return bool(quiet_numbers([phone], timing.quiet_from, timing.quiet_until, at))


def _quiet_ends(phone: Phone, timing: Any, at: datetime) -> datetime:
    """The first moment at which it is quiet in none of the zones where the number may be."""
    ends = sorted(_next(timing.quiet_until, zone, at) for zone in zones_of(phone.e164))
    return next((end for end in ends if not _is_quiet(phone, timing, end)), ends[-1])


def _next(hour: Any, zone: str, at: datetime) -> datetime:
    local = at.astimezone(ZoneInfo(zone))
    end = datetime.combine(local.date(), hour, local.tzinfo)
    return (end if end > local else end + _DAY).astimezone(at.tzinfo)
