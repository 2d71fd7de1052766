"""API keys: made once, recognised by their secret alone, revocable, their use shown."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from app.core.api_keys import ApiKeys
from app.core.database import Database
from app.core.errors import InvalidInputError, NotFoundError, StorageUnavailableError
from app.core.gate import Scope
from app.core.models import ApiKey, Purpose

MARKETING = Scope("default", Purpose.MARKETING)


class Clock:
    def __init__(self):
        self.now = datetime(2026, 5, 3, 12, tzinfo=UTC)

    def __call__(self):
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keys(database: Database, clock: Clock) -> ApiKeys:
    return ApiKeys(database, clock)


def make_read_only(database: Database) -> None:
    """From now on the database answers, and takes nothing."""

    def forbid(connection, _):
        is_sqlite = database.engine.dialect.name == "sqlite"
        forbidding = "PRAGMA query_only=ON" if is_sqlite else "SET default_transaction_read_only=on"
        connection.execute(forbidding)
        connection.commit()

    database.engine.dispose()
    sa.event.listen(database.engine, "connect", forbid)


def test_a_key_is_recognised_with_what_it_carries(keys: ApiKeys):
    """The secret alone, or with the key's id, tells who asks and for what."""
    key = keys.create("shop", Scope("default", Purpose.SERVICE))

    for caller in (keys.recognise(key.secret), keys.recognise(key.secret, key.id)):
        assert (caller.requester, caller.name) == (key.id, "shop")
        assert caller.scope == Scope("default", Purpose.SERVICE)


@pytest.mark.parametrize("key_id", ["", "SK", "SKé", "\ud800", "x" * 10_000])
def test_another_id_is_not_recognised(keys: ApiKeys, key_id: str):
    """A secret with an id that is not its own opens nothing."""
    key = keys.create("shop", MARKETING)

    assert keys.recognise(key.secret, key_id) is None


@pytest.mark.parametrize("secret", ["", "x", "é", "\ud800", "\0", "x" * 10_000])
def test_an_unknown_secret_is_not_recognised(keys: ApiKeys, secret: str):
    """Whatever is given, it is nobody, and no error."""
    keys.create("shop", MARKETING)

    assert keys.recognise(secret) is None


def test_the_secret_is_not_kept(keys: ApiKeys):
    """No column of the table holds the secret or a part of it."""
    key = keys.create("shop", MARKETING)

    assert key.secret not in str(keys.all())
    assert key.secret.encode() not in keys.all()[0].secret_hash


def test_a_revoked_key_is_nobody(keys: ApiKeys):
    """Revoked by name or id, once; the other keys stay in force."""
    shop, bank = keys.create("shop", MARKETING), keys.create("bank", MARKETING)
    keys.revoke("shop")

    assert keys.recognise(shop.secret) is None
    assert keys.recognise(bank.secret)
    for gone in ("shop", shop.id, "nobody", "", "\0", "\udcff", "x" * 1000):
        with pytest.raises(NotFoundError):
            keys.revoke(gone)
    keys.revoke(bank.id)
    assert keys.recognise(bank.secret) is None


@pytest.mark.parametrize("name", ["", "x" * 41, "a\0b", "two\nlines", "\udcff", "shop"])
def test_a_name_that_cannot_be_is_refused(keys: ApiKeys, name: str):
    """Empty, too long, unprintable or taken: an error that says so, and no key."""
    keys.create("shop", MARKETING)

    with pytest.raises(InvalidInputError):
        keys.create(name, MARKETING)
    assert [key.name for key in keys.all()] == ["shop"]


def test_a_key_needs_a_program_that_exists(keys: ApiKeys):
    """A key for a program that is not there would send nothing: it is refused at once."""
    with pytest.raises(InvalidInputError, match="no such program"):
        keys.create("shop", Scope("nonesuch", Purpose.MARKETING))


def test_keys_are_listed_newest_first(keys: ApiKeys, clock: Clock):
    """The list shows what was made last on top."""
    for name in ("old", "new"):
        keys.create(name, MARKETING)
        clock.now += timedelta(seconds=1)

    assert [key.name for key in keys.all()] == ["new", "old"]


def test_the_last_use_is_shown_to_the_minute(keys: ApiKeys, clock: Clock):
    """The first use is noted, then one a minute at most: a request must not cost a write."""
    key = keys.create("shop", MARKETING)
    started = clock.now

    seen = []
    for seconds in (0, 59, 60, 61):
        clock.now = started + timedelta(seconds=seconds)
        keys.recognise(key.secret)
        seen.append((keys.all()[0].last_used_at - started).total_seconds())

    assert seen == [0, 0, 60, 60]


def test_who_is_refused_leaves_no_trace_of_use(keys: ApiKeys):
    """A wrong id or a revoked key is not a use."""
    key = keys.create("shop", MARKETING)
    keys.recognise(key.secret, "other")
    keys.revoke("shop")
    keys.recognise(key.secret)

    assert keys.all()[0].last_used_at is None


def test_a_database_that_can_only_be_read_still_knows_its_keys(keys: ApiKeys, database: Database):
    """That the last use can't be noted keeps nobody out; a real change is still refused."""
    key = keys.create("shop", MARKETING)
    make_read_only(database)

    assert keys.recognise(key.secret).name == "shop"
    with pytest.raises(StorageUnavailableError):
        keys.revoke("shop")


def test_when_the_keys_cannot_be_read_nobody_is_recognised(keys: ApiKeys, database: Database):
    """Without its table there is an error, never a caller."""
    key = keys.create("shop", MARKETING)
    with database.write() as connection:
        connection.execute(sa.text(f"ALTER TABLE {ApiKey.__tablename__} RENAME TO hidden"))
    try:
        with pytest.raises((StorageUnavailableError, sa.exc.DBAPIError)):
            keys.recognise(key.secret)
    finally:
        with database.write() as connection:
            connection.execute(sa.text(f"ALTER TABLE hidden RENAME TO {ApiKey.__tablename__}"))
