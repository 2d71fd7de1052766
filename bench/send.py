"""A gated send, beside the bare Twilio client; and how many numbers a second can be checked."""

import time
from collections.abc import Callable, Iterator
from statistics import median
from typing import Any

from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

from app.config import Settings
from app.gateway import Gateway
from bench.database import new_database, new_file
from bench.provider import local_provider
from bench.settings import ACCOUNT_SID, AUTH_TOKEN, SENDER, environment
from bench.table import Row, milliseconds, times

_ROUNDS = 7
_SENDS = 150  # in each round
BODY = "Saldi fino a domenica. Per uscire scrivi STOP"
_CHECKED = 100_000


def measure(server_url: str) -> Iterator[Row]:
    """On both databases, one thread: CPU time of this process, the client's and ours in turn."""
    for name, make in (("PostgreSQL", lambda: new_database(server_url)), ("SQLite", new_file)):
        with local_provider() as base_url, make() as url:
            given = {**environment(url), "TWILIO_API_BASE_URL": base_url}
            with Gateway(Settings.from_env(given)) as gateway:
                yield _send_row(name, gateway, bare_client(base_url))
                yield _check_row(name, gateway)


def _send_row(name: str, gateway: Gateway, client: Client) -> Row:
    def gated(to: str) -> Any:
        return gateway.messages.create(to=to, body=BODY)

    def bare(to: str) -> Any:
        return client.messages.create(to=to, body=BODY, from_=SENDER)

    rounds = [(_cpu_seconds(gated), _cpu_seconds(bare)) for _ in range(_ROUNDS)][1:]
    ours, theirs = (median(column) for column in zip(*rounds, strict=True))
    return Row(
        f"a gated send, CPU in the process, {name}",
        milliseconds(ours),
        f"{milliseconds(theirs)}, the bare client",
        times(median(ours / theirs for ours, theirs in rounds)),
        "≤ 1.25 ×",  # noqa: RUF001 - the sign is meant
    )


def _check_row(name: str, gateway: Gateway) -> Row:
    numbers = [f"+39{3330000000 + i}" for i in range(_CHECKED)]
    started = time.perf_counter()
    assert sum(1 for _ in gateway.allowed(numbers)) == _CHECKED
    rate = _CHECKED / (time.perf_counter() - started)
    return Row(f"Gateway.allowed, numbers a second, {name}", f"{rate:,.0f}")


def _cpu_seconds(send: Callable[[str], Any]) -> float:
    """CPU seconds of one send."""
    before = time.process_time()
    for i in range(_SENDS):
        send(f"+39{3330000000 + i}")
    return (time.process_time() - before) / _SENDS


def bare_client(base_url: str) -> Client:
    class _Redirected(TwilioHttpClient):  # type: ignore[misc]
        """The library's own, with nothing changed but the address."""

        def request(self, method: str, url: str, **rest: Any) -> Any:
            return super().request(method, url.replace("https://api.twilio.com", base_url), **rest)

    return Client(ACCOUNT_SID, AUTH_TOKEN, http_client=_Redirected(timeout=10.0))
