"""`optout renewals …`: consents near their end, and asking for them again."""

import click

from app.cli.common import leave, moment, open_gateway
from app.core.phone import mask
from app.core.schema import DEFAULT_PROGRAM

_program = click.option("--program", default=DEFAULT_PROGRAM, show_default=True)


@click.group()
def renewals() -> None:
    """Consents near their end."""


@renewals.command("list")
@_program
def list_ending(program: str) -> None:
    """Show the consents that may be asked for again now, the soonest end first."""
    count = 0
    with open_gateway() as gateway:
        for each in gateway.services.renewals.ending(program):
            given, ends = moment(each.given_at), moment(each.expires_at)
            click.echo(f"{mask(each.number)}  given {given}  ends {ends}")
            count += 1
    if not count:
        click.echo("No consent is near its end, or all were asked for already.")


@renewals.command("ask")
@_program
def ask(program: str) -> None:
    """Text each of them once: their answer begins a new period.

    Only consents in force are asked for, by SMS only who chose SMS. Who does not answer gets
    nothing more once the consent ends. Exit code 1: the provider did not take some messages.
    """
    with open_gateway() as gateway:
        asked = gateway.services.renewals.ask_all(program)
    click.echo(f"Asked {asked.sent}; no more allowed to be asked: {asked.refused}.")
    if asked.failed:
        click.echo(f"Not taken by the provider: {asked.failed}.")
    leave(1 if asked.failed else 0)
