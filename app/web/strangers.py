"""How often strangers may knock: whoever proves nothing is counted by address, in each process.

In memory, as to open a page must change nothing; what costs money or lets one guess is counted by
the database besides (app.core.limits). Webhooks are not counted: their signature is checked before
anything is looked up, and a provider whose address were shut out would lose people's STOPs.
"""

import time
from collections import Counter
from datetime import timedelta
from threading import Lock

from flask import Flask, Response, request

from app.core.errors import TooManyRequestsError
from app.core.limits import network_of
from app.web.visitors import address_of

WINDOW = timedelta(minutes=1)
MOST = 600  # requests in a window: a whole office behind one address is served

_GUARDED = frozenset({"api", "twilio_api"})  # here only what the guard refused counts
_NOT_COUNTED = ("simulator", "_webhooks")


class Strangers:
    """Counts in windows of time; the counts of the last one are forgotten with it."""

    def __init__(self, most: int, window: timedelta) -> None:
        self._most = most
        self._seconds = window.total_seconds()
        self._counts: Counter[str] = Counter()
        self._window = 0
        self._lock = Lock()

    def count(self, address: str) -> None:
        with self._lock:
            self._turn()
            self._counts[network_of(address)] += 1

    def refuse_many(self, address: str) -> None:
        """Raises TooManyRequestsError, which says when to come again."""
        with self._lock:
            self._turn()
            count = self._counts[network_of(address)]
        if count > self._most:
            left = self._seconds - time.time() % self._seconds
            raise TooManyRequestsError(timedelta(seconds=left))

    def _turn(self) -> None:
        window = int(time.time() // self._seconds)
        if window != self._window:
            self._window = window
            self._counts.clear()


def attach(app: Flask, public_url: str) -> None:
    """Before every other guard, for all that is served and for what is not there."""
    strangers = Strangers(MOST, WINDOW)

    @app.before_request
    def limit() -> None:
        if _is_counted():
            address = address_of(request, public_url)
            if request.blueprint not in _GUARDED:
                strangers.count(address)
            strangers.refuse_many(address)

    @app.after_request
    def note(response: Response) -> Response:
        if request.blueprint in _GUARDED and response.status_code == 401:  # noqa: PLR2004
            strangers.count(address_of(request, public_url))
        return response


def _is_counted() -> bool:
    return not (request.blueprint or "").endswith(_NOT_COUNTED)
