"""What the commands share: settings, errors in plain words, files, progress."""

import errno
import getpass
import os
import secrets
import sys
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, Any, TypeVar

import click
from sqlalchemy.exc import OperationalError
from tqdm import tqdm

from app.config import Settings, SettingsError
from app.core.errors import GatewayError
from app.core.phone import mask_numbers
from app.gateway import Gateway

DOOR = "command line"  # by which the commands' acts come in, in the ledger
STOPPED = 130  # the exit code of what Ctrl-C ended, as shells have it
_PIECE = 1_048_576  # bytes

T = TypeVar("T")


class WrongSettings(click.ClickException):
    exit_code = 2


class Commands(click.Group):
    """Commands whose errors say what was wrong and what to do, and never show a number."""

    def invoke(self, context: click.Context) -> Any:
        """Run the command that was asked for."""
        try:
            return super().invoke(context)
        except SettingsError as error:
            raise WrongSettings(str(error)) from error
        except GatewayError as error:
            raise click.ClickException(mask_numbers(str(error))) from error
        except OperationalError as error:
            raise click.ClickException("the database can't be reached: see DATABASE_URL") from error
        except OSError as error:
            if error.errno == errno.EPIPE:  # whoever read what we print has enough
                raise
            raise click.ClickException(f"{_name(error)}{error.strerror}") from error
        except KeyboardInterrupt:
            sys.exit(STOPPED)


def _name(error: OSError) -> str:
    return f"{mask_numbers(str(error.filename))}: " if error.filename else ""


@contextmanager
def open_gateway() -> Iterator[Gateway]:
    """The gateway that the environment describes, for as long as the command takes."""
    with Gateway(Settings.from_env()) as gateway:
        yield gateway


def operator() -> str:
    """Who runs the command, by the name of the account on this machine."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return f"user {os.getuid()}"


def printable(text: str) -> str:
    """Somebody's text as it can be shown: one line, no numbers, nothing the terminal obeys."""
    return "".join(c if c.isprintable() else " " for c in mask_numbers(text))


def moment(at: datetime) -> str:
    """A time to the minute."""
    return f"{at:%Y-%m-%d %H:%M} UTC"


def progress(things: Iterable[T], unit: str, total: int | None = None) -> Iterable[T]:
    """Show how far it is, how fast and how long still; only on a terminal."""
    return tqdm(things, total=total, unit=f" {unit}", unit_scale=True, disable=None)


def beside(path: str, kind: str) -> str:
    """Where what belongs to a file goes: `spring.csv` → `spring.report.csv`."""
    name = "standard-input" if path == "-" else path
    return str(Path(name).with_suffix(f".{kind}.csv"))


def count_lines(path: str) -> int | None:
    """How many lines a file has; None where only reading it through would tell."""
    if not Path(path).is_file():
        return None
    with Path(path).open("rb") as file:
        return sum(piece.count(b"\n") for piece in iter(lambda: file.read(_PIECE), b""))


def open_input(path: str) -> AbstractContextManager[IO[bytes]]:
    """A file to read; `-` is standard input."""
    return click.open_file(path, "rb")


@contextmanager
def written_whole(path: str, encoding: str = "utf-8", errors: str = "strict") -> Iterator[IO[str]]:
    """A file to write, for its owner's eyes; `-` is standard output.

    It appears under its name when it is complete: what was stopped half-way can't be taken for it.
    """
    if path == "-":
        with click.open_file("-", "w", encoding=encoding, errors=errors) as out:
            yield out
            out.flush()
        return
    if Path(path).exists() and not Path(path).is_file():  # a device or a pipe
        with Path(path).open("w", encoding=encoding, errors=errors, newline="") as out:
            yield out
        return
    draft = Path(f"{path}.{secrets.token_hex(4)}.part")
    draft.touch(mode=0o600)
    try:
        with draft.open("w", encoding=encoding, errors=errors, newline="") as file:
            yield file
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def say(text: str) -> None:
    """A remark to whoever runs the command, beside its result."""
    click.echo(text, err=True)


def leave(code: int) -> None:
    """End with an exit code; 0 is to go on."""
    if code:
        sys.exit(code)
