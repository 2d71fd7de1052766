"""A script's credentials: named, revocable, stored as a hash. A key carries program and purpose."""

import hashlib
import secrets
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from app.core.database import Database, insert
from app.core.errors import (
    InvalidInputError,
    NotFoundError,
    StorageUnavailableError,
    UnknownProgramError,
)
from app.core.gate import Scope, program_exists
from app.core.models import ApiKey, Purpose
from app.core.policy import Clock

_NAME_LENGTH = 40  # the column's width

# A key's last use is shown to the minute: writing it at every request would cost more than it says.
_LAST_USE_PRECISION = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: `requester` names it in records, `scope` is what it may send."""

    requester: str
    name: str
    scope: Scope


@dataclass(frozen=True, slots=True)
class NewKey:
    """The only moment at which a secret is shown."""

    id: str
    secret: str


class ApiKeys:
    """Makes, lists, revokes and recognises keys."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def create(self, name: str, scope: Scope) -> NewKey:
        """Raises InvalidInputError where the name is taken or the program unknown."""
        if not _fits(name):
            raise InvalidInputError(f"a key's name has 1 to {_NAME_LENGTH} printable characters")
        key = NewKey("SK" + secrets.token_hex(16), secrets.token_urlsafe(32))
        row = {
            "id": key.id,
            "name": name,
            "secret_hash": _hash(key.secret),
            "program": scope.program,
            "purpose": scope.purpose,
            "created_at": self._clock(),
        }
        with self._database.write() as connection:
            if not program_exists(connection, scope.program):
                raise UnknownProgramError("there is no such program")
            query = insert(ApiKey).values(row).on_conflict_do_nothing()
            if connection.execute(query.returning(ApiKey.id)).first() is None:
                raise InvalidInputError(f"there is a key named {name!r} already: choose another")
        return key

    def all(self) -> list[Any]:
        """Rows of ApiKey, the newest first."""
        with self._database.read() as connection:
            query = sa.select(ApiKey).order_by(ApiKey.created_at.desc())
            return list(connection.execute(query).all())

    def revoke(self, name_or_id: str) -> None:
        """Raises NotFoundError where there is no such key in force."""
        query = (
            sa.update(ApiKey)
            .where(sa.or_(ApiKey.id == name_or_id, ApiKey.name == name_or_id))
            .where(ApiKey.revoked_at.is_(None))
            .values(revoked_at=self._clock())
        )
        with self._database.write() as connection:
            if not (_fits(name_or_id) and connection.execute(query).rowcount):
                raise NotFoundError(f"no key in force is called {name_or_id!r}")

    def recognise(self, secret: str, key_id: str | None = None) -> Caller | None:
        """Who holds this secret; with `key_id`, only if it is that key's. None: nobody."""
        hashed = _hash(secret)
        with self._database.read() as connection:
            query = sa.select(ApiKey).where(ApiKey.secret_hash == hashed)
            row = connection.execute(query).first()
        if row is None or row.revoked_at is not None or key_id not in {None, row.id}:
            return None
        self._note_use(row.id, row.last_used_at)
        return Caller(row.id, row.name, Scope(row.program, Purpose(row.purpose)))

    def _note_use(self, key_id: str, last: datetime | None) -> None:
        now = self._clock()
        if last is not None and now - last < _LAST_USE_PRECISION:
            return
        query = sa.update(ApiKey).where(ApiKey.id == key_id).values(last_used_at=now)
        # To know when a key was used is a convenience: a database that can only be read just now
        # still answers checks. What must be durable, a send or an opt-out, is refused by itself.
        with suppress(StorageUnavailableError), self._database.write() as connection:
            connection.execute(query)


def _fits(name: str) -> bool:
    """Whether a key can be called so: neither too long nor half a character from a shell."""
    return 0 < len(name) <= _NAME_LENGTH and name.isprintable()


def _hash(secret: str) -> bytes:
    # A random secret of 256 bits needs no slow hash, and its hash can be looked up by index:
    # what the look-up's time tells is about the hash, not about the secret.
    return hashlib.sha256(secret.encode("utf-8", "replace")).digest()
