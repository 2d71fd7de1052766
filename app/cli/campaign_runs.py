"""Sending a campaign from the command line, and telling how it stands."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager

import click
from tqdm import tqdm

from app import tasks
from app.cli.common import STOPPED, leave, moment, say
from app.core.campaigns import Campaigns, CampaignStatus
from app.core.campaigns.report import Standing
from app.core.errors import EXPLANATIONS, GatewayError, Reason
from app.gateway import Gateway

_LOOK_EVERY = 1.0  # seconds


def send(gateway: Gateway, campaign_id: int, *, here: bool) -> None:
    """Send until it ends, in this process or by the workers; the exit code says whether it did."""
    campaigns, broker = gateway.services.campaigns, gateway.settings.broker_url
    if broker and not here:
        tasks.start_campaign(tasks.make_celery(broker), campaign_id)
        say("The workers send it; this only watches, and Ctrl-C ends no more than that.")
        with _shown(campaigns, campaign_id) as look:
            while look():
                time.sleep(_LOOK_EVERY)
    else:
        _send_here(campaigns, campaign_id)
    ended = campaigns.show(campaign_id)
    tell(ended)
    leave(0 if ended.status is CampaignStatus.FINISHED and not ended.counts["unknown"] else 1)


def _send_here(campaigns: Campaigns, campaign_id: int) -> None:
    """In other threads; this one watches, and hears Ctrl-C."""
    stop = threading.Event()
    with ThreadPoolExecutor(1) as pool, _shown(campaigns, campaign_id) as look:
        at_work = pool.submit(campaigns.work, campaign_id, stop.is_set)
        try:
            while not wait([at_work], _LOOK_EVERY).done:
                look()
        except KeyboardInterrupt:
            say("\nStopping: what is being handed over is finished. One moment.")
            stop.set()
            at_work.result()
            campaigns.pause(campaign_id, "stopped with Ctrl-C")
            say(f"Stopped. To go on: optout campaign resume {campaign_id}")
            leave(STOPPED)
        finally:
            stop.set()
        at_work.result()
        look()


@contextmanager
def _shown(campaigns: Campaigns, campaign_id: int) -> Iterator[Callable[[], bool]]:
    """A bar with rate and time left, only on a terminal; each look says whether it still runs."""
    first = campaigns.show(campaign_id)
    total = sum(first.counts.values())
    with tqdm(
        total=total, initial=first.settled, unit=" people", disable=None, unit_scale=True
    ) as bar:

        def look() -> bool:
            try:
                now = campaigns.show(campaign_id)
            except GatewayError:  # the database is away for the moment; the threads know better
                return True
            bar.set_postfix(
                {name: now.counts[name] for name in ("sent", "refused", "failed", "unknown")},
                refresh=False,
            )
            bar.update(now.settled - bar.n)
            return now.status is CampaignStatus.RUNNING

        yield look


def tell(shown: Standing) -> None:
    """How a campaign stands."""
    click.echo(f"Campaign {shown.id}, {shown.name}: {shown.status}.")
    if shown.status is CampaignStatus.PLANNING:
        click.echo("  Its list is being read. If that was cut off: create it again, this one goes.")
    if shown.pause_reason:
        click.echo(f"  Paused: {shown.pause_reason}")
    if shown.resumes_at:
        click.echo(f"  It can go on from {moment(shown.resumes_at)}.")
    for name, count in shown.counts.items():
        if count:
            click.echo(f"  {count} {name}")
    for reason, count in shown.refused.items():
        click.echo(f"    {count} {reason}: {EXPLANATIONS[Reason(reason)]}")
    for code, count in shown.failed.items():
        click.echo(f"    {count} failed with {f'error {code}' if code else 'no error given'}")
    if shown.counts["unknown"]:
        click.echo("  Of the unknown ones the provider may have the message: they are looked up.")
    if shown.cost is not None:
        click.echo(f"  {shown.segments} segments, {shown.cost:,.2f}")


def tell_plan(planned: Standing) -> None:
    """What a list comes to."""
    plan = planned.plan
    click.echo(f"Campaign {planned.id}: {plan['recipients']} recipients.")
    click.echo(f"  {plan['duplicates']} duplicates, {plan['unreadable']} unreadable lines.")
    for reason, count in plan["refused"].items():
        click.echo(f"  {count} would be refused now, {reason}: {EXPLANATIONS[Reason(reason)]}.")
    alphabets = ", ".join(f"{count} as {name}" for name, count in plan["encodings"].items())
    click.echo(f"  {plan['segments']} segments ({alphabets or 'none'}).")
    click.echo(
        f"  The longest text has {plan['longest_text']} characters: "
        f"{plan['longest_segments']} segments."
    )
    if planned.estimated_cost is not None:
        click.echo(f"  It would cost {planned.estimated_cost:,.2f}.")
    click.echo(f"To send it: optout campaign run {planned.id}")
