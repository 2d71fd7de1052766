"""Doing things at the same moment."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from tests.fakes import LONG

T = TypeVar("T")


def together(*calls: Callable[[], T]) -> list[T]:
    """What the calls give, started at one moment in a thread each."""
    gate = threading.Barrier(len(calls))

    def start(call: Callable[[], T]) -> T:
        gate.wait(LONG)
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return [started.result(LONG) for started in [pool.submit(start, call) for call in calls]]


@contextmanager
def meanwhile(call: Callable[[], T]) -> Iterator[Future[T]]:
    """The call goes on in another thread while the block runs."""
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(call)
