"""`optout consents …`: consents collected elsewhere, and old lists graded."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from app.cli.common import (
    beside,
    count_lines,
    leave,
    open_gateway,
    open_input,
    operator,
    progress,
    say,
    written_whole,
)
from app.cli.suppressions import reported
from app.core.consent_audit import ConsentAudit, Grade
from app.core.consent_import import ConsentImport, ImportOptions
from app.core.consent_tables import ConsentTable
from app.core.number_tables import NumberTable
from app.core.phone import mask_numbers
from app.core.schema import DEFAULT_PROGRAM
from app.gateway import Gateway

_program = click.option(
    "--program",
    default=DEFAULT_PROGRAM,
    show_default=True,
    help="For rows that name none in a column `program`.",
)
_column = click.option("--column", help="The column of numbers: its name, or its place from 1.")


@click.group()
def consents() -> None:
    """Consents from elsewhere, with their evidence.

    A file is a CSV with a header. Columns: number, date, source, text; and where there are any
    program, language, channel, email, ip, proof, confirmed_at (when a code came back there).
    Dates are 2025-03-31 or, day first, 31/03/2025.
    """


@consents.command("import")
@click.argument("file")
@_program
@_column
@click.option("--apply/--dry-run", default=False, help="Write them; else only say what would be.")
@click.option("--only-confirmed", is_flag=True, help="Refuse rows without double opt-in.")
@click.option("--report", help="Where refused lines are listed; else beside FILE.")
def import_file(
    file: str,
    program: str,
    column: str | None,
    report: str | None,
    *,
    apply: bool,
    only_confirmed: bool,
) -> None:
    """Take over the consents in FILE (- is standard input); without --apply, only try.

    Rows without date, source or text prove nothing and are refused by their line. A suppressed
    number stays so, and an opt-out after the consent counts more. It may be stopped and run again:
    the same file changes nothing the second time.

    Exit code 1: some rows were refused; the report has their lines and the reasons.
    """
    details = {"by": operator(), "file": mask_numbers(Path(file).name)}
    options = ImportOptions(apply, only_confirmed, details)
    with _opened(file, program, column) as (gateway, table, consent_table):
        services = gateway.services
        job = ConsentImport(services.database, services.policy, services.clock, options)
        report = report or beside(file, "report")
        try:
            with reported(report) as write:
                rows = progress(table, "lines", count_lines(file))
                for fault in job.run(consent_table, rows):
                    write(fault)
        finally:
            _tell(job, apply=apply)
    if job.totals.all_refused:
        say(f"The refused lines are listed in {report}")
        leave(1)


def _tell(job: ConsentImport, *, apply: bool) -> None:
    totals = job.totals
    say(f"{totals.imported} consents {'imported' if apply else 'would be imported'}.")
    for fate, count in totals.fates.most_common():
        say(f"  {count} {fate.value}")
    if totals.refused:
        say(f"  {totals.refused} can't be used")
    if not apply:
        say("Nothing was changed: a dry run. With --apply it is done.")


@consents.command()
@click.argument("file")
@_program
@_column
@click.option("--out", help="Where the graded rows go; else beside FILE.")
def audit(file: str, program: str, column: str | None, out: str | None) -> None:
    """Grade every contact in FILE: keep, renew while there is time, or delete.

    A new CSV has each row after its grade, the reason, the law behind it and, where it can be
    renewed, the last day. Nothing is changed.
    """
    out = out or beside(file, "audit")
    with _opened(file, program, column) as (gateway, table, consent_table):
        services = gateway.services
        job = ConsentAudit(services.database, services.policy, services.clock, program)
        with written_whole(out) as graded:
            rows = progress(table, "lines", count_lines(file))
            found = Counter(
                (each.grade, each.reason) for each in job.run(consent_table, rows, graded)
            )
    for grade in Grade:
        reasons = {reason: count for (each, reason), count in found.items() if each is grade}
        say(f"{sum(reasons.values())} {grade.value}")
        for reason, count in sorted(reasons.items(), key=lambda item: -item[1]):
            say(f"  {count} {reason}")
    say(f"Each row with its grade: {out}")


@contextmanager
def _opened(
    file: str, program: str, column: str | None
) -> Iterator[tuple[Gateway, NumberTable, ConsentTable]]:
    with open_gateway() as gateway, open_input(file) as stream:
        services = gateway.services
        services.suppressions.require_program(program)
        table = NumberTable(stream, services.phones, column)
        say(f"The numbers are taken from: {table.title}")
        language = gateway.settings.default_language
        yield gateway, table, ConsentTable(table, services.phones, program, language)
