"""What encryption at rest costs a STOP's webhook: `python -m bench.encryption`.

CPU of the whole application, from the signed request to the answer, on SQLite. One text to an
installation without a key and one to another with a key, in turns: what else the machine does
falls on both alike, and the median leaves out what falls on single ones.
"""

import io
import tempfile
import time
from contextlib import ExitStack, redirect_stdout
from statistics import median
from typing import Any
from urllib.parse import urlencode

from twilio.request_validator import RequestValidator
from werkzeug.test import EnvironBuilder, run_wsgi_app

from app import create_app
from app.config import Settings
from app.core.schema import migrate
from bench.settings import AUTH_TOKEN, BRAND, FINGERPRINT_KEY, PUBLIC_URL, SENDER, environment
from bench.webhook import PATH

_ROUNDS, _TEXTS, _WARM_UP = 5, 500, 50
_KEY = "made up for measuring: encryption"


def main() -> None:
    """Print the milliseconds of CPU a STOP takes each way, and the difference."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        apps = []
        for key in ("", _KEY):
            url = f"sqlite:///{folder}/{bool(key)}.db"
            settings = Settings.from_env(environment(url) | {"ENCRYPTION_KEY": key})
            migrate(url, FINGERPRINT_KEY, BRAND, cipher=settings.cipher())
            apps.append(create_app(settings))
            stack.callback(apps[-1].extensions["gateway"].close)
        with redirect_stdout(io.StringIO()):  # the log's lines
            rounds = [_round(apps, number * _TEXTS, _TEXTS) for number in range(_ROUNDS)]
    shares = sorted(encrypted / plain - 1 for plain, encrypted in rounds)
    plain, encrypted = (median(each) * 1000 for each in zip(*rounds, strict=True))
    print(
        f"a STOP's webhook: {plain:.3f} ms of CPU; encrypted {encrypted:.3f} ms: "
        f"{median(shares):+.1%} ({shares[0]:+.1%} to {shares[-1]:+.1%} in {_ROUNDS} rounds; "
        "limit 10%)"
    )


def _round(apps: list[Any], first: int, texts: int) -> list[float]:
    """The median of the seconds that a text takes each application."""
    took: list[list[float]] = [[] for _ in apps]
    for place in range(first, first + texts):
        turns = list(zip(apps, took, strict=True))
        for app, seconds in turns[:: 1 if place % 2 else -1]:
            seconds.append(_seconds_of(app, _stop(place)))
    return [median(seconds[_WARM_UP:]) for seconds in took]


def _seconds_of(app: Any, environ: dict[str, Any]) -> float:
    began = time.thread_time()
    _, status, _ = run_wsgi_app(app, environ, buffered=True)
    took = time.thread_time() - began
    assert status == "200 OK", status
    return took


def _stop(place: int) -> dict[str, Any]:
    number = f"+39333{place:07d}"
    fields = {"MessageSid": f"SM{place}", "From": number, "To": SENDER, "Body": "STOP"}
    signature = RequestValidator(AUTH_TOKEN).compute_signature(PUBLIC_URL + PATH, fields)
    request = EnvironBuilder(
        PATH,
        method="POST",
        data=urlencode(fields),
        content_type="application/x-www-form-urlencoded",
        headers={"X-Twilio-Signature": signature},
    )
    return request.get_environ()


if __name__ == "__main__":
    main()
