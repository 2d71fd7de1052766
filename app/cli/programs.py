"""`optout program …`: what people consent to."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from app.cli.common import open_gateway
from app.core.language import LANGUAGES
from app.core.notices import Notice, given_notice
from app.core.programs import Terms

_OPTIONS = (
    click.option("--brand", help="Who writes, as people know it."),
    click.option("--purpose", help="What the messages are about, as in “SMS about …”."),
    click.option("--language", type=click.Choice(LANGUAGES), help="Of its texts."),
    click.option("--sender", help="A number, a messaging service (MG…) or a name."),
    click.option("--notice-url", metavar="URL", help="Where the privacy notice is."),
    click.option(
        "--notice-file",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="Its text (UTF-8): kept with a version, shown on the form, and never changed.",
    ),
    click.option(
        "--notice-sha256",
        metavar="HEX",
        help="In place of its text: the SHA-256 of the file that you keep yourself.",
    ),
    click.option("--controller-name", help="Who answers for the data: the legal name."),
    click.option("--controller-address", help="Its postal address."),
    click.option("--privacy-contact", help="Where to write about privacy, such as an e-mail."),
    click.option(
        "--retention-days", type=click.IntRange(1), help="How long a consent lasts, as notified."
    ),
    click.option(
        "--renewal-days",
        type=click.IntRange(1),
        help="So long before its end people are asked to renew a consent.",
    ),
    click.option(
        "--double-opt-in/--no-double-opt-in",
        default=None,
        help="Whether a consent counts only after its code came back.",
    ),
    click.option(
        "--yes-confirms/--no-yes-confirms",
        default=None,
        help="Whether YES from the handset does what the code does.",
    ),
    click.option("--join-word", "join_words", multiple=True, help="A text that asks to join."),
    click.option(
        "--stop-word", "stop_words", multiple=True, help="A name for it after STOP: STOP MENU."
    ),
    click.option(
        "--quiet", metavar="20:00-09:00", help="No marketing then, on the recipient's own clock."
    ),
    click.option(
        "--cap", metavar="4/7", help="At most so many messages to a number in so many days."
    ),
    click.option("--text", help="The consent text; a new one follows the old, which is kept."),
    click.option(
        "--text-file",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="The same from a file (UTF-8).",
    ),
)


def _choices_options(command: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@click.group()
def program() -> None:
    """What people consent to: programs, their texts, their ways in and out.

    What a program has not chosen is as the settings have it.
    """


@program.command()
@click.argument("slug")
@_choices_options
def add(slug: str, text: str | None, text_file: Path | None, **choices: Any) -> None:
    """Make the program SLUG."""
    with open_gateway() as gateway:
        said, notice = _text(text, text_file), _notice(choices)
        click.echo(_shown(gateway.services.programs.add(slug, _given(choices), said, notice)))


@program.command()
@click.argument("slug")
@_choices_options
@click.option(
    "--unset",
    multiple=True,
    metavar="CHOICE",
    help="Return a choice, such as brand or join-words, to the installation's; repeatable.",
)
def edit(
    slug: str, text: str | None, text_file: Path | None, unset: tuple[str, ...], **choices: Any
) -> None:
    """Change what is given of the program SLUG.

    Words replace all earlier words of their kind. Consents given so far keep the text and the end
    that they were given with.
    """
    emptied = dict.fromkeys(name.replace("-", "_") for name in unset)
    with open_gateway() as gateway:
        said, notice = _text(text, text_file), _notice(choices)
        changes = emptied | _given(choices)
        click.echo(_shown(gateway.services.programs.edit(slug, changes, said, notice)))


@program.command()
@click.argument("slug")
def show(slug: str) -> None:
    """Show the program SLUG and the text that people agree to."""
    with open_gateway() as gateway:
        click.echo(_shown(gateway.services.programs.show(slug)))


@program.command("list")
def list_programs() -> None:
    """Show the programs, the oldest first."""
    with open_gateway() as gateway:
        for terms in gateway.services.programs.all():
            words = ", ".join(terms.join_words) or "no join word"
            click.echo(f"{terms.slug}  {terms.brand}  {terms.purpose}  {words}")


def _given(choices: dict[str, Any]) -> dict[str, Any]:
    """Only what the command line names: an option left out changes nothing."""
    return {name: value for name, value in choices.items() if value not in {None, ()}}


def _text(text: str | None, file: Path | None) -> str | None:
    if text is not None and file is not None:
        raise click.UsageError("give --text or --text-file, not both")
    return _read(file, "--text-file").strip() if file else text


def _notice(choices: dict[str, Any]) -> Notice | None:
    """The notice that the command line gives, taken out of the choices."""
    file, sha256 = choices.pop("notice_file"), choices.pop("notice_sha256")
    return given_notice(_read(file, "--notice-file") if file else None, sha256)


def _read(file: Path, option: str) -> str:
    try:
        return file.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise click.UsageError(f"{option} must be a text in UTF-8") from error


def _shown(terms: Terms) -> str:
    facts = {
        "program": terms.slug,
        "brand": terms.brand,
        "purpose": terms.purpose,
        "language": terms.language,
        "sender": terms.sender or "-",
        "notice": terms.notice_url or "-",
        "notice's words": f"version {terms.notice_version}, SHA-256 {terms.notice_sha256}"
        if terms.notice_version
        else "-",
        "controller": terms.controller.name or "-",
        "its address": terms.controller.address or "-",
        "its contact": terms.controller.contact or "-",
        "retention": f"{terms.retention.days} days",
        "renewal": f"{terms.renewal.days} days before",
        "double opt-in": "yes" if terms.double_opt_in else "no",
        "YES confirms": "yes" if terms.yes_confirms else "no",
        "join words": ", ".join(terms.join_words) or "-",
        "stop words": ", ".join(terms.stop_words) or "-",
        "quiet hours": "-".join(f"{each:%H:%M}" for each in terms.quiet or ()) or "-",
        "cap": "{} messages in {} days".format(*terms.cap) if terms.cap else "-",
        f"text, no. {terms.text_version}": terms.text,
    }
    return "\n".join(f"{name:<14}  {value}" for name, value in facts.items())
