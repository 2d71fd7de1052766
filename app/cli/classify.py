"""`optout classify`: what a text means. It needs no settings and no database."""

import click

from app.cli.common import leave, say
from app.core import language
from app.core.errors import InvalidInputError
from app.core.labelling import MAX_LINE, label_line
from app.core.lines import bounded_lines


@click.command()
@click.argument("text", nargs=-1)
@click.option("--jsonl", is_flag=True, help="Label the lines of standard input.")
def classify(text: tuple[str, ...], *, jsonl: bool) -> None:
    """Say what a text means.

    The first line is OPT_OUT, OPT_IN, HELP, CONFIRM or NONE.

    With --jsonl each line of standard input, {"id","text"}, becomes a line
    {"id","label","code","language","rule","review"}. Lines that can't be read are named on standard
    error and passed over; the exit code is then 1.

    Needs neither settings nor a database.
    """
    if jsonl == bool(text):
        raise click.UsageError("give either a TEXT or --jsonl")
    if jsonl:
        leave(1 if _label_standard_input() else 0)
    else:
        _show(language.classify(" ".join(text)))


def _show(meaning: language.Meaning) -> None:
    click.echo(meaning.intent.name)
    details = {
        "language": meaning.language,
        "code": meaning.code,
        "program": meaning.topic,
        "rule": meaning.rule,
        "tables": meaning.tables_version,
        "review": "a person should read it first" if meaning.review else None,
    }
    for name, value in details.items():
        if value:
            click.echo(f"  {name:<9} {value}")


def _label_standard_input() -> int:
    """How many lines could not be read."""
    source = click.open_file("-", "r", encoding="utf-8-sig", errors="surrogateescape")
    out = click.open_file("-", "w", encoding="ascii")
    unreadable = 0
    for number, line in enumerate(bounded_lines(source, MAX_LINE), 1):
        if not line.strip():
            continue
        try:
            out.write(label_line(line))
            out.flush()  # whoever asks line by line waits for it
        except InvalidInputError as error:
            unreadable += 1
            say(f"line {number}: {error}")
    return unreadable
