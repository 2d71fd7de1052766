"""A code's way to the handset and back, as the ledger has it: what Garante 330/2025 looks at.

It is made of what stands in a dossier as JSON, so that whoever verifies one makes it anew.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from app.core.models import Act, DeliveryStatus

Json = Mapping[str, Any]

_RETURN = (
    *("returned_at", "returned_entry", "returned_by", "returned_as", "received_at"),
    *("address", "user_agent", "wrong_codes"),
)
_ARRIVED = (DeliveryStatus.DELIVERED, DeliveryStatus.READ)


def round_trip_of(request_id: str, dossier: Json) -> dict[str, Any] | None:
    """When and as what the code left, arrived and came back; None where no code was sent.

    `carried_by`: "message", or "reply" (the answer to the text `sent_as`; a webhook's answer has
    no id, and no report). `returned_by`: sms, web or api; None while it has not come back. Times
    as in the entries, spans in seconds.
    """
    entries = entries_of(dossier["ledger"], request_id)
    sent, back = entries.get(Act.CODE_SENT), entries.get(Act.CONSENT)
    if sent is None:
        return None
    message_id = sent["evidence"]["provider_message_id"]
    carried_by = sent["evidence"].get("carried_by", "message")
    delivered_at = _arrival(dossier["delivery_reports"], message_id)
    return {
        "sent_at": sent["at"],
        "sent_as": message_id,
        "sent_entry": sent["id"],
        "carried_by": carried_by,
        "delivered_at": delivered_at,
        "seconds_to_delivery": _span(sent["at"], delivered_at),
        "seconds_to_return": _span(sent["at"], back["at"]) if back else None,
        **_return(back, dossier["messages_received"]),
    }


def entries_of(ledger: Sequence[Json], request_id: str) -> dict[str, Json]:
    """The entries that name a request, by what they did."""
    return {e["act"]: e for e in ledger if e["evidence"].get("request") == request_id}


def browser_of(entry: Json) -> Json:
    """The browser in which a code was typed in; nothing where there was none, or it was erased."""
    is_form = entry["door"] == "web" and entry["text"]
    return json.loads(entry["text"]) if is_form else {}


def _return(back: Json | None, received: Sequence[Json]) -> dict[str, Any]:
    if back is None:
        return dict.fromkeys(_RETURN)
    by_sms = back["door"] == "sms"
    message_id = back["evidence"]["confirmed_by"] if by_sms else None
    arrivals = {each["provider_message_id"]: each["received_at"] for each in received}
    return {
        "returned_at": back["at"],
        "returned_entry": back["id"],
        "returned_by": back["door"],
        "returned_as": message_id,
        "received_at": arrivals.get(message_id),
        "address": browser_of(back).get("address"),
        "user_agent": browser_of(back).get("user_agent"),
        "wrong_codes": back["evidence"].get("wrong_codes_before"),
    }


def _arrival(reports: Sequence[Json], message_id: str | None) -> str | None:
    """When the provider first said that the message had arrived."""
    times = [
        each["reported_at"]
        for each in reports
        if each["provider_message_id"] == message_id and each["status"] in _ARRIVED
    ]
    return min(times, default=None)


def _span(start: str, end: str | None) -> float | None:
    if end is None:
        return None
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()
