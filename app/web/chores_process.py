"""The process that does the chores beside the web workers, and starts again if it dies."""

import signal
import time
from collections.abc import Callable
from typing import Any

import structlog

_LOOK = 2.0  # seconds between two looks at whether it still runs
_FIRST_PAUSE, _LONGEST_PAUSE = 2.0, 300.0  # seconds before it is started again
_RAN_WELL = 600.0  # seconds after which the next end counts as the first one again

_log = structlog.get_logger("optout")


class ChoresProcess:
    """Keeps one running: when it ends by itself, another starts after ever longer pauses.

    `start` gives a process, as subprocess does, or raises OSError.
    """

    def __init__(
        self,
        start: Callable[[], Any],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._start = start
        self._clock = clock
        self._process: Any = None
        self._due_at = self._started_at = clock()
        self._pause = _FIRST_PAUSE

    def keep(self) -> None:
        """Start it, and look after it from a timer: no thread, as the master forks workers."""
        self.look()
        signal.signal(signal.SIGALRM, lambda *_: self.look())
        signal.setitimer(signal.ITIMER_REAL, _LOOK, _LOOK)  # a fork does not inherit it

    def look(self) -> None:
        """Notice that it has ended, or that it is time to start it."""
        now = self._clock()
        if self._process is not None:
            if self._process.poll() is None:
                return
            self._process = None
            self._wait_longer(now)
            _log.error("the chores process has ended", again_in_seconds=self._due_at - now)
        if now >= self._due_at:
            self._try_to_start(now)

    def end(self) -> None:
        """End it, with the server."""
        signal.setitimer(signal.ITIMER_REAL, 0)
        if self._process is not None:
            self._process.terminate()
            self._process.wait()

    def _try_to_start(self, now: float) -> None:
        self._started_at = now
        try:
            self._process = self._start()
        except OSError as error:  # no memory or no process left: later there may be
            self._wait_longer(now)
            _log.error("the chores process can't be started", error=str(error))
        else:
            _log.info("the chores process is started")

    def _wait_longer(self, now: float) -> None:
        if now - self._started_at >= _RAN_WELL:
            self._pause = _FIRST_PAUSE
        self._due_at = now + self._pause
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)
