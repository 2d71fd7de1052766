"""Privacy notices (GDPR art. 13): which wording people were shown, and when.

An address says where a notice is, not what it said on a day. So a program keeps its notice's
wording, or the digest of the file that its owner keeps, with versions; once used never changed.
"""

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.core.database import insert
from app.core.errors import InvalidInputError
from app.core.models import PrivacyNotice, Program

LONGEST = 50_000  # characters
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice's wording; or its digest alone, where the owner keeps the file."""

    digest: bytes
    text: str | None = None


def given_notice(text: str | None, sha256: str | None) -> Notice | None:
    """The notice that an owner gives, if any. Raises InvalidInputError."""
    if text is not None and sha256 is not None:
        raise InvalidInputError("give the notice's text or its SHA-256, not both")
    if text is not None:
        if not 0 < len(text.strip()) <= LONGEST:
            raise InvalidInputError(f"the notice must have 1 to {LONGEST} characters")
        return Notice(hashlib.sha256(text.encode("utf-8", "replace")).digest(), text)
    if sha256 is None:
        return None
    if not _SHA256.match(sha256.lower()):
        raise InvalidInputError("the notice's SHA-256 must be 64 hexadecimal digits")
    return Notice(bytes.fromhex(sha256))


def follow_notice(connection: Connection, program: str, notice: Notice, at: datetime) -> None:
    """From now on people are shown this notice."""
    version = _keep(connection, program, notice, at)
    query = sa.update(Program).where(Program.slug == program).values(notice_version=version)
    connection.execute(query)


def notice_shown(connection: Connection, request: Any) -> dict[str, Any]:
    """Which notice a request was made under, as the ledger keeps it."""
    query = sa.select(PrivacyNotice.digest).where(
        PrivacyNotice.program == request.program, PrivacyNotice.version == request.notice_version
    )
    digest = connection.execute(query).scalar()
    return {
        "notice_url": request.notice_url,
        "notice_version": request.notice_version,
        "notice_sha256": digest.hex() if digest else None,
    }


def _keep(connection: Connection, program: str, notice: Notice, at: datetime) -> int:
    """The version of a notice; one not seen before gets the next number."""
    mine = PrivacyNotice.program == program
    known = sa.select(PrivacyNotice.version).where(mine, PrivacyNotice.digest == notice.digest)
    last = sa.select(sa.func.coalesce(sa.func.max(PrivacyNotice.version), 0) + 1).where(mine)
    row = {"program": program, "digest": notice.digest, "text": notice.text, "created_at": at}
    query = insert(PrivacyNotice).values(version=last.scalar_subquery(), **row)
    keep = query.on_conflict_do_nothing().returning(PrivacyNotice.version)
    while True:  # a conflict means that somebody else was first, with this notice or this number
        version = connection.execute(known).scalar() or connection.execute(keep).scalar()
        if version is not None:
            return version
