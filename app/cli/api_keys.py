"""`optout api-key …`: credentials of scripts."""

import click

from app.cli.common import moment, open_gateway
from app.core.models import Purpose
from app.core.schema import DEFAULT_PROGRAM
from app.gateway import scope

_HOW_TO_USE = """\
id      {id}
secret  {secret}

The secret is shown only now. With it a script sends {purpose} messages of the program {program}:
  {url}/api/v1
      Authorization: Bearer SECRET
  {url}/2010-04-01
      as Twilio's own API, with the id as user name and the secret as password
"""


@click.group("api-key")
def api_key() -> None:
    """Credentials of scripts that send and check."""


@api_key.command()
@click.argument("name")
@click.option("--program", default=DEFAULT_PROGRAM, show_default=True, help="What it sends for.")
@click.option(
    "--purpose",
    type=click.Choice([each.value for each in Purpose]),
    default=Purpose.MARKETING.value,
    show_default=True,
    help="Service messages need no consent to marketing.",
)
def create(name: str, program: str, purpose: str) -> None:
    """Make a key called NAME; its secret is printed once."""
    with open_gateway() as gateway:
        key = gateway.services.api_keys.create(name, scope(program, purpose))
        url = gateway.settings.public_url
    text = _HOW_TO_USE.format(
        id=key.id, secret=key.secret, program=program, purpose=purpose, url=url
    )
    click.echo(text, nl=False)


@api_key.command("list")
def list_keys() -> None:
    """Show the keys, the newest first, and when each was last used."""
    with open_gateway() as gateway:
        keys = gateway.services.api_keys.all()
    for key in keys:
        state = f"revoked {moment(key.revoked_at)}" if key.revoked_at else "in force"
        used = f"last used {moment(key.last_used_at)}" if key.last_used_at else "never used"
        click.echo(f"{key.id}  {key.name}  {key.program}  {key.purpose}  {state}  {used}")


@api_key.command()
@click.argument("name_or_id")
def revoke(name_or_id: str) -> None:
    """Make a key worthless, at once and for ever."""
    with open_gateway() as gateway:
        gateway.services.api_keys.revoke(name_or_id)
    click.echo("Revoked: it opens nothing any more.")
