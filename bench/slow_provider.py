"""A provider on this machine behind a slow line: it writes down when it accepted what.

`python -m bench.slow_provider DELAY LOG`: each message is accepted DELAY seconds after its request
came. A line of LOG: the time (nanoseconds of the clock that all processes here share), the number,
the door that the text names.
"""

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import IO
from urllib.parse import parse_qs

from bench.provider import answer


class _SlowTwilio(asyncio.Protocol):
    """Answers each whole request on a kept connection."""

    def __init__(self, delay: float, log: IO[str]) -> None:
        self._delay = delay
        self._log = log

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._received = b""

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, blank, body = self._received.partition(b"\r\n\r\n")
        length = head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]
        if not blank or len(body) < int(length or 0):
            return
        self._received = b""
        if head.startswith(b"POST"):
            asyncio.get_running_loop().call_later(self._delay, self._accept, body)
        else:
            self._write(200, json.dumps({"messages": []}).encode())

    def _accept(self, body: bytes) -> None:
        fields = parse_qs(body.decode())
        door = fields["Body"][0].split()[0]
        self._log.write(f"{time.monotonic_ns()} {fields['To'][0]} {door}\n")
        if not self._transport.is_closing():
            self._transport.write(answer())

    def _write(self, status: int, body: bytes) -> None:
        head = f"HTTP/1.1 {status} OK\r\nContent-Type: application/json\r\n"
        self._transport.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)


async def main() -> None:
    """Serve until the end, on a free port that is printed first."""
    delay, path = float(sys.argv[1]), Path(sys.argv[2])
    with path.open("w", buffering=1) as log:  # noqa: ASYNC230 - before anything is served
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _SlowTwilio(delay, log), "127.0.0.1", 0)
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
