"""Texts that come to light late: what the person, or anybody, has decided since then stands.

A text found in the provider's log is acted on as if its webhook had come, and the state ends as it
would have been; so an older word never undoes a newer one.
"""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.core.language import Intent
from app.core.models import InboundMessage, Suppression


def is_overtaken(
    connection: Connection, fingerprint: bytes, intent: Intent, sent_at: datetime
) -> bool:
    """Whether something later has settled what this text asks for.

    A STOP is overtaken only by the person's own later START; what would let messages through, by
    any later STOP or suppression.
    """
    if intent is Intent.HELP:
        return False
    later = _later_text(fingerprint, sent_at, Intent.OPT_IN)
    if intent is not Intent.OPT_OUT:
        suppressed = sa.exists().where(
            Suppression.fingerprint == fingerprint, Suppression.since > sent_at
        )
        stopped = sa.or_(_later_text(fingerprint, sent_at, Intent.OPT_OUT), suppressed)
        later = stopped if intent is Intent.OPT_IN else sa.or_(later, stopped)
    return bool(connection.execute(sa.select(later)).scalar())


def _later_text(fingerprint: bytes, sent_at: datetime, intent: Intent) -> sa.ColumnElement[bool]:
    return sa.exists().where(
        InboundMessage.fingerprint == fingerprint,
        InboundMessage.received_at > sent_at,
        InboundMessage.meaning == intent,
    )
