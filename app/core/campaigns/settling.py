"""Recipients of whom it was not known whether they got the message, once it is known."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.core.campaigns.turns import load
from app.core.campaigns.words import CampaignStatus, RecipientStatus, key_of, requester_of
from app.core.database import Database
from app.core.models import Campaign, CampaignRecipient, DeliveryStatus, OutboundMessage

_BATCH = 500
_R = CampaignRecipient
_OPEN = ("claimed", "retrying", "unknown")  # statuses of a message that may still be sent


def unsettled(database: Database) -> list[int]:
    """Campaigns that have such recipients."""
    query = sa.select(_R.campaign_id).where(_R.status == RecipientStatus.UNKNOWN).distinct()
    with database.read() as connection:
        return list(connection.execute(query.order_by(_R.campaign_id)).scalars())


def settle(database: Database, campaign_id: int, now: datetime) -> int:
    """Take over what the outbox has learnt; how many recipients that settled."""
    settled, after = 0, 0
    while True:
        with database.write() as connection:
            load(connection, campaign_id)
            rows = _unknown(connection, campaign_id, after)
            if not rows:
                return settled
            settled += _settle_batch(connection, campaign_id, rows, now)
        after = rows[-1].position


def _unknown(connection: Connection, campaign_id: int, after: int) -> Sequence[Any]:
    query = sa.select(_R.position, _R.attempt, _R.fingerprint).where(
        _R.campaign_id == campaign_id, _R.status == RecipientStatus.UNKNOWN, _R.position > after
    )
    return connection.execute(query.order_by(_R.position).limit(_BATCH)).all()


def _settle_batch(
    connection: Connection, campaign_id: int, rows: Sequence[Any], now: datetime
) -> int:
    messages = _messages(connection, campaign_id, rows)
    given_back = _given_back(connection, campaign_id, rows)
    settled = 0
    for row in rows:
        message = messages.get(key_of(row.position, row.attempt))
        if message is None and row.fingerprint not in given_back:
            continue  # nothing is known of it any more: nobody may try again
        values = _values(message, row.attempt, now)
        if values is not None:
            settled += _change(connection, campaign_id, row, values)
            if values["status"] is RecipientStatus.WAITING:
                _run_again(connection, campaign_id)
    return settled


def _messages(connection: Connection, campaign_id: int, rows: Sequence[Any]) -> dict[str, Any]:
    query = sa.select(OutboundMessage).where(
        OutboundMessage.requester == requester_of(campaign_id),
        OutboundMessage.idempotency_key.in_([key_of(row.position, row.attempt) for row in rows]),
    )
    return {row.idempotency_key: row for row in connection.execute(query)}


def _given_back(connection: Connection, campaign_id: int, rows: Sequence[Any]) -> set[bytes]:
    """Whose message surely did not arrive, and has given its idempotency key back."""
    query = sa.select(OutboundMessage.fingerprint).where(
        OutboundMessage.fingerprint.in_([row.fingerprint for row in rows]),
        OutboundMessage.requester == requester_of(campaign_id),
        OutboundMessage.idempotency_key.is_(None),
        OutboundMessage.status == DeliveryStatus.FAILED,
    )
    return set(connection.execute(query).scalars())


def _values(message: Any, attempt: int, now: datetime) -> Mapping[str, Any] | None:
    """What the recipient's row then says; None where it is still not known."""
    if message is not None and message.status in _OPEN:
        return None
    if message is None or _never_arrived(message):
        return {"status": RecipientStatus.WAITING, "attempt": attempt + 1, "due_at": now}
    if message.status == DeliveryStatus.REFUSED:
        status = RecipientStatus.REFUSED
    elif message.provider_message_id is None:
        status = RecipientStatus.FAILED
    else:
        status = RecipientStatus.SENT
    is_sent = status is RecipientStatus.SENT
    return {
        "status": status,
        "settled_at": now,
        "fields": None,
        "reason": message.reason,
        "error_code": None if is_sent else message.error_code,
        "message_id": message.id if is_sent else None,
        "segments": message.segments if is_sent else None,
    }


def _never_arrived(message: Any) -> bool:
    """It has failed without the provider having said why: it was looked for, and is not there."""
    return (
        message.status == DeliveryStatus.FAILED
        and message.provider_message_id is None
        and message.error_code is None
    )


def _change(connection: Connection, campaign_id: int, row: Any, values: Mapping[str, Any]) -> int:
    query = sa.update(_R).where(
        _R.campaign_id == campaign_id,
        _R.position == row.position,
        _R.attempt == row.attempt,
        _R.status == RecipientStatus.UNKNOWN,
    )
    return connection.execute(query.values(values)).rowcount


def _run_again(connection: Connection, campaign_id: int) -> None:
    """Somebody on the list did not get the message after all."""
    query = sa.update(Campaign).where(
        Campaign.id == campaign_id, Campaign.status == CampaignStatus.FINISHED
    )
    connection.execute(query.values(status=CampaignStatus.RUNNING, finished_at=None))
