"""`optout subscriber export`, `optout dossier verify`: what is held about one person, proven."""

import hashlib
import json

import click

from app.cli.common import DOOR, leave, open_gateway, open_input, operator, say, written_whole
from app.core.dossier_check import check
from app.documents import LANGUAGES, render_dossier, table_of, verifier


@click.group()
def subscriber() -> None:
    """One person: what is held of them, and its erasure."""


@subscriber.command()
@click.argument("number", nargs=-1, required=True)
@click.option("--json", "json_file", metavar="FILE", help="All of it, for machines to verify.")
@click.option("--html", "html_file", metavar="FILE", help="The same to read, print and hand over.")
@click.option("--csv", "csv_file", metavar="FILE", help="As one table, a row for each value.")
@click.option("--language", type=click.Choice(LANGUAGES), help="Of the document; else as set.")
def export(
    number: tuple[str, ...],
    json_file: str | None,
    html_file: str | None,
    csv_file: str | None,
    language: str | None,
) -> None:
    """Give all that is held about NUMBER, with its evidence.

    Without a file: JSON on standard output. `optout dossier verify` checks the JSON,
    anywhere and without this installation. Made together, the document names the JSON's SHA-256.
    """
    with open_gateway() as gateway:
        gateway.services.ledger.seal()  # so that as much as possible of it is proven
        services, spelling = gateway.services, " ".join(number)
        dossier = services.dossiers.export(spelling)
        person = services.phones.parse(spelling).fingerprint
        services.accesses.note_dossier(DOOR, operator(), person)
        spoken = language or gateway.settings.default_language
    content = json.dumps(dossier, ensure_ascii=False, indent=2) + "\n"
    if json_file or not (html_file or csv_file):
        with written_whole(json_file or "-") as out:
            out.write(content)
    if html_file:
        digest = hashlib.sha256(content.encode()).hexdigest() if json_file else None
        with written_whole(html_file) as out:
            out.write(render_dossier(dossier, spoken, digest))
    if csv_file:
        with written_whole(csv_file, encoding="utf-8-sig") as out:
            out.write(table_of(dossier))
    if not dossier["known"]:
        say("Nothing was ever held about this number.")


@click.group()
def dossier() -> None:
    """A dossier that was handed out: whether it still says what was written."""


@dossier.command()
@click.argument("file", default="-")
def script(file: str) -> None:
    """Write the program that verifies a dossier with nothing but Python to FILE."""
    with written_whole(file) as out:
        out.write(verifier())


@dossier.command()
@click.argument("file")
def verify(file: str) -> None:
    """Verify the dossier FILE (JSON; - is standard input), without settings or database.

    Every entry must lead to its seal and every seal to the next, and what the dossier tells of
    requests and consents must be what its entries say. Compare the printed head with one that was
    published or handed out earlier. Exit code 1: something does not fit.
    """
    with open_input(file) as stream:
        try:
            given = json.load(stream)
        except (ValueError, RecursionError) as error:
            raise click.ClickException("this is not a dossier: it is not JSON") from error
    found = check(given)
    click.echo(f"{found.proven} entries proven, {found.unsealed} younger than the last seal.")
    click.echo(f"head  {found.head or '-'}")
    for fault in found.faults:
        click.echo(f"FAULT: {fault}")
    leave(1 if found.faults else 0)
