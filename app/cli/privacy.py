"""`optout subscriber …`, `optout privacy …`: what the law asks for, on demand."""

import json
from datetime import UTC, datetime

import click

from app.cli.common import DOOR, leave, moment, open_gateway, open_input, operator, written_whole
from app.cli.dossiers import subscriber
from app.core import notice
from app.core.models import RequestKind


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
    click.echo(notice.as_markdown(), nl=False)


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
        searches = gateway.services.copy_searches.waiting(id)
    click.echo(f"The provider has deleted {progress.done}, and not yet {progress.waiting}.")
    if searches:
        click.echo(f"Spans of its log that are still to be searched for more: {searches}.")


@privacy.command("deletions")
def run_deletions() -> None:
    """Ask the provider for the deletions that are due; exit code 1 while some are waiting."""
    with open_gateway() as gateway:
        gateway.services.copy_searches.run()
        progress = gateway.services.deletions.run()
        searches = gateway.services.copy_searches.waiting()
        gateway.services.database.scrub()
    click.echo(f"Deleted at the provider: {progress.done}; waiting: {progress.waiting}.")
    if searches:
        click.echo(f"Spans of its log still to be searched for copies: {searches}.")
    if progress.last_error:
        click.echo(f"The provider said: {progress.last_error}")
    leave(1 if progress.waiting or searches else 0)


@privacy.group()
def requests() -> None:
    """What people have asked for and not got yet: their data, or to be erased."""


@requests.command("list")
def list_requests() -> None:
    """Show the open ones, the oldest first. An export or an erasure closes them."""
    with open_gateway() as gateway:
        waiting = gateway.services.person_requests.waiting()
    for each in waiting:
        click.echo(f"{each.id:>6}  {each.kind:<8}  {moment(each.asked_at)}  by {each.door}")
    if not waiting:
        click.echo("Nobody is waiting.")


@requests.command("add")
@click.argument("number")
@click.option("--kind", type=click.Choice([str(kind) for kind in RequestKind]), required=True)
@click.option("--asked", type=click.DateTime(), help="UTC, as 2026-11-24; now if left out.")
def add_request(number: str, kind: str, asked: datetime | None) -> None:
    """Note that the person of NUMBER has asked, by letter say: the month is counted from then."""
    at = None if asked is None else asked.replace(tzinfo=UTC)
    with open_gateway() as gateway:
        gateway.services.person_requests.add(number, RequestKind(kind), DOOR, at)
    click.echo("Noted.")


@requests.command("close")
@click.argument("id", type=int)
def close_request(id: int) -> None:  # noqa: A002 - the argument's name
    """Close the request ID: it was answered elsewhere, or the person did not make it."""
    with open_gateway() as gateway:
        gateway.services.person_requests.close(id, operator())
    click.echo("Closed.")


@privacy.group()
def erasures() -> None:
    """Who was erased, as fingerprints, for a backup that is restored."""


@erasures.command("export")
@click.argument("file")
def export_erasures(file: str) -> None:
    """Write the list to FILE (- is standard output); keep it elsewhere than the backups.

    It holds no numbers. Write it after each erasure, or daily.
    """
    with open_gateway() as gateway, written_whole(file) as out:
        out.writelines(f"{line}\n" for line in gateway.services.erasure_list.lines())


@privacy.command("reapply-erasures")
@click.argument("file")
def reapply_erasures(file: str) -> None:
    """Erase again, after a restored backup, whoever the list FILE names."""
    with open_gateway() as gateway, open_input(file) as given:
        lines = (line.decode("ascii", "replace") for line in given)
        done = gateway.services.erasure_list.reapply(lines, DOOR)
    click.echo(
        f"Erased again: {done.erased}; were erased: {done.already}; "
        f"have texted since and stay: {done.returned}."
    )


@privacy.command("exposure")
@click.option("--since", type=click.DateTime(), required=True, help="UTC, as 2026-11-24.")
@click.option("--until", type=click.DateTime(), help="Now if left out.")
def show_exposure(since: datetime, until: datetime | None) -> None:
    """List whose data were looked at or taken away in that time, by whom, by which door."""
    end = None if until is None else until.replace(tzinfo=UTC)
    count = 0
    with open_gateway() as gateway:
        for each in gateway.services.accesses.exposure(since.replace(tzinfo=UTC), end):
            whose = each.number or f"{each.people} people"
            click.echo(f"{moment(each.at)}  {each.what}  {whose}  by {each.who} ({each.door})")
            count += 1
    if not count:
        click.echo("Nothing was looked at in that time.")


@privacy.command("due")
def show_due() -> None:
    """Show what the law puts a date on; exit code 1 where something is late or nearly so."""
    with open_gateway() as gateway:
        now = gateway.services.clock()
        duties = gateway.services.duties.all()
    for duty in duties:
        when = "" if duty.by is None else f"  first by {moment(duty.by)}"
        mark = "  LATE" if duty.is_late(now) else "  SOON" if duty.is_near(now) else ""
        click.echo(f"{duty.count:>8}  {duty.name}{when}{mark}")
    leave(1 if any(duty.is_near(now) for duty in duties) else 0)


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
