"""`optout …`: each command is short; the work is done in the core."""

import click

from app.config import Settings, SettingsError
from app.core.schema import migrate as migrate_database


@click.group()
def main() -> None:
    """The opt-out gateway."""


@main.command()
def migrate() -> None:
    """Bring the database to the current schema."""
    settings = _settings()
    migrate_database(settings.database_url, settings.fingerprint_key, settings.brand_name)


def _settings() -> Settings:
    try:
        return Settings.from_env()
    except SettingsError as error:
        raise click.ClickException(str(error)) from error


if __name__ == "__main__":
    main()
