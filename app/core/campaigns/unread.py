"""Campaigns whose list was not read to the end: nothing of them was sent, and nothing stays."""

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.core.campaigns.words import CampaignStatus
from app.core.database import Database
from app.core.errors import NotNowError
from app.core.models import Campaign, CampaignRecipient

# Whoever reads a list says so at each batch of it; who has not for this long was killed.
GIVEN_UP_AFTER = timedelta(hours=1)
_BATCH = 5_000  # recipients removed in one transaction: others write in between

_R = CampaignRecipient
_is_planning = Campaign.status == CampaignStatus.PLANNING
_is_given_up = sa.and_(_is_planning, Campaign.finished_at.is_not(None))


def still_reading(connection: Connection, campaign_id: int, now: datetime) -> None:
    """Show that somebody reads the list. Raises NotNowError where it was given up."""
    query = sa.update(Campaign).where(
        Campaign.id == campaign_id, _is_planning, Campaign.finished_at.is_(None)
    )
    if not connection.execute(query.values(looked_at=now)).rowcount:
        raise NotNowError("no line came for an hour, and the campaign was given up: create it anew")


def discard(database: Database, campaign_id: int) -> None:
    """Remove a campaign that was never planned to the end."""
    of_it = _R.campaign_id == campaign_id
    some = sa.select(_R.position).where(of_it).limit(_BATCH)
    while True:
        with database.write() as connection:
            removed = sa.delete(_R).where(of_it, _R.position.in_(some))
            if not connection.execute(removed).rowcount:
                connection.execute(sa.delete(Campaign).where(Campaign.id == campaign_id))
                return


def discard_abandoned(database: Database, now: datetime) -> int:
    """Remove those whose list nobody reads any more; how many."""
    last_seen = sa.func.coalesce(Campaign.looked_at, Campaign.created_at)
    abandoned = sa.update(Campaign).where(_is_planning, last_seen <= now - GIVEN_UP_AFTER)
    with database.write() as connection:
        # From here on who reads it after all is told so, before a part of the list is gone.
        connection.execute(abandoned.values(finished_at=now))
        given_up = connection.execute(sa.select(Campaign.id).where(_is_given_up)).scalars().all()
    for campaign_id in given_up:
        discard(database, campaign_id)
    return len(given_up)
