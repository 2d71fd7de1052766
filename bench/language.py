"""Reading a text: its time by kind of text, beside one scan of the same text for its words."""

import re
import time
from collections.abc import Callable, Iterator
from statistics import median

from app.core.language import READ_LIMIT, classify
from bench.table import Row, times

_ROUNDS = 15
_TEXTS = 200  # in each round
_AIM = "≤ 100 µs"
_WORD = re.compile(r"\w+")
_KINDS = {
    "the bare keyword": "STOP",
    "a request": "Please take my number off your list, I never signed up for this",
    "a request in Italian": "Buongiorno, vi chiedo di non inviarmi più messaggi, grazie",
    "a private text of ten words": "running a bit late, see you at the station around six",
    "a private text in Italian": "ciao arrivo tra dieci minuti, mi aspetti davanti al bar?",
}
_LONGEST = ("words " * READ_LIMIT)[:READ_LIMIT]


def measure() -> Iterator[Row]:
    """One row for each kind of text, and one for the longest text that is read whole."""
    for kind, text in _KINDS.items():
        yield _row(f"reading {kind}", text, _AIM)
    yield _row(f"reading {READ_LIMIT:,} characters", _LONGEST, "")


def _row(what: str, text: str, aim: str) -> Row:
    rounds = [(_timed(classify, text), _timed(_WORD.findall, text)) for _ in range(_ROUNDS)]
    ours, theirs = (median(each) for each in zip(*rounds, strict=True))
    return Row(what, _micro(ours), f"{_micro(theirs)} for its words", times(ours / theirs), aim)


def _timed(read: Callable[[str], object], text: str) -> float:
    """Seconds of this process's own time for one reading."""
    started = time.process_time()
    for _ in range(_TEXTS):
        read(text)
    return (time.process_time() - started) / _TEXTS


def _micro(seconds: float) -> str:
    return f"{seconds * 1e6:.1f} µs"
