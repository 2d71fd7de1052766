"""`optout classify`: what a text means. It needs no settings and no database."""

from typing import TextIO

import click

from app.cli.common import leave, say
from app.core import language
from app.core.errors import InvalidInputError
from app.core.labelling import MAX_LINE, label_line
from app.core.language import NO_OWN_WORDS, OwnWords
from app.core.lines import bounded_lines


@click.command()
@click.argument("text", nargs=-1)
@click.option("--jsonl", is_flag=True, help="Label the lines of standard input.")
@click.option("--explain", is_flag=True, help="Show each step of reading TEXT and what it left.")
@click.option("--words", "words_file", type=click.File(encoding="utf-8-sig"), metavar="FILE",
              help="Words of your own, as in WORDS_FILE.")  # fmt: skip
def classify(
    text: tuple[str, ...], *, jsonl: bool, explain: bool, words_file: TextIO | None
) -> None:
    """Say what a text means.

    The first line is OPT_OUT, OPT_IN, HELP, CONFIRM or NONE.

    With --jsonl each line of standard input, {"id","text"}, becomes a line
    {"id","label","code","language","rule","review"}. Lines that can't be read are named on standard
    error and passed over; the exit code is then 1.

    Needs neither settings nor a database.
    """
    if jsonl == bool(text) or (jsonl and explain):
        raise click.UsageError("give either a TEXT or --jsonl")
    own_words = language.parse_own_words(words_file.read()) if words_file else NO_OWN_WORDS
    for warning in own_words.warnings:
        say(warning)
    if jsonl:
        leave(1 if _label_standard_input(own_words) else 0)
        return
    meaning, steps = language.explain(" ".join(text), own_words)
    _show(meaning)
    for step in steps if explain else ():
        click.echo(f"  {step.name:<14} {step.left}")


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


def _label_standard_input(own_words: OwnWords) -> int:
    """How many lines could not be read."""
    source = click.open_file("-", "r", encoding="utf-8-sig", errors="surrogateescape")
    out = click.open_file("-", "w", encoding="ascii")
    unreadable = 0
    for number, line in enumerate(bounded_lines(source, MAX_LINE), 1):
        if not line.strip():
            continue
        try:
            out.write(label_line(line, own_words))
            out.flush()  # whoever asks line by line waits for it
        except InvalidInputError as error:
            unreadable += 1
            say(f"line {number}: {error}")
    return unreadable
