"""Twilio's end of the wire, as a test needs it: it answers, refuses, breaks off or says nothing."""

import json
import socket
import struct
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qsl

Answer = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """Twilio, as a test needs it: `server.answer` decides what happens to a request."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        body = self.rfile.read(length).decode()
        self.server.seen.append((self.client_address, self.path, parse_qsl(body)))
        self.server.answer(self)

    def log_message(self, *_) -> None:
        pass


def answered(status: int, body, **headers: str) -> Answer:
    def answer(handler: Handler) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    return answer


def reset(handler: Handler) -> None:
    """The connection is torn down after the request has been read."""
    linger_no_time = struct.pack("ii", 1, 0)
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_no_time)
    handler.close_connection = True


def hung_up(handler: Handler) -> None:
    handler.close_connection = True


def cut_off(handler: Handler) -> None:
    """A 201 that ends in the middle of its body."""
    handler.wfile.write(b'HTTP/1.1 201 Created\r\nContent-Length: 500\r\n\r\n{"sid": "SM')
    handler.close_connection = True


def nonsense(handler: Handler) -> None:
    handler.wfile.write(b"\x00\xff not HTTP at all\r\n\r\n")
    handler.close_connection = True


def silent(handler: Handler) -> None:
    """Reads on, and never answers: until the other side has had enough."""
    handler.rfile.read(1)
    handler.close_connection = True
