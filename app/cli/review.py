"""`optout review …`: possible opt-outs that wait for a person."""

import click

from app.cli.common import DOOR, moment, open_gateway, operator, printable
from app.core.review import Verdict


@click.group()
def review() -> None:
    """Possible opt-outs: read them, decide them.

    Marketing to these numbers is held back until somebody has decided. What nobody decides in
    REVIEW_HOURS counts as an opt-out.
    """


@review.command("list")
@click.option("--limit", default=100, show_default=True, help="At most so many.")
def list_waiting(limit: int) -> None:
    """Show the texts that wait, newest first."""
    with open_gateway() as gateway:
        waiting = gateway.services.reviews.waiting(limit)
        gateway.services.accesses.note(DOOR, operator(), "reviews", people=len(waiting))
    for each in waiting:
        click.echo(f"{each.id}  {each.number}  {moment(each.received_at)}  rule {each.rule}")
        click.echo(f"    {printable(each.text)}")
        click.echo(f"    an opt-out, unless decided before {moment(each.due_at)}")
    if not waiting:
        click.echo("Nothing waits.")


@review.command()
@click.argument("id", type=int)
@click.argument("verdict", type=click.Choice([each.value for each in Verdict]))
@click.option("--by", help="Who decides; else the account on this machine.")
def decide(id: int, verdict: str, by: str | None) -> None:  # noqa: A002 - the argument's name
    """Settle the text ID: opt_out suppresses the number, dismiss lets messages go on.

    The decision and who took it go to the ledger.
    """
    with open_gateway() as gateway:
        gateway.services.reviews.decide(id, Verdict(verdict), by or operator(), DOOR)
    click.echo("Suppressed." if verdict == Verdict.OPT_OUT else "Dismissed: messages may go on.")


@review.command()
def settle() -> None:
    """Turn the texts that nobody decided in time into opt-outs."""
    with open_gateway() as gateway:
        settled = gateway.services.reviews.settle_overdue()
    click.echo(f"{settled} overdue, now opt-outs.")
