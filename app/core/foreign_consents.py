"""Writes consents that were given elsewhere: the request as it was made, the consent, the evidence.

The caller's transaction holds the locks of all numbers.
"""

import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.core import consent
from app.core.consent import Evidence, Given
from app.core.consent_tables import ForeignConsent
from app.core.models import OptInRequest, RequestStatus
from app.core.optin import Join
from app.core.phone import mask_numbers
from app.core.programs import Terms, keep_text, text_digest

DOOR = "import"


class ForeignConsents:
    """A batch of them. `details`: who imports what, for the ledger; as in Evidence."""

    def __init__(self, connection: Connection, details: Mapping[str, str], now: datetime) -> None:
        self._connection = connection
        self._details = details
        self._now = now
        self._versions: dict[tuple[str, str], int] = {}
        self._requests: list[dict[str, Any]] = []

    def add(self, row: ForeignConsent, terms: Terms) -> None:
        """Write one down; its request waits for `finish`."""
        version = self._version(terms.slug, row.text)
        request_id = secrets.token_hex(16)
        self._requests.append(_request(row, terms, request_id, version))
        given_at = row.confirmed_at or row.given_at
        given = Given(
            terms.slug,
            request_id,
            version,
            given_at + terms.retention,
            row.channel,
            row.email,
            given_at,
        )
        details = {**self._details, **_details(row, request_id, version)}
        evidence = Evidence(DOOR, _join(row).filled_in, details)
        consent.give(self._connection, row.phone.fingerprint, given, evidence, self._now)

    def finish(self) -> None:
        """Write the requests, all at once."""
        if self._requests:
            self._connection.execute(sa.insert(OptInRequest), self._requests)

    def _version(self, program: str, text: str) -> int:
        """Most rows of a file have the same text."""
        if (program, text) not in self._versions:
            version = keep_text(self._connection, program, text, self._now)
            self._versions[program, text] = version
        return self._versions[program, text]


def _details(row: ForeignConsent, request_id: str, version: int) -> dict[str, Any]:
    return {
        "line": row.line,
        "request": request_id,
        "text_version": version,
        "text_sha256": text_digest(row.text).hex(),
        "requested_at": row.given_at.isoformat(),
        "confirmed_at": row.confirmed_at.isoformat() if row.confirmed_at else None,
        "double_opt_in": row.confirmed_at is not None,
        "proof": mask_numbers(row.proof) if row.proof else None,
    }


def _request(row: ForeignConsent, terms: Terms, request_id: str, version: int) -> dict[str, Any]:
    return {
        "id": request_id,
        "fingerprint": row.phone.fingerprint,
        "program": terms.slug,
        "status": RequestStatus.ACTIVE,
        "door": DOOR,
        "source": row.source,
        "text_version": version,
        "language": row.language or terms.language,
        "channel": row.channel,
        "email": row.email,
        "address": row.address,
        "code_expires_at": row.given_at,
        "created_at": row.given_at,
        "confirmed_at": row.confirmed_at,
    }


def _join(row: ForeignConsent) -> Join:
    return Join(
        to=row.phone.e164,
        program=row.program,
        door=DOOR,
        source=row.source,
        channel=row.channel,
        email=row.email,
        address=row.address,
    )
