"""A provider on this machine that answers at once, in a process of its own."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

from bench.settings import ACCOUNT_SID, SENDER


@contextmanager
def local_provider() -> Iterator[str]:
    """The base URL of what takes messages as Twilio does."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.provider"], stdout=subprocess.PIPE, text=True, env=os.environ
    )
    assert process.stdout
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.terminate()
        process.wait()


_numbers = count(1)


def answer() -> bytes:
    sid = f"SM{next(_numbers):032x}"
    resource = {
        "account_sid": ACCOUNT_SID,
        "api_version": "2010-04-01",
        "body": "ciao",
        "date_created": "Thu, 24 Aug 2023 05:01:45 +0000",
        "date_sent": None,
        "date_updated": "Thu, 24 Aug 2023 05:01:45 +0000",
        "direction": "outbound-api",
        "error_code": None,
        "error_message": None,
        "from": SENDER,
        "num_media": "0",
        "num_segments": "1",
        "price": None,
        "price_unit": None,
        "messaging_service_sid": None,
        "sid": sid,
        "status": "queued",
        "subresource_uris": {"media": f"/2010-04-01/Accounts/{ACCOUNT_SID}/Messages/{sid}/Media"},
        "to": "+393331234567",
        "uri": f"/2010-04-01/Accounts/{ACCOUNT_SID}/Messages/{sid}.json",
    }
    body = json.dumps(resource).encode()
    head = f"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    return head.encode() + b"\r\n\r\n" + body


class _Twilio(asyncio.Protocol):
    """Answers each whole request on a kept connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._received = b""

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, blank, body = self._received.partition(b"\r\n\r\n")
        length = head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]
        if blank and len(body) >= int(length or 0):
            self._received = b""
            self._transport.write(answer())


async def main() -> None:
    """Serve until the end, on a free port that is printed first."""
    server = await asyncio.get_running_loop().create_server(_Twilio, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
