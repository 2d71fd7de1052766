"""Which rows of a file may be sent to: each as it came, beside the reason where it may not."""

from collections.abc import Iterable, Iterator
from itertools import tee
from typing import IO

from app.core.csv_files import Row
from app.core.errors import Reason
from app.core.gate import Gate, Scope
from app.core.number_tables import NumberTable


def filter_rows(
    table: NumberTable,
    rows: Iterable[Row],
    gate: Gate,
    scope: Scope,
    allowed: IO[str],
    refused: IO[str],
) -> Iterator[Reason | None]:
    """Write each row to one of two files; yields the reason of each that is refused, or None.

    Allowed rows stay as they are. Refused ones get two cells of ours, line and reason, in front:
    there they stay aligned, whatever the length of a row. A row that can't be read is refused.
    In constant memory: the gate is asked for a batch ahead.
    """
    header = table.header.text if table.header else ""
    allowed.write(table.file.preamble + header)
    refused.write(table.file.preamble + _marked(table, "line", "reason", header))
    judged, asked = tee(rows)
    decisions = gate.check((table.number(row) for row in asked), scope)
    for row, decision in zip(judged, decisions, strict=True):
        if decision.reason is None:
            allowed.write(row.text)
        elif row.fault:  # its text is damaged, or not all there
            refused.write(_marked(table, str(row.line), decision.reason, ""))
        else:
            refused.write(_marked(table, str(row.line), decision.reason, row.text))
        yield decision.reason


def _marked(table: NumberTable, line: str, reason: str, text: str) -> str:
    return table.file.delimiter.join([line, reason, text or "\n"])
