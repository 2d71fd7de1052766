"""`optout messages …`, `optout reconcile`, `optout chores`: nothing sent or received is lost."""

import os
import re
import time
from datetime import timedelta

import click

from app.cli.common import leave, moment, open_gateway, say
from app.core.chores import Done, do_all
from app.core.phone import mask_numbers
from app.core.policy import utc_now
from app.gateway import Gateway
from app.providers import simulator

_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
_LOOK = 1.0  # seconds between two looks at whether there still is somebody to work for


class Span(click.ParamType[timedelta]):
    """How long ago: 90m, 24h, 7d."""

    name = "span"

    def convert(
        self, value: str, param: click.Parameter | None, context: click.Context | None
    ) -> timedelta:
        """Read it."""
        found = re.fullmatch(r"(\d{1,4})([mhd])", value)
        if found is None:
            self.fail("must be a number and m, h or d: 90m, 24h, 7d", param, context)
        return timedelta(**{_UNITS[found[2]]: int(found[1])})


@click.group()
def messages() -> None:
    """Messages of which nobody knows whether the provider took them."""


@messages.command()
@click.option("--limit", default=100, show_default=True, help="At most so many.")
def unknown(limit: int) -> None:
    """List them, the oldest first. None of them is ever sent again by itself."""
    with open_gateway() as gateway:
        waiting = gateway.services.unknowns.waiting(limit)
    for each in waiting:
        since = moment(each.claimed_at)
        click.echo(f"{each.id}  {each.number}  {since}  {each.program}  by {each.requester}")
    if not waiting:
        click.echo("There are none.")


@messages.command()
def settle() -> None:
    """Look them up at the provider, by number, sender, text and time, and settle them."""
    with open_gateway() as gateway:
        settled = gateway.services.unknowns.settle()
    click.echo(f"{settled.found} found at the provider.")
    click.echo(f"{settled.never_arrived} never arrived there: they may be sent again.")
    click.echo(f"{settled.open} too young to tell: try again in some minutes.")
    click.echo(f"{settled.ambiguous} can't be told apart: see `optout messages unknown`.")


@click.command()
@click.option("--since", type=Span(), default="24h", show_default=True, help="As 90m, 24h, 7d.")
def reconcile(since: timedelta) -> None:
    """Act on the texts whose webhook never came.

    They are read from the provider's log and go the way of all texts, in the order in which they
    were sent. Only what is younger than 5 minutes is answered. Safe to run twice, and at any time.
    """
    with open_gateway() as gateway:
        done = gateway.services.reconciler.run(utc_now() - since)
    click.echo(f"{done.texts} texts in the provider's log, {done.missed} had not reached us.")
    click.echo(f"{done.answered} of them were answered.")
    click.echo(f"All texts are known from {moment(done.since)} until {moment(done.until)}.")
    if done.gap_since:
        say(f"Not compared: {moment(done.gap_since)} to {moment(done.since)}. Go further back.")


@click.command()
@click.option("--every", type=click.IntRange(min=1), metavar="SECONDS", help="Again and again.")
@click.option("--parent", type=int, hidden=True, help="End when this parent process has ended.")
def chores(every: int | None, parent: int | None) -> None:
    """Do what has to be done again and again.

    Overdue reviews, scheduled messages of people who opted out, unknown outcomes, old idempotency
    keys, the ledger's seals, and (not with the simulator) the comparison with the provider's log.
    `optout serve` does it once a minute already. Any number may run at once, on any hosts.
    """
    with open_gateway() as gateway:
        faults = _do_once(gateway)
        while every and _waited(every, parent):
            _do_once(gateway)
    if not every:
        leave(1 if faults else 0)


def _do_once(gateway: Gateway) -> int:
    """How many chores failed; says what was done."""
    is_real = gateway.settings.sms_provider != simulator.NAME
    done = list(do_all(gateway.services, with_reconcile=is_real))
    for each in done:
        _tell(each)
    return sum(each.fault is not None for each in done)


def _tell(done: Done) -> None:
    if done.fault is not None:
        say(f"{done.name}: not done: {mask_numbers(done.fault)}")
    elif done.count:
        click.echo(f"{done.name}: {done.count}")


def _waited(seconds: float, parent: int | None) -> bool:
    """False where there is nobody any more for whom to go on."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if parent is not None and os.getppid() != parent:
            return False
        time.sleep(min(_LOOK, seconds))
    return True
