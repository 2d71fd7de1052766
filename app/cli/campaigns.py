"""`optout campaign …`: one text to many."""

import csv
import json
from dataclasses import asdict, fields
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from app.cli.campaign_runs import send, tell, tell_plan
from app.cli.common import (
    beside,
    count_lines,
    open_gateway,
    open_input,
    progress,
    say,
    written_whole,
)
from app.cli.suppressions import reported
from app.core.campaigns import NewCampaign
from app.core.campaigns.page import page
from app.core.campaigns.plan import listed_from
from app.core.campaigns.report import Outcome
from app.core.errors import InvalidInputError
from app.core.models import Purpose
from app.core.number_tables import NumberTable
from app.core.schema import DEFAULT_PROGRAM
from app.gateway import scope

_id = click.argument("campaign_id", metavar="ID", type=int)


@click.group()
def campaign() -> None:
    """One text to many: planned, sent, stopped, resumed."""


@campaign.command()
@click.option("--to", "source", required=True, help="The list: a CSV file; - is standard input.")
@click.option("--body-file", required=True, help="The text; {column} stands for a column's value.")
@click.option("--program", default=DEFAULT_PROGRAM, show_default=True, help="What it belongs to.")
@click.option(
    "--purpose",
    type=click.Choice([each.value for each in Purpose]),
    default=Purpose.MARKETING.value,
    show_default=True,
    help="What it is for.",
)
@click.option("--name", help="What to call it; else the list's file name.")
@click.option("--sender", help="Who it is from; else the program's sender.")
@click.option("--column", help="The column of numbers: its name, or its place from 1.")
@click.option(
    "--rate", type=float, default=10.0, show_default=True, help="Messages a second; 0: no limit."
)
@click.option("--cost-per-segment", type=float, help="To estimate what it costs.")
@click.option(
    "--max-opt-out-share",
    type=float,
    default=0.05,
    show_default=True,
    help="The share of opt-outs above which it stops itself.",
)
@click.option(
    "--max-failure-share",
    type=float,
    default=0.2,
    show_default=True,
    help="The share of failures above which it stops itself.",
)
@click.option("--report", help="Where unreadable lines are listed; else beside the list.")
def create(
    source: str, body_file: str, column: str | None, report: str | None, **choices: Any
) -> None:
    """Read a list and plan; nothing is sent yet.

    In the text, {nome} stands for the column nome, {nome|cliente} for the same with a default
    where a cell is empty, and {{ and }} for braces. What is planned can change: whether somebody
    may get the message is decided when it is sent.
    """
    choices["name"] = choices["name"] or Path(source).name
    asked = scope(choices.pop("program"), choices.pop("purpose"))
    new = NewCampaign(body=_text_of(body_file), scope=asked, **choices)
    report = report or beside(source, "report")
    with open_gateway() as gateway, open_input(source) as stream:
        table = NumberTable(stream, gateway.services.phones, column)
        say(f"The numbers are taken from: {table.title}")
        rows = listed_from(table, progress(table, "lines", count_lines(source)))
        columns = table.header.cells if table.header else ()
        with reported(report) as write:
            campaign_id = gateway.services.campaigns.create(new, columns, rows, write)
        planned = gateway.services.campaigns.show(campaign_id)
    tell_plan(planned)
    if planned.plan["unreadable"]:
        say(f"The unreadable lines are listed in {report}")


def _text_of(path: str) -> str:
    with open_input(path) as file:
        content = file.read()
    try:
        return content.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise InvalidInputError(f"{path} is not UTF-8 text: save it as UTF-8") from error


@campaign.command()
@_id
@click.option("--here", is_flag=True, help="In this process, even where there are workers.")
def run(campaign_id: int, *, here: bool) -> None:
    """Send a planned campaign; or go on with one whose process died.

    Ctrl-C stops it cleanly. However it ends, run or resume goes on where it was: nobody gets the
    message twice, nobody is forgotten. With BROKER_URL the workers send, and this only watches.
    """
    with open_gateway() as gateway:
        gateway.services.campaigns.start(campaign_id)
        send(gateway, campaign_id, here=here)


@campaign.command()
@_id
@click.option("--here", is_flag=True, help="In this process, even where there are workers.")
def resume(campaign_id: int, *, here: bool) -> None:
    """Go on with a paused campaign. Where it had stopped itself, it counts anew from here."""
    with open_gateway() as gateway:
        gateway.services.campaigns.resume(campaign_id)
        send(gateway, campaign_id, here=here)


@campaign.command()
@_id
@click.option("--reason", default="by the operator", show_default=True, help="Why, in a few words.")
def pause(campaign_id: int, reason: str) -> None:
    """Stop a campaign, wherever it is being sent."""
    with open_gateway() as gateway:
        gateway.services.campaigns.pause(campaign_id, reason)
    click.echo(f"Paused. To go on: optout campaign resume {campaign_id}")


@campaign.command()
@_id
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def status(campaign_id: int, *, as_json: bool) -> None:
    """How a campaign stands."""
    with open_gateway() as gateway:
        shown = gateway.services.campaigns.show(campaign_id)
    if as_json:
        click.echo(_json(asdict(shown)))
    else:
        tell(shown)


@campaign.command("list")
def list_campaigns() -> None:
    """All campaigns, the newest first."""
    with open_gateway() as gateway:
        for each in gateway.services.campaigns.all():
            count = sum(each.counts.values())
            click.echo(f"{each.id}  {each.status:8}  {each.settled}/{count}  {each.name}")


@campaign.command()
@_id
@click.option(
    "--format",
    "form",
    type=click.Choice(["json", "csv", "html"]),
    default="json",
    show_default=True,
    help="csv has a line for each recipient, html is a page that stands by itself.",
)
@click.option("--out", default="-", show_default=True, help="Where to; - is standard output.")
def report(campaign_id: int, form: str, out: str) -> None:
    """Tell what came of a campaign: counts, reasons, opt-outs it caused, over time."""
    with open_gateway() as gateway, written_whole(out) as file:
        campaigns = gateway.services.campaigns
        if form == "csv":
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow([field.name for field in fields(Outcome)])
            for each in campaigns.outcomes(campaign_id):
                writer.writerow(asdict(each).values())
        else:
            found = campaigns.report(campaign_id)
            file.write(page(found) if form == "html" else _json(asdict(found)) + "\n")


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, default=datetime.isoformat)
