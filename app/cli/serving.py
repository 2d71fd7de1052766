"""`optout migrate`, `optout serve`."""

import os
import sys
from pathlib import Path

import click

import app
from app.config import SIMULATOR_SECRETS, Settings
from app.core.schema import migrate as migrate_database

# Named by its place: it must be read before anything of ours is imported.
_GUNICORN_CONFIGURATION = Path(app.__file__).parent / "web" / "gunicorn_conf.py"


@click.command()
def migrate() -> None:
    """Bring the database to the current schema.

    An empty one is prepared. Safe at any time: nothing happens where there is nothing to do.
    """
    settings = Settings.from_env()
    migrate_database(
        settings.database_url,
        settings.fingerprint_key,
        settings.brand_name,
        former_keys=settings.former_keys(),
        cipher=settings.cipher(),
    )
    click.echo("The database has the current schema.")


@click.command()
def serve() -> None:
    """Start the gateway under gunicorn.

    It listens on PORT, by default 8000. GUNICORN_CMD_ARGS adds to gunicorn's options.
    """
    click.echo(_welcome(Settings.from_env()))
    sys.stdout.flush()
    command = [sys.executable, "-m", "gunicorn", "--config", str(_GUNICORN_CONFIGURATION)]
    os.execv(sys.executable, command)  # noqa: S606 - this process becomes the server


def _welcome(settings: Settings) -> str:
    """What one needs to begin with; gunicorn adds the simulated phone when it answers."""
    lines = [f"The API, described: http://127.0.0.1:{settings.port}/docs"]
    if settings.sms_provider == "simulator":
        lines.append("The simulator is on: nothing leaves this machine.")
        lines.append(f"Its made-up account's SID and token are in {SIMULATOR_SECRETS}")
    return "\n".join(lines)
