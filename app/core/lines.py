"""Lines of text from outside, however long: in constant memory."""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import IO


def bounded_lines(stream: IO[str], limit: int) -> Iterator[str]:
    """Lines with their ends. Of one that is longer only the first `limit` characters, no end."""
    while line := stream.readline(limit):
        piece = line
        while len(piece) == limit and not piece.endswith(("\n", "\r")):
            piece = stream.readline(limit)
        yield line


class Lines:
    """Lines that can be given back. `number` is the one last taken, from 1."""

    def __init__(self, source: Iterable[str]) -> None:
        self._source = iter(source)
        self._waiting: deque[str] = deque()
        self.number = 0

    def take(self) -> str | None:
        """The next line, None at the end."""
        line = self._waiting.popleft() if self._waiting else next(self._source, None)
        if line is not None:
            self.number += 1
        return line

    def give_back(self, lines: list[str]) -> None:
        """Take these again next, in this order."""
        self._waiting.extendleft(reversed(lines))
        self.number -= len(lines)

    def peek(self, count: int) -> list[str]:
        """The next lines, up to `count`, without taking them."""
        ahead: list[str] = []
        while len(ahead) < count and (line := self.take()) is not None:
            ahead.append(line)
        self.give_back(ahead)
        return ahead
