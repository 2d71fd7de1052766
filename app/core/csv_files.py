"""CSV files as people have them: any delimiter and encoding, damaged in any way. Streaming.

What is read keeps its text, so that a row can be handed on exactly as it came.
"""

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, Any

from app.core.lines import Lines, bounded_lines

MAX_LINE = 65_536  # characters; a longer line is not read
_MAX_ROW_LINES = 50  # that a quoted cell may span
_HEAD_BYTES = 65_536  # looked at for the encoding
_SAMPLE_LINES = 100  # looked at for the delimiter

_DELIMITERS = "\t;|,"  # of two that fit as well, the one that is rarer in text
_SEPARATOR_HINT = re.compile(
    r"\ufeff?sep=([,;\t|])\r?\n?\Z", re.IGNORECASE
)  # Excel's own first line

TOO_LONG = f"the line is longer than {MAX_LINE} characters"
UNCLOSED = "a quotation mark is opened and not closed where the row ends"


@dataclass(frozen=True, slots=True)
class Row:
    """`line` is its first line, from 1; `text` what stands in the file, line end included.

    A row with a `fault` could not be read: it has no cells.
    """

    line: int
    text: str
    cells: list[str]
    fault: str | None = None


class CsvFile:
    """The rows of a file; empty lines are no rows.

    `preamble` is what stands before the first row and belongs to the dialect. `encoding` and
    `errors` write text back as the bytes it came from.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        head = stream.read(_HEAD_BYTES)
        self.encoding, self.errors = _encoding_of(head)
        text = io.TextIOWrapper(
            io.BufferedReader(_Rejoined(head, stream), _HEAD_BYTES),
            encoding=self.encoding,
            errors=self.errors,
            newline="",
        )
        self._lines = Lines(bounded_lines(text, MAX_LINE))
        self.preamble, self.delimiter = self._dialect()
        self._sample = self._lines.peek(_SAMPLE_LINES)

    def sample(self) -> list[list[str]]:
        """The cells of the first rows, which stay unread."""
        rows = _rows(Lines(self._sample), self.delimiter, _nothing)
        return [row.cells for row in rows if not row.fault]

    def rows(self, looks_like_row: Callable[[list[str]], bool]) -> Iterator[Row]:
        """The rows, once.

        `looks_like_row` is asked about lines inside a quoted cell: where one looks like a row by
        itself, a quotation mark was left open, and the lines are read one by one.
        """
        return _rows(self._lines, self.delimiter, looks_like_row)

    def _dialect(self) -> tuple[str, str]:
        first = self._lines.peek(1)
        hint = _SEPARATOR_HINT.match(first[0]) if first else None
        if hint and self._lines.take():
            return first[0], hint[1]
        return "", _sniff_delimiter(self._lines.peek(_SAMPLE_LINES))


class _Rejoined(io.RawIOBase):
    """A stream of which the head has been read, from its start again."""

    def __init__(self, head: bytes, rest: IO[bytes]) -> None:
        self._head = head
        self._rest = rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        view = memoryview(buffer)
        piece = self._head[: len(view)] or self._rest.read(len(view))
        self._head = self._head[len(view) :]
        view[: len(piece)] = piece
        return len(piece)


def _encoding_of(head: bytes) -> tuple[str, str]:
    """The encoding, and how to treat what is none: bytes that go in come out the same."""
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8-sig", "surrogateescape"
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16", "replace"
    for encoding, high_bytes in (("utf-16-le", head[1::2]), ("utf-16-be", head[0::2])):
        if high_bytes.count(0) > len(head) // 4:
            return encoding, "replace"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return "latin-1", "strict"
    return "utf-8", "surrogateescape"


def _sniff_delimiter(lines: list[str]) -> str:
    """The delimiter that cuts the most lines into the same number of cells."""

    def regularity(delimiter: str) -> tuple[int, int]:
        widths = Counter(len(_split(line, delimiter)) for line in lines if line.strip())
        several = [(count, width) for width, count in widths.items() if width > 1]
        return max(several, default=(0, 0))

    return max(_DELIMITERS, key=regularity)


def _is_cut(line: str) -> bool:
    """Whether there was more of the line than is read."""
    return len(line) == MAX_LINE and not line.endswith(("\n", "\r"))


def _split(line: str, delimiter: str) -> list[str]:
    """The cells of one line by itself."""
    if '"' not in line:
        return line.rstrip("\r\n").split(delimiter)
    return next(csv.reader([line], delimiter=delimiter), [])


def _rows(
    lines: Lines, delimiter: str, looks_like_row: Callable[[list[str]], bool]
) -> Iterator[Row]:
    while (line := lines.take()) is not None:
        if _is_cut(line):
            yield Row(lines.number, line, [], TOO_LONG)
        elif '"' in line:
            yield _quoted_row(lines, line, delimiter, looks_like_row)
        elif line.strip(f"{delimiter} \t\r\n"):
            yield Row(lines.number, line, _split(line, delimiter))


def _quoted_row(
    lines: Lines, first: str, delimiter: str, looks_like_row: Callable[[list[str]], bool]
) -> Row:
    """A row with quoted cells, which may span lines.

    A mark that stays open must not swallow the rows that follow: these are read again.
    """
    number, taken = lines.number, [first]
    cells = _closed_row(lines, taken, delimiter)
    if cells is None or any(
        _is_cut(line) or looks_like_row(_split(line, delimiter)) for line in taken[1:]
    ):
        lines.give_back(taken[1:])
        return Row(number, first, [], UNCLOSED)
    return Row(number, "".join(taken), cells)


def _closed_row(lines: Lines, taken: list[str], delimiter: str) -> list[str] | None:
    """The cells, from as many lines as they span (put to `taken`); None if they never end."""
    closed = True

    def feed() -> Iterator[str]:
        nonlocal closed
        yield taken[0]
        while len(taken) < _MAX_ROW_LINES and (line := lines.take()) is not None:
            taken.append(line)
            yield line
        closed = False

    try:
        cells = next(csv.reader(feed(), delimiter=delimiter))
    except csv.Error:  # a cell beyond the module's limit
        return None
    return cells if closed else None


def _nothing(_: list[str]) -> bool:
    return False
