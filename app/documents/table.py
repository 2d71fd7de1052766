"""A dossier as one table, for a spreadsheet: a row for each value."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

HEADER = ("part", "record", "when", "what", "value")
_TIMES = (
    *("created_at", "received_at", "asked_at", "opened_at", "reported_at", "since"),
    *("first_seen_at", "settled_at", "sealed_at", "at"),
)
# A spreadsheet takes these beginnings for a formula, and whoever texts could write one.
_FORMULAS = ("=", "+", "-", "@", "\t", "\r")


def table_of(dossier: Mapping[str, Any]) -> str:
    """CSV (RFC 4180) with HEADER; `record` counts from 1 within a part of many.

    `what`: the way to the value, its names with dots between. `when`: the record's own time, as
    ISO 8601. Values that a spreadsheet would run have a `'` before them.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(HEADER)
    for part, held in dossier.items():
        for number, record in enumerate(held, 1) if isinstance(held, list) else ((None, held),):
            for what, value in _leaves(record):
                writer.writerow((part, number or "", _when(record), what, _cell(value)))
    return out.getvalue()


def _leaves(held: Any, way: str = "") -> Iterator[tuple[str, Any]]:
    """Every value with the way to it; empty lists and maps hold none."""
    named: Iterable[tuple[Any, Any]]
    if isinstance(held, Mapping):
        named = held.items()
    elif isinstance(held, list):
        named = enumerate(held, 1)
    else:
        yield way, held
        return
    for name, value in named:
        yield from _leaves(value, f"{way}.{name}" if way else str(name))


def _when(record: Any) -> str:
    if not isinstance(record, Mapping):
        return ""
    return next((str(record[name]) for name in _TIMES if record.get(name)), "")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    is_text = isinstance(value, str)
    return f"'{text}" if is_text and text.startswith(_FORMULAS) else text
