"""A load that costs little: signed requests made beforehand, sockets kept alive, own process."""

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from urllib.parse import urlencode

from twilio.request_validator import RequestValidator

from bench.settings import ACCOUNT_SID, AUTH_TOKEN, PUBLIC_URL, SENDER

PATH = "/webhooks/twilio/inbound"


@dataclass(frozen=True, slots=True)
class Load:
    """How much, from where on: message ids and numbers are unique over `first` and `requests`."""

    port: int
    first: int
    requests: int
    connections: int


@dataclass(frozen=True, slots=True)
class Answered:
    """What came of a load; times in seconds."""

    seconds: float
    median: float
    slowest_percent: float


def main() -> None:
    """Read a Load from the command line, print what was Answered."""
    load = Load(**json.loads(sys.argv[1]))
    requests = [_request(number) for number in range(load.first, load.first + load.requests)]
    print(json.dumps(asdict(asyncio.run(_drive(load, requests)))))


def _request(number: int) -> bytes:
    """One STOP as Twilio sends and signs it."""
    fields = {
        "ToCountry": "IT",
        "ToState": "",
        "SmsMessageSid": f"SM{number:032x}",
        "NumMedia": "0",
        "ToCity": "",
        "FromZip": "",
        "SmsSid": f"SM{number:032x}",
        "FromState": "",
        "SmsStatus": "received",
        "FromCity": "",
        "Body": "STOP",
        "FromCountry": "IT",
        "To": SENDER,
        "ToZip": "",
        "NumSegments": "1",
        "MessageSid": f"SM{number:032x}",
        "AccountSid": ACCOUNT_SID,
        "From": f"+39333{number:07d}",
        "ApiVersion": "2010-04-01",
    }
    signature = RequestValidator(AUTH_TOKEN).compute_signature(PUBLIC_URL + PATH, fields)
    body = urlencode(fields)
    return (
        f"POST {PATH} HTTP/1.1\r\nHost: sms.example.org\r\nUser-Agent: TwilioProxy/1.1\r\n"
        f"Content-Type: application/x-www-form-urlencoded; charset=UTF-8\r\n"
        f"X-Twilio-Signature: {signature}\r\nI-Twilio-Idempotency-Token: {number:032x}\r\n"
        f"Accept: */*\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


class _Connection(asyncio.Protocol):
    """Sends the next request when the last one was answered."""

    def __init__(self, requests: Iterator[bytes], times: list[float]) -> None:
        self._requests = requests
        self._times = times
        self._received = b""
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._next()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, _, body = self._received.partition(b"\r\n\r\n")
        length = head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]
        if not length or len(body) < int(length):
            return
        if not head.startswith(b"HTTP/1.1 200"):
            self.done.set_exception(RuntimeError(head.decode()))
            return
        self._times.append(time.perf_counter() - self._sent)
        self._received = b""
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exc or RuntimeError("the server closed the connection"))

    def _next(self) -> None:
        request = next(self._requests, None)
        if request is None:
            self.done.set_result(None)
            self._transport.close()
            return
        self._sent = time.perf_counter()
        self._transport.write(request)


async def _drive(load: Load, requests: list[bytes]) -> Answered:
    loop = asyncio.get_running_loop()
    times: list[float] = []
    waiting = iter(requests)
    started = time.perf_counter()
    made = [
        await loop.create_connection(lambda: _Connection(waiting, times), "127.0.0.1", load.port)
        for _ in range(load.connections)
    ]
    await asyncio.gather(*(protocol.done for _, protocol in made))
    seconds = time.perf_counter() - started
    times.sort()
    return Answered(seconds, times[len(times) // 2], times[len(times) * 99 // 100])


if __name__ == "__main__":
    main()
