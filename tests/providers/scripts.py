"""What the drop-in client is tried with."""

import json

from twilio.http import HttpClient
from twilio.http.response import Response

SENDER, REACHABLE, SUPPRESSED = "+393399957505", "+393401234567", "+393331234567"
UNREACHABLE = "postgresql://nobody@127.0.0.1:1/nothing"


class RecordingTransport(HttpClient):
    """Stands where the network begins: what it is asked for would have left the machine."""

    def __init__(self, status: int = 201, body: str | None = None) -> None:
        self.is_async = False
        self.timeout = None
        self.requests: list[tuple[str, str, dict]] = []
        self._answer = (status, body)

    def request(self, method, url, **rest):
        self.requests.append((method, url, rest))
        status, body = self._answer
        sid = f"SM{len(self.requests):032}"
        return Response(status, body or json.dumps({"sid": sid, "status": "queued"}))
