"""A provider on this machine that speaks Twilio's Messages.json, and is as bad as one can be.

It logs what it takes. At random it answers 429, fails with 500 before or after it took a message,
tears the connection down before or after, or takes a message and never answers.
"""

import json
import random
import secrets
import socket
import struct
import sys
import threading
import time
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

_RESET = struct.pack("ii", 1, 0)
_SILENCE = 12.0  # seconds: longer than a sender waits

# What happens to a message, and how often of a hundred; otherwise it is taken and answered.
FAULTS = {
    "too many": 4.0,
    "500 before": 1.0,
    "500 after": 1.0,
    "reset before": 1.0,
    "reset after": 1.0,
    "silent after": 0.5,
}

_taken: list[dict[str, Any]] = []
_by_number: dict[str, list[dict[str, Any]]] = {}
_happened: dict[str, int] = dict.fromkeys(FAULTS, 0)
_lock = threading.Lock()


class Provider(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        fields = {
            name: values[0] for name, values in parse_qs(self.rfile.read(length).decode()).items()
        }
        time.sleep(random.uniform(0.005, 0.05))
        fault = _fault()
        if fault == "too many":
            error = {"code": 20429, "message": "Too many requests", "status": 429}
            self._answer(429, error, {"Retry-After": "1"})
        elif fault == "500 before":
            self._answer(500, {"code": 20500, "message": "internal", "status": 500})
        elif fault == "reset before":
            self._reset()
        else:
            self._take(fault, fields)

    def do_GET(self) -> None:
        path = urlsplit(self.path)
        with _lock:
            if path.path == "/taken":
                counts = {number: len(each) for number, each in _by_number.items()}
                answer: dict[str, Any] = {"taken": counts, "happened": _happened}
            else:
                to = parse_qs(path.query).get("To", [""])[0]
                found = _by_number.get(to, []) if to else _taken
                answer = {"messages": found[-1000:], "next_page_uri": None}
        self._answer(200, answer)

    def _take(self, fault: str | None, fields: dict[str, str]) -> None:
        message = _resource(fields)
        with _lock:
            _taken.append(message)
            _by_number.setdefault(fields["To"], []).append(message)
        if fault == "500 after":
            self._answer(500, {"code": 20500, "message": "internal", "status": 500})
        elif fault == "reset after":
            self._reset()
        elif fault == "silent after":
            time.sleep(_SILENCE)
            self.close_connection = True
        else:
            self._answer(201, message)

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.close_connection = True

    def _answer(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """Who was killed does not read its answer."""


def _fault() -> str | None:
    dice = random.uniform(0, 100)
    for name, share in FAULTS.items():
        if dice < share:
            with _lock:
                _happened[name] += 1
            return name
        dice -= share
    return None


def _resource(fields: dict[str, str]) -> dict[str, Any]:
    return {
        "sid": "SM" + secrets.token_hex(16),
        "to": fields["To"],
        "from": fields.get("From"),
        "messaging_service_sid": fields.get("MessagingServiceSid"),
        "body": fields.get("Body", ""),
        "status": "queued",
        "direction": "outbound-api",
        "date_created": format_datetime(datetime.now(UTC)),
        "error_code": None,
    }


if __name__ == "__main__":
    server = Server(("127.0.0.1", 0), Provider)
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()
