"""Sending as every door in HTTP does it: through the outbox, and counted."""

from app.core.errors import (
    InvalidNumberError,
    NotSentError,
    ProviderError,
    ProviderOutcomeUnknownError,
)
from app.core.outbound import Draft, Outbox, Receipt
from app.web import metrics


def send_counted(outbox: Outbox, draft: Draft) -> Receipt:
    """Send one message, and count what became of it. Raises what Outbox.send raises."""
    try:
        receipt = outbox.send(draft)
    except (NotSentError, InvalidNumberError) as refusal:
        metrics.count_send(refusal.reason)
        raise
    except ProviderOutcomeUnknownError:
        metrics.count_send("unknown")
        raise
    except ProviderError:
        metrics.count_send("failed")
        raise
    metrics.count_send(receipt.status)
    return receipt
