"""Waiting for one thing while the next is being read."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, islice
from typing import TypeVar

Given = TypeVar("Given")
Made = TypeVar("Made")


def one_ahead(work: Callable[[Given], Made], given: Iterable[Given]) -> Iterator[Made]:
    """`work` of each, in order: done in another thread while the next is read in this one.

    For work that mostly waits. A single thing is worked on here.
    """
    remaining = iter(given)
    first = list(islice(remaining, 2))
    if len(first) == 1:
        yield work(first[0])
        return
    with ThreadPoolExecutor(1) as worker:
        doing = None
        for each in chain(first, remaining):
            before, doing = doing, worker.submit(work, each)
            if before is not None:
                yield before.result()
        if doing is not None:
            yield doing.result()
