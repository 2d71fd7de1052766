from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from app.core.database import Database
from app.core.errors import StorageUnavailableError
from app.core.models import Base, ConsentText, Installation, Program
from app.core.schema import is_current, migrate
from tests.databases import BRAND, FINGERPRINT_KEY


def test_an_empty_database_becomes_usable(databases):
    """After `migrate`, an empty database has the schema of today and a first program."""
    url = databases.empty()
    migrate(url, FINGERPRINT_KEY, "Caffè")
    database = Database(url, FINGERPRINT_KEY)
    assert is_current(database)
    with database.read() as connection:
        texts = connection.execute(sa.select(ConsentText.program, ConsentText.text)).all()
    assert [text.program for text in texts] == ["default"]
    assert "Caffè" in texts[0].text
    database.close()


def test_migrating_again_changes_nothing(settings, database):
    """A release may run `migrate` every time: what is there stays."""
    with database.write() as connection:
        connection.execute(sa.update(Program).values(brand="renamed by the operator"))
    migrate(settings.database_url, FINGERPRINT_KEY, BRAND)
    with database.read() as connection:
        assert connection.execute(sa.select(Program.brand)).scalars().all() == [
            "renamed by the operator"
        ]
        assert len(connection.execute(sa.select(Installation.id)).all()) == 1


def test_two_hosts_may_migrate_at_once(databases):
    """When several hosts release together, each ends with the same usable database."""
    url = databases.empty()
    with ThreadPoolExecutor() as pool:
        releases = [pool.submit(migrate, url, FINGERPRINT_KEY, BRAND) for _ in range(3)]
    assert [release.exception() for release in releases] == [None, None, None]
    database = Database(url, FINGERPRINT_KEY)
    assert is_current(database)
    with database.read() as connection:
        assert len(connection.execute(sa.select(Installation.id)).all()) == 1
    database.close()


def test_another_schema_is_not_current(database):
    """Code that meets an older or newer schema can tell."""
    with database.write() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = 'another'"))
    assert not is_current(database)


def test_models_and_migrations_agree(database):
    """What the migrations make is what the models say, on both databases."""
    with database.read() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), Base.metadata)
    assert differences == []


@pytest.mark.parametrize(
    "url", ["postgresql+psycopg://me:private@127.0.0.1:1/name", "sqlite:////dev/null/no/file.db"]
)
def test_a_database_out_of_reach_is_an_error_of_ours(url):
    """`migrate` says that the database can't be reached, and doesn't show the password."""
    with pytest.raises(StorageUnavailableError, match="reached") as raised:
        migrate(url, FINGERPRINT_KEY, BRAND)
    assert "private" not in str(raised.value)
