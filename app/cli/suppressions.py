"""`optout suppress`, `optout suppressions …`: the list, by hand and by file."""

import csv
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from app.cli.common import (
    DOOR,
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
from app.core.consent import Evidence
from app.core.imports import Fault, ImportDefaults, SuppressionImport, export_list
from app.core.models import ALL_PROGRAMS
from app.core.number_tables import NumberTable
from app.core.phone import mask_numbers

_program = click.option(
    "--program",
    default=ALL_PROGRAMS,
    metavar="PROGRAM",
    help="Only messages of this program; without it, of all.",
)


@click.command()
@click.argument("number", nargs=-1, required=True)
@_program
@click.option("--reason", default="operator", show_default=True, help="Why, in a word.")
@click.option("--note", help="What the person said, where and when; kept in the ledger.")
def suppress(number: tuple[str, ...], program: str, reason: str, note: str | None) -> None:
    """Let no message through to NUMBER, in any spelling.

    A number that begins with a dash or a bracket may need quotes.
    """
    evidence = Evidence(DOOR, note, {"by": operator()})
    with open_gateway() as gateway:
        added = gateway.services.suppressions.add(" ".join(number), program, reason, evidence)
    click.echo("Suppressed." if added else "It was suppressed already.")


@click.group()
def suppressions() -> None:
    """The suppression list as CSV files."""


@suppressions.command("import")
@click.argument("file")
@_program
@click.option("--reason", default="import", show_default=True, help="Why, in a word.")
@click.option("--column", help="The column of numbers: its name, or its place from 1.")
@click.option("--report", help="Where unreadable lines are listed; else beside FILE.")
def import_file(
    file: str, program: str, reason: str, column: str | None, report: str | None
) -> None:
    """Put the numbers in FILE (CSV; - is standard input) on the list.

    Any delimiter, encoding and spelling of numbers; with header or without. An import adds and
    never lifts. It may be stopped with Ctrl-C and run again: what is there already is left alone.
    A file that `export` wrote brings its own program, reason and since.

    Exit code 1: some lines could not be read; the report has their numbers and the reasons, and
    all others were imported.
    """
    details = {"by": operator(), "file": mask_numbers(Path(file).name)}
    with open_gateway() as gateway, open_input(file) as stream:
        services = gateway.services
        table = NumberTable(stream, services.phones, column)
        say(f"The numbers are taken from: {table.title}")
        defaults = ImportDefaults(program, reason, details)
        job = SuppressionImport(services.suppressions, services.phones, defaults)
        _run(job, table, file, report or beside(file, "report"))


def _run(job: SuppressionImport, table: NumberTable, file: str, report: str) -> None:
    try:
        with reported(report) as write:
            for fault in job.run(table, progress(table, "lines", count_lines(file))):
                write(fault)
    except KeyboardInterrupt:
        say("Stopped: to go on, run the same command again.")
        raise
    finally:
        done = job.totals
        say(f"{done.added} added, {done.already} there already, {done.unreadable} unreadable.")
    if done.unreadable:
        say(f"The unreadable lines are listed in {report}")
        leave(1)


@contextmanager
def reported(path: str) -> Iterator[Callable[[Fault], None]]:
    """A CSV file of lines that could not be read; none where all could."""
    with Path(path).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["line", "reason"])
        empty = file.tell()
        yield lambda fault: writer.writerow([fault.line, fault.reason])
        is_needed = file.tell() > empty
    if not is_needed:
        Path(path).unlink()


@suppressions.command("export")
@click.argument("file")
def export_file(file: str) -> None:
    """Write the list to FILE (CSV; - is standard output): to, program, reason, since.

    `import` reads it back and changes nothing. Erased numbers stay suppressed and are counted, but
    cannot be written: nobody knows them any more.
    """
    with open_gateway() as gateway, written_whole(file) as out:
        listed = gateway.services.suppressions
        rows = progress(export_list(listed, out), "numbers", listed.count())
        done = Counter(rows)
        what, people = "suppressions export", done.total()
        gateway.services.accesses.note(DOOR, operator(), what, people=people)
    say(f"{done[True]} written, {done[False]} erased and therefore not written.")
