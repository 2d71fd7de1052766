"""Columns that are encrypted at rest, where the engine has a cipher, and how to look into them."""

import json
from typing import Any

import sqlalchemy as sa

from app.core.database import PlainText, storable
from app.core.encryption import cipher_of


class Encrypted(PlainText):
    """Plain text that is encrypted at rest, where the engine has a cipher."""

    cache_ok = True

    def __init__(self, column: str) -> None:
        """`column`: table.column, for which it is encrypted, and where alone it can be read."""
        super().__init__()
        self.column = column

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> str | None:
        text = super().process_bind_param(value, dialect)
        cipher = cipher_of(dialect)
        return text if text is None or cipher is None else cipher.encrypt(self.column, text)

    def process_result_value(self, value: str | None, dialect: sa.Dialect) -> str | None:
        cipher = cipher_of(dialect)
        return value if value is None or cipher is None else cipher.decrypt(self.column, value)


class EncryptedJson(Encrypted):
    """A mapping as JSON, encrypted at rest as text is."""

    cache_ok = True

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> str | None:
        text = None if value is None else json.dumps(value)
        return super().process_bind_param(text, dialect)

    def process_result_value(self, value: str | None, dialect: sa.Dialect) -> Any:
        text = super().process_result_value(value, dialect)
        return None if text is None else json.loads(text)


def holds(dialect: sa.Dialect, column: Any, text: str) -> sa.ColumnElement[bool]:
    """A condition: the encrypted column holds this text, under whichever key it was stored."""
    cipher = cipher_of(dialect)
    plain = storable(text)
    return as_stored(column).in_(cipher.forms(column.type.column, plain) if cipher else [plain])


def as_stored(column: Any) -> sa.ColumnElement[str | None]:
    """What stands in an encrypted column, and is neither decrypted nor encrypted on its way."""
    return sa.type_coerce(column, sa.Text())
