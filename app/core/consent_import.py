"""Consents from elsewhere, with their evidence: what proves nothing is refused by its line.

A row needs a date, a source and the text that was shown. A row with `confirmed_at`, the time at
which a code came back from the handset, is a double opt-in. One without is a consent that was
valid when it was given but is hard to prove now (Garante 330/2025): it counts, is marked
`double_opt_in: false` for good, and the audit asks to renew it while there is time. Whoever wants
proven ones alone imports with `only_confirmed`.

An import never lifts: neither a suppression, nor an opt-out that came after the consent was given.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from itertools import islice

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.core import subscribers
from app.core.consent_tables import ConsentTable, ForeignConsent
from app.core.csv_files import Row
from app.core.database import Database
from app.core.errors import InvalidInputError, NotFoundError
from app.core.foreign_consents import ForeignConsents
from app.core.imports import Fault
from app.core.models import (
    ALL_PROGRAMS,
    Act,
    Consent,
    LedgerEntry,
    Suppression,
)
from app.core.policy import Clock, Policy
from app.core.programs import Terms, terms_of

BATCH = 200  # rows in one transaction: a webhook that waits for its lock does not notice


class Fate(StrEnum):
    """What becomes of a row that can be read."""

    PROVEN = "double opt-in, imported"
    UNPROVEN = "without double opt-in, imported: renew it while there is time"
    ALREADY = "there already, or a newer one"
    SUPPRESSED = "the number is suppressed: an import never lifts"
    OPTED_OUT = "the person has opted out since"
    EXPIRED = "older than the program's retention period"
    NOT_CONFIRMED = "no double opt-in"
    NO_PROGRAM = "there is no such program"


IMPORTED = frozenset({Fate.PROVEN, Fate.UNPROVEN})


@dataclass(slots=True)
class ConsentTotals:
    """How far an import is; with a dry run, what it would do."""

    fates: Counter[Fate] = field(default_factory=Counter)
    refused: int = 0

    @property
    def imported(self) -> int:
        return sum(self.fates[fate] for fate in IMPORTED)

    @property
    def all_refused(self) -> int:
        return self.refused + self.fates.total() - self.imported - self.fates[Fate.ALREADY]


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """`apply`: False is a dry run. `details`: who imports what, for the ledger."""

    apply: bool = False
    only_confirmed: bool = False
    details: dict[str, str] = field(default_factory=dict)


class ConsentImport:
    """Imports batch by batch; may be stopped and run again: what is there already stays."""

    def __init__(
        self, database: Database, policy: Policy, clock: Clock, options: ImportOptions
    ) -> None:
        self.totals = ConsentTotals()
        self._database = database
        self._policy = policy
        self._clock = clock
        self._options = options

    def run(self, table: ConsentTable, rows: Iterable[Row]) -> Iterator[Fault]:
        """Import the rows; yields those that were not imported, but for what was there already."""
        table.require("date", "source", "text")
        remaining = iter(rows)
        while batch := list(islice(remaining, BATCH)):
            faults: list[Fault] = []
            read = list(self._read(table, batch, faults))
            self.totals.refused += len(faults)
            for row, fate in zip(read, self._decide(read), strict=True):
                self.totals.fates[fate] += 1
                if fate not in IMPORTED | {Fate.ALREADY}:
                    faults.append(Fault(row.line, fate.value))
            yield from sorted(faults, key=lambda fault: fault.line)

    def _read(
        self, table: ConsentTable, rows: Sequence[Row], faults: list[Fault]
    ) -> Iterator[ForeignConsent]:
        for row in rows:
            try:
                yield table.read(row, self._clock())
            except InvalidInputError as error:
                faults.append(Fault(row.line, str(error)))

    def _decide(self, rows: Sequence[ForeignConsent]) -> list[Fate]:
        with self._database.read() as connection:
            fates = list(self._fates(connection, rows))
        # Only whom it writes down becomes a subscriber: of the others nothing is kept.
        wanted = [row for row, fate in zip(rows, fates, strict=True) if fate in IMPORTED]
        if not wanted or not self._options.apply:
            return fates
        with self._database.write() as connection:
            subscribers.lock_all(connection, [row.phone for row in wanted], self._clock())
            writer = ForeignConsents(connection, self._options.details, self._clock())
            decided = self._fates(connection, wanted, writer)
            settled = [next(decided) if fate in IMPORTED else fate for fate in fates]
            writer.finish()
            return settled

    def _fates(
        self,
        connection: Connection,
        rows: Sequence[ForeignConsent],
        writer: ForeignConsents | None = None,
    ) -> Iterator[Fate]:
        standing = standing_of(connection, [row.phone.fingerprint for row in rows])
        programs: dict[str, Terms | None] = {}
        for row in rows:
            if row.program not in programs:
                programs[row.program] = _terms(connection, row.program, self._policy)
            terms = programs[row.program]
            fate = _fate(row, terms, standing, self._clock(), self._options)
            if fate in IMPORTED and terms is not None:
                standing.given[row.phone.fingerprint, terms.slug] = row.confirmed_at or row.given_at
                if writer is not None:
                    writer.add(row, terms)
            yield fate


@dataclass(slots=True)
class Standing:
    """Where numbers stand before a row is looked at: all keyed by number and program."""

    suppressed: set[tuple[bytes, str]]
    opted_out: dict[tuple[bytes, str], datetime]
    given: dict[tuple[bytes, str], datetime]

    def is_suppressed(self, fingerprint: bytes, program: str) -> bool:
        return not self.suppressed.isdisjoint(((fingerprint, program), (fingerprint, ALL_PROGRAMS)))

    def opted_out_since(self, fingerprint: bytes, program: str, at: datetime) -> bool:
        keys = ((fingerprint, program), (fingerprint, ALL_PROGRAMS))
        return any(key in self.opted_out and self.opted_out[key] >= at for key in keys)


def standing_of(connection: Connection, fingerprints: Sequence[bytes]) -> Standing:
    """Suppressions, the last opt-outs (lifted ones too) and the consents of these numbers."""
    suppressed = sa.select(Suppression.fingerprint, Suppression.program).where(
        Suppression.fingerprint.in_(fingerprints)
    )
    opted_out = (
        sa.select(LedgerEntry.fingerprint, LedgerEntry.program, sa.func.max(LedgerEntry.at))
        .where(LedgerEntry.fingerprint.in_(fingerprints), LedgerEntry.act == Act.OPT_OUT)
        .group_by(LedgerEntry.fingerprint, LedgerEntry.program)
    )
    given = sa.select(Consent.fingerprint, Consent.program, Consent.given_at).where(
        Consent.fingerprint.in_(fingerprints)
    )
    return Standing(
        {(row[0], row[1]) for row in connection.execute(suppressed)},
        {(who, what): at for who, what, at in connection.execute(opted_out) if who is not None},
        {(row[0], row[1]): row[2] for row in connection.execute(given)},
    )


def _fate(
    row: ForeignConsent,
    terms: Terms | None,
    standing: Standing,
    now: datetime,
    options: ImportOptions,
) -> Fate:
    if terms is None:
        return Fate.NO_PROGRAM
    given_at = row.confirmed_at or row.given_at
    hindered = _hindered(row.phone.fingerprint, terms.slug, given_at, standing)
    if hindered is not None:
        return hindered
    if given_at + terms.retention <= now:
        return Fate.EXPIRED
    if row.confirmed_at is None:
        return Fate.NOT_CONFIRMED if options.only_confirmed else Fate.UNPROVEN
    return Fate.PROVEN


def _hindered(
    fingerprint: bytes, program: str, given_at: datetime, standing: Standing
) -> Fate | None:
    """What the gateway knows and the file does not."""
    if standing.is_suppressed(fingerprint, program):
        return Fate.SUPPRESSED
    if standing.opted_out_since(fingerprint, program, given_at):
        return Fate.OPTED_OUT
    there = standing.given.get((fingerprint, program))
    return Fate.ALREADY if there is not None and there >= given_at else None


def _terms(connection: Connection, program: str, policy: Policy) -> Terms | None:
    try:
        return terms_of(connection, program, policy)
    except NotFoundError:
        return None
