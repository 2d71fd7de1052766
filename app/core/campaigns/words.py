"""The words of campaigns: what a campaign and each of its recipients can be."""

from enum import StrEnum


class CampaignStatus(StrEnum):
    """`planning`: its list is being read. `running`: to be sent, whether or not somebody does."""

    PLANNING = "planning"
    PLANNED = "planned"
    RUNNING = "running"
    PAUSED = "paused"
    FINISHED = "finished"


class RecipientStatus(StrEnum):
    """Where one recipient stands.

    `taken`: a process has them for the moment. `unknown`: the provider may have the message, so it
    is not sent again until it is known. `erased`: the person was erased before their turn.
    """

    WAITING = "waiting"
    TAKEN = "taken"
    SENT = "sent"
    REFUSED = "refused"
    FAILED = "failed"
    UNKNOWN = "unknown"
    ERASED = "erased"


OPEN = (RecipientStatus.WAITING, RecipientStatus.TAKEN)


def requester_of(campaign_id: int) -> str:
    """As which the outbox knows a campaign; with `key_of` it finds a recipient's message."""
    return f"campaign:{campaign_id}"


def key_of(position: int, attempt: int) -> str:
    """The idempotency key: whoever takes the same recipient up again can't send twice."""
    return f"{position}/{attempt}"
