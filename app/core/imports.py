"""Suppression lists in and out of CSV files. An import adds to the list, and never lifts."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import IO

from app.core.consent import Evidence
from app.core.csv_files import Row
from app.core.errors import InvalidInputError
from app.core.number_tables import NumberTable
from app.core.phone import PhoneReader
from app.core.suppressions import Listed, SuppressionList

# Rows in one transaction: few enough that a webhook which waits for its lock does not notice.
BATCH = 1000

# What export_list writes; a file with this header brings its own program, reason and since.
EXPORT_HEADER = ["to", "program", "reason", "since"]


@dataclass(frozen=True, slots=True)
class Fault:
    """A line that could not be read, and why; never what stood in it."""

    line: int
    reason: str


@dataclass(slots=True)
class ImportTotals:
    """How far an import is. Whatever it says is durable."""

    added: int = 0
    already: int = 0
    unreadable: int = 0


@dataclass(frozen=True, slots=True)
class ImportDefaults:
    """What the rows are suppressed for where they don't say it; `details` go to the ledger."""

    program: str
    reason: str
    details: dict[str, str]


class SuppressionImport:
    """Puts the numbers of a table on the list, batch by batch; may be stopped and run again."""

    def __init__(
        self, suppressions: SuppressionList, phones: PhoneReader, defaults: ImportDefaults
    ) -> None:
        suppressions.require_program(defaults.program)
        self.totals = ImportTotals()
        self._list = suppressions
        self._phones = phones
        self._defaults = defaults
        self._programs = {defaults.program}

    def run(self, table: NumberTable, rows: Iterable[Row]) -> Iterator[Fault]:
        """Import the rows of the table; yields those that can't be read.

        Raises StorageUnavailableError; what the totals say is then kept.
        """
        ours = table.header is not None and table.header.cells == EXPORT_HEADER
        remaining = iter(rows)
        while batch := list(islice(remaining, BATCH)):
            listed, faults = self._read_batch(table, batch, ours=ours)
            added = self._list.add_all(listed)
            self.totals.added += added
            self.totals.already += len(listed) - added
            self.totals.unreadable += len(faults)
            yield from faults

    def _read_batch(
        self, table: NumberTable, rows: Sequence[Row], *, ours: bool
    ) -> tuple[list[Listed], list[Fault]]:
        listed, faults = [], []
        for row in rows:
            try:
                listed.append(self._read_own(table, row) if ours else self._read(table, row))
            except InvalidInputError as error:
                faults.append(Fault(row.line, str(error)))
        return listed, faults

    def _read(self, table: NumberTable, row: Row) -> Listed:
        if row.fault:
            raise InvalidInputError(row.fault)
        number = table.number(row)
        if not number:
            raise InvalidInputError("no number stands here")
        evidence = Evidence("import", details={**self._defaults.details, "line": row.line})
        phone = self._phones.parse(number)
        return Listed(phone, self._defaults.program, self._defaults.reason, evidence)

    def _read_own(self, table: NumberTable, row: Row) -> Listed:
        """A row that an export wrote."""
        listed = self._read(table, row)
        if len(row.cells) != len(EXPORT_HEADER):
            raise InvalidInputError(f"{len(EXPORT_HEADER)} cells are needed, as in the header")
        _, program, reason, since = row.cells
        if program not in self._programs:
            self._list.require_program(program)
            self._programs.add(program)
        return Listed(listed.phone, program, reason, listed.evidence, _moment(since))


def export_list(suppressions: SuppressionList, out: IO[str]) -> Iterator[bool]:
    """Write the list as CSV in a fixed order; for each suppression whether it could be written.

    A person who was erased stays suppressed, but there is no number to write.
    """
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(EXPORT_HEADER)
    for each in suppressions.all():
        if each.to is not None:
            writer.writerow([each.to, each.program, each.reason, each.since.isoformat()])
        yield each.to is not None


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidInputError("since must be a time, as 2026-11-24T09:30:00+00:00") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
