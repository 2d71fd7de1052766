"""An old list of contacts, graded: keep, renew while there is time, delete; with the law behind it.

Renewing is asked of people whose consent is still valid, before it ends, and of nobody else: a
message that asks for consent is itself marketing (Cassazione 11019/2021, 9920/2022).
"""

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import islice
from typing import IO

from app.core import rekeying
from app.core.consent_import import Standing, standing_of
from app.core.consent_tables import ConsentTable, ForeignConsent, MissingEvidenceError
from app.core.csv_files import Row
from app.core.database import Database
from app.core.errors import InvalidInputError, InvalidNumberError
from app.core.phone import Phone
from app.core.policy import Clock, Policy
from app.core.programs import Terms, terms_of

_BATCH = 1000
_SOON = timedelta(days=90)  # before its end a consent had better be renewed


class Grade(StrEnum):
    """What to do with a contact."""

    KEEP = "keep"
    RENEW = "renew while there is time"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A grade, why, the law behind it, and until when it can be renewed."""

    grade: Grade
    reason: str
    law: str
    until: datetime | None = None


_UNPROVABLE = "GDPR 7(1), 5(2): the sender must prove consent; Cass. 9920/2022: nor may it be asked"
_DOUBLE = "Garante 330/2025: double opt-in is the least that proves a consent (GDPR 7(1))"
_RETENTION = "GDPR 5(1)(e); Garante 24 Feb 2005 (24 months) and 181/2020: the declared period"
_OBJECTION = "GDPR 21(2)-(3), 7(3); Codice privacy 130: an objection is absolute"
_PERIOD_AND_CASSAZIONE = (
    f"{_RETENTION}; Cass. 11019/2021, 9920/2022: only before it ends may it be renewed"
)

HEADER = ("line", "grade", "reason", "law", "renew_before")


class ConsentAudit:
    """Grades the rows of a table against what the gateway knows; changes nothing."""

    def __init__(self, database: Database, policy: Policy, clock: Clock, program: str) -> None:
        self._database = database
        self._clock = clock
        with database.read() as connection:
            self._terms = terms_of(connection, program, policy)

    def run(self, table: ConsentTable, rows: Iterable[Row], out: IO[str]) -> Iterator[Verdict]:
        """Write each row after its verdict; yields the verdicts."""
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow([*HEADER, *table.header])
        remaining = iter(rows)
        while batch := list(islice(remaining, _BATCH)):
            for row, verdict in zip(batch, self._verdicts(table, batch), strict=True):
                until = verdict.until.date().isoformat() if verdict.until else ""
                told = (row.line, verdict.grade, verdict.reason, verdict.law, until)
                writer.writerow([*told, *row.cells])
                yield verdict

    def _verdicts(self, table: ConsentTable, rows: Sequence[Row]) -> Iterator[Verdict]:
        phones = [_phone(table, row) for row in rows]
        known = [phone for phone in phones if phone is not None]
        rekeying.settle(self._database, known)
        with self._database.read() as connection:
            standing = standing_of(connection, [phone.fingerprint for phone in known])
        for row, phone in zip(rows, phones, strict=True):
            yield self._verdict(table, row, phone, standing)

    def _verdict(
        self, table: ConsentTable, row: Row, phone: Phone | None, standing: Standing
    ) -> Verdict:
        if phone is None:
            return Verdict(
                Grade.DELETE, "no number that can be texted", "GDPR 5(1)(c)-(d): of no use, wrong"
            )
        if standing.is_suppressed(phone.fingerprint, self._terms.slug):
            return Verdict(Grade.DELETE, "the person has opted out", _OBJECTION)
        try:
            found = table.read(row, self._clock())
        except MissingEvidenceError as error:
            return Verdict(Grade.DELETE, f"no {error.field}: nothing proves a consent", _UNPROVABLE)
        except InvalidInputError as error:
            return Verdict(Grade.DELETE, str(error), _UNPROVABLE)
        return _graded(found, self._terms, standing, self._clock())


def _graded(found: ForeignConsent, terms: Terms, standing: Standing, now: datetime) -> Verdict:
    given_at = found.confirmed_at or found.given_at
    until = given_at + terms.retention
    if standing.opted_out_since(found.phone.fingerprint, terms.slug, given_at):
        return Verdict(Grade.DELETE, "the person has opted out since", _OBJECTION)
    if until <= now:
        return Verdict(
            Grade.DELETE, f"older than {terms.retention.days} days", _PERIOD_AND_CASSAZIONE
        )
    if found.confirmed_at is None:
        return Verdict(Grade.RENEW, "no double opt-in", _DOUBLE, until)
    if until <= now + _SOON:
        return Verdict(Grade.RENEW, "ends soon", _PERIOD_AND_CASSAZIONE, until)
    return Verdict(Grade.KEEP, "proven and in its period", _DOUBLE, until)


def _phone(table: ConsentTable, row: Row) -> Phone | None:
    try:
        return table.phone(row)
    except (InvalidNumberError, InvalidInputError):
        return None
