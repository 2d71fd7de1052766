"""A provider that keeps what it is handed, or fails as it is told to."""

from app.core.errors import ProviderError
from app.core.models import DeliveryStatus
from app.core.provider import Acceptance, OutgoingMessage


class RecordingProvider:
    """`sent` lists what was handed over, also where the answer is a failure."""

    name = "recording"

    def __init__(self, failure: ProviderError | None = None) -> None:
        self.sent: list[OutgoingMessage] = []
        self._failure = failure

    def send(self, message: OutgoingMessage) -> Acceptance:
        self.sent.append(message)
        if self._failure is not None:
            raise self._failure
        sid = f"SM{len(self.sent):032}"
        return Acceptance(sid, DeliveryStatus.QUEUED, {"sid": sid, "status": "queued"})

    def fetch(self, provider_message_id: str):
        raise ProviderError("no such message", code=20404, status=404, permanent=True)

    def list_messages(self, query):
        return {"messages": []}
