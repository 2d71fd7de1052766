"""The brake: a campaign that drives people away, or mostly fails, stops itself and says why.

US carriers flag a sender at 5 % opt-outs a day, the default here, and may suspend it at 10 %.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.core.campaigns.turns import change_running, pause
from app.core.campaigns.words import RecipientStatus
from app.core.database import Database
from app.core.models import (
    ALL_PROGRAMS,
    Act,
    CampaignRecipient,
    DeliveryStatus,
    LedgerEntry,
    OutboundMessage,
)
from app.core.policy import Clock
from app.core.rekeying import person_of_entry

AT_LEAST = 50  # recipients before a share says anything
_RECENT = 500  # of the last so many, the share of failures counts
_LOOK_EVERY = timedelta(seconds=2)

_R = CampaignRecipient
_UNDELIVERED = (DeliveryStatus.UNDELIVERED, DeliveryStatus.FAILED)


class Brake:
    """Looks now and then, whichever process it is: the database says when somebody last did."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def look(self, campaign: Any) -> None:
        """Pause the campaign where it should not go on. `campaign`: its row, read not long ago."""
        now = self._clock()
        if campaign.looked_at is not None and now - campaign.looked_at < _LOOK_EVERY:
            return
        with self._database.write() as connection:
            if not change_running(connection, campaign.id, {"looked_at": now}):
                return
        with self._database.read() as connection:
            reason = _too_many_opt_outs(connection, campaign)
            reason = reason or _too_many_failures(connection, campaign)
        if reason:
            with self._database.write() as connection:
                pause(connection, campaign.id, reason)


def opt_outs(campaign: Any) -> sa.Select[int, datetime]:
    """Who opted out after this campaign's message, and when: from the ledger, where it stays.

    Only entries since the campaign began are looked at, by their number.
    """
    # When a message was handed over is known best by its own row; a crash may have settled the
    # recipient only later.
    sent_at = sa.func.coalesce(OutboundMessage.created_at, _R.settled_at)
    return (
        sa.select(_R.position, sa.func.min(LedgerEntry.at).label("at"))
        .select_from(LedgerEntry)
        .join(_R, _R.fingerprint == person_of_entry())
        .outerjoin(OutboundMessage, OutboundMessage.id == _R.message_id)
        .where(
            _R.campaign_id == campaign.id,
            _R.status == RecipientStatus.SENT,
            LedgerEntry.id > campaign.ledger_from,
            LedgerEntry.act == Act.OPT_OUT,
            LedgerEntry.program.in_([campaign.program, ALL_PROGRAMS]),
            LedgerEntry.at >= sent_at,
        )
        .group_by(_R.position)
    )


def _too_many_opt_outs(connection: Connection, campaign: Any) -> str | None:
    since = _R.settled_at >= campaign.counted_from
    left = _count(connection, opt_outs(campaign).where(since))
    if not left:
        return None
    sent = sa.select(_R.position).where(
        _R.campaign_id == campaign.id, since, _R.status == RecipientStatus.SENT
    )
    # Counted only so far as it matters: a campaign of millions is looked at as fast as a small one.
    enough = int(left / max(campaign.max_opt_out_share, 0.001)) + 1
    reached = _count(connection, sent.limit(max(AT_LEAST, enough)))
    if reached < AT_LEAST or left / reached <= campaign.max_opt_out_share:
        return None
    return f"{left} of {reached} opted out, more than {campaign.max_opt_out_share:.1%}"


def _too_many_failures(connection: Connection, campaign: Any) -> str | None:
    query = (
        sa.select(_R.status, _R.error_code, OutboundMessage.status.label("delivery"))
        .outerjoin(OutboundMessage, OutboundMessage.id == _R.message_id)
        .where(_R.campaign_id == campaign.id, _R.settled_at >= campaign.counted_from)
        .order_by(_R.settled_at.desc())
        .limit(_RECENT)
    )
    rows = connection.execute(query).all()
    tried = [row for row in rows if row.status != RecipientStatus.REFUSED or row.error_code]
    failed = [row for row in tried if _is_failure(row)]
    if len(tried) < AT_LEAST or len(failed) / len(tried) <= campaign.max_failure_share:
        return None
    share = f"more than {campaign.max_failure_share:.1%}"
    return f"{len(failed)} of the last {len(tried)} failed, {share}{_most_common(failed)}"


def _is_failure(row: Any) -> bool:
    return bool(
        row.status == RecipientStatus.FAILED or row.error_code or row.delivery in _UNDELIVERED
    )


def _most_common(failed: Sequence[Any]) -> str:
    codes = [row.error_code for row in failed if row.error_code]
    return f"; mostly with error {max(set(codes), key=codes.count)}" if codes else ""


def _count(connection: Connection, query: sa.Select[*tuple[Any, ...]]) -> int:
    return connection.execute(sa.select(sa.func.count()).select_from(query.subquery())).scalar_one()
