"""`optout ledger …`: the history that can be proven."""

import click

from app.cli.common import leave, open_gateway, progress


@click.group()
def ledger() -> None:
    """The consent ledger: seal what is new, verify all there is."""


@ledger.command()
def seal() -> None:
    """Seal the entries that are old enough, in batches, each chained to the one before.

    Safe at any time. Entries of the last minute wait for the next seal.
    """
    with open_gateway() as gateway:
        click.echo(f"{gateway.services.ledger.seal()} entries sealed.")


@ledger.command()
def head() -> None:
    """Print the newest seal in one line: when it was made, its number, its digest.

    For a place that whoever runs the database can't change: a mailbox elsewhere, a time stamp.
    """
    with open_gateway() as gateway:
        newest = gateway.services.ledger.head()
    if newest is None:
        raise click.ClickException("nothing is sealed yet: see `optout ledger seal`")
    click.echo(f"{newest.sealed_at.isoformat()}  seal {newest.number}  {newest.digest.hex()}")


@ledger.command()
@click.option("--head", metavar="HEX", help="A head that was written down earlier, elsewhere.")
def verify(head: str | None) -> None:
    """Read the whole ledger against its seals: any change, removal or insertion is found.

    Keep the head somewhere else (`optout ledger head`); with --head, a history that was cut off
    or made anew is found too. Exit code 1: something does not fit.
    """
    with open_gateway() as gateway:
        ours = gateway.services.ledger
        count = ours.count_seals()
        found = ours.verify(head, lambda seals: progress(seals, "seals", count))
    click.echo(f"{found.sealed} entries verified under {found.seals} seals.")
    click.echo(f"{found.unsealed} entries not sealed yet.")
    click.echo(f"head  {found.head or '-'}")
    for fault in found.faults:
        click.echo(f"FAULT: {fault}")
    leave(1 if found.faults else 0)
