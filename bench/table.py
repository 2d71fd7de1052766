"""The result: one table, each figure beside its limit."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass

_HEAD = ("what", "measured", "beside", "ratio", "aim")


@dataclass(frozen=True, slots=True)
class Row:
    """One figure. `beside`: the limit, measured in the same run."""

    what: str
    measured: str
    beside: str = ""
    ratio: str = ""
    aim: str = ""


def as_markdown(rows: Sequence[Row]) -> str:
    """A table that reads well in a terminal and on a page."""
    cells = [_HEAD, *(astuple(row) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(_HEAD))]
    lines = ["| " + " | ".join(map(str.ljust, line, widths)) + " |" for line in cells]
    lines.insert(1, "| " + " | ".join("-" * width for width in widths) + " |")
    return "\n".join(lines)


def times(ratio: float) -> str:
    return f"{ratio:.2f} ×"  # noqa: RUF001 - the sign is meant


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.2f} ms"


def microseconds(seconds: float) -> str:
    return f"{seconds * 1_000_000:.1f} µs"
