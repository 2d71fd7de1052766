"""`optout filter`: which rows of a file may be sent to."""

import os
from collections import Counter
from pathlib import Path

import click

from app.cli.common import (
    beside,
    count_lines,
    open_gateway,
    open_input,
    progress,
    say,
    written_whole,
)
from app.core.errors import EXPLANATIONS, Reason
from app.core.filters import filter_rows
from app.core.models import Purpose
from app.core.number_tables import NumberTable
from app.core.schema import DEFAULT_PROGRAM
from app.gateway import scope


@click.command("filter")
@click.argument("source", metavar="IN")
@click.argument("out")
@click.option("--program", default=DEFAULT_PROGRAM, show_default=True, help="What will be sent.")
@click.option(
    "--purpose",
    type=click.Choice([each.value for each in Purpose]),
    default=Purpose.MARKETING.value,
    show_default=True,
    help="What it will be sent for.",
)
@click.option("--column", help="The column of numbers: its name, or its place from 1.")
@click.option("--refused", help="Where refused rows go, with the reasons; else beside OUT.")
def filter_file(
    source: str, out: str, program: str, purpose: str, column: str | None, refused: str | None
) -> None:
    """Copy the rows of a CSV file that may be sent to now.

    From IN to OUT; - is standard input or output. Rows stay exactly as they are. The others go to
    a second file, with their line and the reason before them. Both files appear when they are
    complete. The list can change the minute after: what sends should ask the gateway again.
    """
    refused = refused or (os.devnull if out == "-" else beside(out, "refused"))
    _require_other_files(source, out, refused)
    with open_gateway() as gateway, open_input(source) as stream:
        gateway.services.suppressions.require_program(program)
        table = NumberTable(stream, gateway.services.phones, column)
        say(f"The numbers are taken from: {table.title}")
        rows = progress(table, "lines", count_lines(source))
        form = table.file.encoding, table.file.errors
        with written_whole(out, *form) as allowed, written_whole(refused, *form) as others:
            gate, asked = gateway.services.gate, scope(program, purpose)
            counts = Counter(filter_rows(table, rows, gate, asked, allowed, others))
    _tell(counts)


def _tell(counts: Counter[Reason | None]) -> None:
    say(f"{counts.pop(None, 0)} may be sent to, {counts.total()} refused.")
    for reason, count in counts.most_common():
        say(f"  {count} {reason}: {EXPLANATIONS[reason]}" if reason else "")


def _require_other_files(source: str, *results: str) -> None:
    """Nothing may be written over what is read, nor over the other result."""
    places = [Path(path).resolve() for path in (source, *results) if path != "-"]
    if len(set(places)) < len(places):
        raise click.UsageError("IN, OUT and the refused rows must be different files")
