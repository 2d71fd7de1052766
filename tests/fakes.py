"""Stand-ins for what is outside: the provider, the clock, waiting, and a database that fails."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.exc import OperationalError

from app.core.errors import ProviderError, ProviderOptedOutError, ProviderOutcomeUnknownError
from app.core.models import DeliveryStatus
from app.core.provider import Acceptance, LoggedMessage, OutgoingMessage

START = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
LONG = 10.0  # seconds after which a test gives a thread up: it hangs

Answer = Callable[[], Acceptance]


class FakeClock:
    """Stands still until it is moved; with a `step` it goes on at every look."""

    def __init__(self) -> None:
        self.now = START
        self.step = timedelta()

    def __call__(self) -> datetime:
        now = self.now
        self.now += self.step
        return now

    def advance(self, **spans: float) -> None:
        self.now += timedelta(**spans)


class FakeSleep:
    """Waits for nothing; keeps how long it was asked to, and does `meanwhile` the first time."""

    def __init__(self) -> None:
        self.slept: list[float] = []
        self.meanwhile: Callable[[], object] | None = None

    def __call__(self, seconds: float) -> None:
        self.slept.append(seconds)
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()


class Hang:
    """A provider that does not answer: `reached` once it has the message, until `release`."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.released = threading.Event()

    def release(self) -> None:
        self.released.set()

    def wait(self) -> None:
        self.reached.set()
        assert self.released.wait(LONG), "the provider was never released"


class FakeProvider:
    """Takes messages into `sent`. Scripted answers come first, in their order; then it accepts."""

    name = "twilio"

    def __init__(self) -> None:
        self.sent: list[OutgoingMessage] = []
        self.canceled: list[str] = []
        self.cancel_failure: ProviderError | None = None
        self.logged: list[LoggedMessage] = []
        self.log_failure: ProviderError | None = None
        self.list_failure: ProviderError | None = None
        self.script: list[Answer] = []
        self.deleted: list[str] = []
        self.undeletable: ProviderError | None = None
        self._ids = count(1)
        self._lock = threading.Lock()

    def send(self, message: OutgoingMessage) -> Acceptance:
        with self._lock:
            self.sent.append(message)
            answer = self.script.pop(0) if self.script else self.accept
        return answer()

    def accept(self, message_id: str | None = None) -> Acceptance:
        sid = message_id or f"SM{next(self._ids):032d}"
        return Acceptance(sid, DeliveryStatus.QUEUED, {"sid": sid})

    def will_accept_as(self, message_id: str) -> None:
        self.script.append(lambda: self.accept(message_id))

    def will_hang(self) -> Hang:
        hang = Hang()

        def answer() -> Acceptance:
            hang.wait()
            return self.accept()

        self.script.append(answer)
        return hang

    def will_accept_then(self, happens: Callable[[], object]) -> None:
        """The message is taken, and then something happens before the sender goes on."""

        def answer() -> Acceptance:
            accepted = self.accept()
            happens()
            return accepted

        self.script.append(answer)

    def will_refuse(
        self, code: int, *, permanent: bool = True, retry_after: timedelta | None = None
    ) -> None:
        error = ProviderError(
            "no", code=code, status=400, permanent=permanent, retry_after=retry_after
        )
        self._will_raise(error)

    def will_have_opted_out(self) -> None:
        self._will_raise(ProviderOptedOutError("unsubscribed", code=21610, status=400))

    def will_schedule(self) -> None:
        """The message waits at the provider for its time."""

        def answer() -> Acceptance:
            accepted = self.accept()
            return replace(accepted, status=DeliveryStatus.SCHEDULED)

        self.script.append(answer)

    def will_not_answer(self) -> None:
        self._will_raise(ProviderOutcomeUnknownError("no answer"))

    def will_break(self) -> None:
        self._will_raise(RecursionError("an answer that nobody foresaw"))

    def _will_raise(self, error: Exception) -> None:
        def answer() -> Acceptance:
            raise error

        self.script.append(answer)

    def fetch(self, provider_message_id: str) -> Mapping[str, Any]:
        raise ProviderError("no such message", code=20404, status=404, permanent=True)

    def list_messages(self, query: Mapping[str, str]) -> Mapping[str, Any]:
        if self.list_failure:
            raise self.list_failure
        return {"messages": []}

    def log(
        self, since: datetime, until: datetime | None = None, to: str | None = None
    ) -> Iterator[LoggedMessage]:
        if self.log_failure:
            raise self.log_failure
        for each in self.logged:
            fits = since <= each.at and (until is None or each.at <= until)
            if fits and to in {None, each.recipient}:
                yield each

    def cancel(self, provider_message_id: str) -> None:
        if self.cancel_failure:
            raise self.cancel_failure
        self.canceled.append(provider_message_id)

    def delete(self, provider_message_id: str) -> None:
        if self.undeletable:
            raise self.undeletable
        self.deleted.append(provider_message_id)


class Outage:
    """Lets the statements of an engine fail, as they do when the connection breaks."""

    def __init__(self, engine: Engine) -> None:
        self._passing = self._failing = 0
        sa.event.listen(engine, "before_cursor_execute", self._look)

    def begin(self, statements: int = 1_000_000, after: int = 0) -> None:
        """So many statements fail, after so many that still pass."""
        self._passing, self._failing = after, statements

    def end(self) -> None:
        self._passing = self._failing = 0

    def _look(self, *_: Any) -> None:
        if self._passing > 0:
            self._passing -= 1
        elif self._failing > 0:
            self._failing -= 1
            raise OperationalError("a statement", {}, Exception("the connection broke"))


@contextmanager
def counted_statements(engine: Engine) -> Iterator[list[str]]:
    """The statements that are executed meanwhile, without the driver's own BEGIN."""
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if not statement.startswith("BEGIN"):
            statements.append(statement)

    sa.event.listen(engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        sa.event.remove(engine, "before_cursor_execute", note)
