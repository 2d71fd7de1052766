"""`optout key …`: the change of FINGERPRINT_KEY and of ENCRYPTION_KEY."""

import click
from tqdm import tqdm

from app.cli.common import open_gateway
from app.config import Settings
from app.core import reencrypting, rekeying
from app.core.encryption import Cipher
from app.core.keys import FingerprintKeys


@click.group()
def key() -> None:
    """The keys of the database: see docs/keys.md before any change."""


@key.command("rotate")
def rotate() -> None:
    """Bring all people under the new FINGERPRINT_KEY, erased ones as well.

    Set the new key in FINGERPRINT_KEY and the one before in FINGERPRINT_KEY_OLD, run this, and
    start the gateway anew as soon as the bar shows: it serves while this goes on. May be stopped at
    any moment and run again.
    """
    settings = Settings.from_env()
    keys = FingerprintKeys(settings.fingerprint_key, settings.former_keys())
    click.echo("Waiting until every process has noticed (10 seconds at most).")
    if not rekeying.begin(settings.database_url, keys):
        click.echo("All people are under this key already.")
        return
    click.echo("Start the gateway with the new settings now.")
    with open_gateway() as gateway:
        work = gateway.services.rekeying
        with tqdm(total=work.count(), unit=" people", unit_scale=True, disable=None) as bar:
            for count in work.run():
                bar.update(count)
    click.echo("All people are under the new key. Keep both keys.")


@key.command("encrypt")
def encrypt() -> None:
    """Encrypt the numbers and texts that are stored, with ENCRYPTION_KEY.

    Set the key, and one that it replaces in ENCRYPTION_KEY_OLD, run this, and start the gateway
    anew as soon as the bar shows. May be stopped at any moment and run again.
    """
    settings, cipher = _with_encryption()
    click.echo("Waiting until every process has noticed (10 seconds at most).")
    reencrypting.begin(settings.database_url, cipher)
    click.echo("Start the gateway with the new settings now.")
    with open_gateway() as gateway:
        work = reencrypting.Reencrypting(gateway.services.database, cipher)
        with tqdm(total=work.count(), unit=" rows", unit_scale=True, disable=None) as bar:
            for count in work.run():
                bar.update(count)
    click.echo("All is encrypted with this key. Take new backups: older ones are as they were.")


@key.command("lost")
@click.option("--yes", is_flag=True, help="Do it. Without this, only what would go is shown.")
def lost(*, yes: bool) -> None:
    """After the loss of an ENCRYPTION_KEY: empty what nobody can read any more, and go on.

    Set a new key, and in ENCRYPTION_KEY_OLD those that you still have. Who opted out, was erased or
    consented is known by the fingerprint, and stays. Keep a copy of the database first: what is
    emptied could have been read if the key were found.
    """
    settings, cipher = _with_encryption()
    rows = reencrypting.count_lost(settings.database_url, cipher)
    if not rows:
        raise click.ClickException("nothing is lost: the keys at hand read all that is encrypted")
    for table, count in rows.items():
        click.echo(f"{table}: {count}")
    if not yes:
        click.echo("Nothing was changed. With --yes what is encrypted in these rows is emptied.")
        return
    reencrypting.give_up(settings.database_url, cipher)
    with open_gateway() as gateway:
        gateway.services.database.scrub()
    click.echo("Emptied. Now run: optout key encrypt")


def _with_encryption() -> tuple[Settings, Cipher]:
    settings = Settings.from_env()
    cipher = settings.cipher()
    if cipher is None:
        raise click.UsageError("ENCRYPTION_KEY is missing: make one with: openssl rand -hex 32")
    return settings, cipher
