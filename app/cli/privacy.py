"""`optout subscriber …`, `optout privacy …`: what the law asks for, on demand."""

import json

import click

from app.cli.common import DOOR, leave, open_gateway, operator
from app.cli.dossiers import subscriber
from app.core import data_map, notice


@subscriber.command("erase")
@click.argument("number")
@click.option("--requested-by", required=True, help="Who asked, and how: no number in it.")
@click.option("--json", "as_json", is_flag=True, help="The certificate as JSON.")
def erase(number: str, requested_by: str, *, as_json: bool) -> None:
    """Erase NUMBER: all but what keeps it silent. Prints the certificate.

    The number is refused by every door from then on, until its handset texts START.
    """
    with open_gateway() as gateway:
        certificate = gateway.services.privacy.erase(number, requested_by, f"{DOOR} {operator()}")
    text = json.dumps(certificate.as_json(), indent=2) if as_json else certificate.as_text()
    click.echo(text)


@click.group()
def privacy() -> None:
    """The map of personal data, the notice, erasures and what is due."""


@privacy.command("map")
def show_map() -> None:
    """Print what is held of people: where, why, how long; as docs/personal-data.md has it."""
    click.echo(data_map.as_markdown(), nl=False)


@privacy.command("notice")
@click.option("--language", type=click.Choice(notice.LANGUAGES), default="it", show_default=True)
def show_notice(language: str) -> None:
    """Print the paragraphs on purposes and periods for the notice to the people."""
    with open_gateway() as gateway:
        click.echo(notice.paragraphs(language, gateway.services.policy))


@privacy.command("certificate")
@click.argument("id")
def certificate(id: str) -> None:  # noqa: A002 - the argument's name
    """Print the certificate ID of an erasure again."""
    with open_gateway() as gateway:
        click.echo(gateway.services.privacy.certificate(id).as_text())
        progress = gateway.services.deletions.progress(id)
    click.echo(f"The provider has deleted {progress.done}, and not yet {progress.waiting}.")


@privacy.command("deletions")
def run_deletions() -> None:
    """Ask the provider for the deletions that are due; exit code 1 while some are waiting."""
    with open_gateway() as gateway:
        progress = gateway.services.deletions.run()
        gateway.services.database.scrub()
    click.echo(f"Deleted at the provider: {progress.done}; waiting: {progress.waiting}.")
    if progress.last_error:
        click.echo(f"The provider said: {progress.last_error}")
    leave(1 if progress.waiting else 0)


@click.command()
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
def prune(*, dry_run: bool) -> None:
    """Delete what has passed its period, in small batches, while the gateway serves.

    Run it once a day. Stopped half-way it goes on the next time. What it did goes to the ledger.
    """
    with open_gateway() as gateway:
        retention = gateway.services.retention
        done = retention.due() if dry_run else retention.prune()
    for doing, count in done.items():
        click.echo(f"{count:>8}  {doing}")
    if not done:
        click.echo("Nothing has passed its period.")
    elif dry_run:
        click.echo("Nothing was changed: this was a dry run.")
