"""A provider on this machine whose log holds what people texted, read page by page as Twilio's is.

https://www.twilio.com/docs/messaging/api/message-resource#read-multiple-message-resources
"""

import json
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from bench.settings import SENDER

_MOST_ON_A_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Entry:
    """A message in the log."""

    sid: str
    inbound: bool
    number: str
    body: str
    at: datetime

    def resource(self) -> dict[str, Any]:
        sender, to = (self.number, SENDER) if self.inbound else (SENDER, self.number)
        return {
            "sid": self.sid,
            "direction": "inbound" if self.inbound else "outbound-api",
            "from": sender,
            "to": to,
            "body": self.body,
            "status": "received" if self.inbound else "queued",
            "date_created": format_datetime(self.at),
            "error_code": None,
            "messaging_service_sid": None,
        }


@dataclass(slots=True)
class Log:
    """Everything that went through, both ways; `pages` counts the pages of it that were asked."""

    entries: list[Entry] = field(default_factory=list)
    pages: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, entry: Entry) -> None:
        with self.lock:
            self.entries.append(entry)

    def sent(self) -> list[Entry]:
        """What the gateway sent."""
        with self.lock:
            return [each for each in self.entries if not each.inbound]

    def page(self, query: dict[str, str]) -> tuple[list[Entry], str | None]:
        """The newest first, as Twilio gives them, and where to go on."""
        since, until = (_moment(query.get(name)) for name in ("DateSent>", "DateSent<"))
        with self.lock:
            self.pages += 1
            found = [
                each
                for each in self.entries
                if (since is None or each.at >= since)
                and (until is None or each.at <= until)
                and query.get("To") in {None, SENDER if each.inbound else each.number}
            ]
        found.sort(key=lambda each: each.at, reverse=True)
        size = min(int(query.get("PageSize", "50")), _MOST_ON_A_PAGE)
        start = int(query.get("Page", "0")) * size
        rest = len(found) > start + size
        following = {**query, "Page": str(start // size + 1)} if rest else None
        return found[start : start + size], urlencode(following) if following else None


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


@contextmanager
def logging_provider() -> Iterator[tuple[str, Log]]:
    """Its base URL and its log."""
    log = Log()
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"log": log}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", log
    finally:
        server.shutdown()
        server.server_close()


class _Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    log: Log

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        fields = dict(parse_qsl(self.rfile.read(length).decode()))
        sid = "SM" + secrets.token_hex(16)
        entry = Entry(
            sid, inbound=False, number=fields["To"], body=fields["Body"], at=datetime.now(UTC)
        )
        self.log.add(entry)
        self._answer(201, entry.resource())

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        query = dict(parse_qsl(address.query))
        entries, following = self.log.page(query)
        following = f"{address.path}?{following}" if following else None
        resources = [each.resource() for each in entries]
        self._answer(200, {"messages": resources, "next_page_uri": following})

    def _answer(self, status: int, body: Any) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        pass
