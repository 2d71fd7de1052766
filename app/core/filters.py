"""Which rows of a file may be sent to: each as it came, beside the reason where it may not."""

from collections.abc import Iterable, Iterator
from itertools import tee

from app.core.csv_files import Row
from app.core.errors import Reason
from app.core.gate import Gate, Scope
from app.core.number_tables import NumberTable


def judge_rows(
    table: NumberTable, rows: Iterable[Row], gate: Gate, scope: Scope
) -> Iterator[tuple[Row, Reason | None]]:
    """Each row with the reason why its number may not be texted now, or None.

    In constant memory: the gate asks for a batch ahead. A row that can't be read is refused.
    """
    judged, asked = tee(rows)
    decisions = gate.check((table.number(row) for row in asked), scope)
    for row, decision in zip(judged, decisions, strict=True):
        yield row, decision.reason


class FilteredFiles:
    """The texts of two files: rows to be sent to, exactly as they came, and refused ones.

    The refused begin with two cells of their own, line and reason, so that they stay aligned
    whatever the length of a row.
    """

    def __init__(self, table: NumberTable) -> None:
        self._delimiter = table.file.delimiter
        header = table.header.text if table.header else ""
        self.head = table.file.preamble + header
        self.refused_head = table.file.preamble + (self._marked("line", "reason", header))

    def refused(self, row: Row, reason: Reason) -> str:
        """The text of a refused row."""
        if row.fault:  # its text may be damaged, or not all there
            return self._marked(str(row.line), f"{reason}: {row.fault}", "")
        return self._marked(str(row.line), reason, row.text)

    def _marked(self, line: str, reason: str, text: str) -> str:
        return self._delimiter.join([line, reason, text or "\n"])
