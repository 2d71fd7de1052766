"""Numbers and texts encrypted in the database: nothing to who has a copy of it and not the key.

AES-SIV (RFC 5297) with the column's name as associated data: what is encrypted can't be changed,
nor moved to another column, unseen. The same text in the same column looks the same, so that the
database can still compare and index it; what it means stands beside it in the clear anyway.
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence

import sqlalchemy as sa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

_MARK = "aes-siv:"  # then the key's id, and the ciphertext in base64
_ID_LENGTH = 8

# How whatever is encrypted begins, for SQL's LIKE.
MARK_OF_ANY = f"{_MARK}{'_' * _ID_LENGTH}:"


class Cipher:
    """Encrypts with one key; decrypts what that key or an earlier one has encrypted."""

    def __init__(self, current: str, former: Sequence[str] = ()) -> None:
        keys = {_id_of(key): AESSIV(_derived(key)) for key in (*former, current)}
        self._prefixes = {f"{_MARK}{name}:": key for name, key in keys.items()}
        self._prefix, self._key = list(self._prefixes.items())[-1]
        self.check = _id_of(current)

    def knows(self, check: str | None) -> bool:
        """Whether one of the keys is the one whose mark this is, or there never was one."""
        return check is None or f"{_MARK}{check}:" in self._prefixes

    def encrypt(self, column: str, text: str) -> str:
        return _sealed(self._prefix, self._key, column, text)

    def decrypt(self, column: str, stored: str) -> str:
        """The text; one that was stored before there was a key is as it stands."""
        key = self._prefixes.get(stored[: len(self._prefix)])
        if key is None:
            return stored
        try:
            sealed = base64.b64decode(stored[len(self._prefix) :], validate=True)
            text = key.decrypt(sealed, [column.encode()])
        except (InvalidTag, ValueError):  # somebody has texted what looks like one of ours
            return stored
        return "" if text == _EMPTY else text.decode()

    def is_current(self, stored: str) -> bool:
        """Whether it is encrypted with the current key."""
        return stored.startswith(self._prefix)

    def forms(self, column: str, text: str) -> list[str]:
        """All that the text may be stored as: encrypted with each of the keys, or not yet."""
        return [text, *(_sealed(*each, column, text) for each in self._prefixes.items())]

    def prefixes(self) -> list[str]:
        """How what can be decrypted begins."""
        return list(self._prefixes)


def set_cipher(dialect: sa.Dialect, cipher: Cipher | None) -> None:
    """Let the types of this engine's dialect encrypt and decrypt."""
    vars(dialect)[_ATTRIBUTE] = cipher


def cipher_of(dialect: sa.Dialect) -> Cipher | None:
    """What this engine encrypts with; None where it does not."""
    cipher: Cipher | None = vars(dialect).get(_ATTRIBUTE)
    return cipher


_ATTRIBUTE = "optout_cipher"
_EMPTY = b"\0"  # AES-SIV has nothing to encrypt in an empty text; no text of ours holds a NUL


def _sealed(prefix: str, key: AESSIV, column: str, text: str) -> str:
    sealed = key.encrypt(text.encode() or _EMPTY, [column.encode()])
    return prefix + base64.b64encode(sealed).decode()


def _derived(key: str) -> bytes:
    return hmac.digest(key.encode(), b"encryption", hashlib.sha512)


def _id_of(key: str) -> str:
    """Names a key, without revealing it: in what it encrypted, and in the database."""
    return hmac.digest(key.encode(), b"name", hashlib.sha256).hex()[:_ID_LENGTH]
