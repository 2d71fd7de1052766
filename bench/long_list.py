"""A long suppression list, put there past the core, which would write a ledger entry for each."""

import hashlib
from datetime import UTC, datetime

import sqlalchemy as sa

from app.core import consent
from app.core.consent import Evidence
from app.core.models import ALL_PROGRAMS, Act, Subscriber, Suppression
from app.gateway import Gateway
from bench.settings import FINGERPRINT_KEY

_BATCH = 10_000  # rows in one INSERT


def number(i: int) -> str:
    """The number in that place; the list holds the first ones."""
    return f"+39{3330000000 + i}"


def suppress_many(gateway: Gateway, size: int) -> None:
    """Put the first `size` numbers on the list."""
    database, phones = gateway.services.database, gateway.services.phones
    now = datetime.now(UTC)
    entry = _entry(gateway, now)
    with database.write() as connection:
        for start in range(0, size, _BATCH):
            numbers = [number(i) for i in range(start, min(start + _BATCH, size))]
            people = [(phones.fingerprint(number), number) for number in numbers]
            connection.execute(
                sa.insert(Subscriber),
                [{"fingerprint": f, "number": n, "first_seen_at": now} for f, n in people],
            )
            connection.execute(
                sa.insert(Suppression),
                [_suppression(fingerprint, entry, now) for fingerprint, _ in people],
            )
    with database.read() as connection:
        connection.exec_driver_sql("ANALYZE")


def suppress_millions(gateway: Gateway, size: int) -> None:
    """The same in minutes where it would be an hour: by PostgreSQL itself, index last.

    Without the subscribers: no look at the list reads them.
    """
    given = {"entry": _entry(gateway, datetime.now(UTC)), "last": size - 1}
    row = f"{_fingerprint_of('i')}, '{ALL_PROGRAMS}', 'import', now(), %(entry)s"
    columns = "fingerprint, program, reason, since, ledger_entry_id"
    with gateway.services.database.write() as connection:
        for statement in (
            "SET LOCAL maintenance_work_mem = '512MB'",
            "ALTER TABLE suppressions DROP CONSTRAINT suppressions_fingerprint_fkey,"
            " DROP CONSTRAINT suppressions_ledger_entry_id_fkey,"
            " DROP CONSTRAINT suppressions_pkey",
        ):
            connection.exec_driver_sql(statement)
        connection.exec_driver_sql(
            f"INSERT INTO suppressions ({columns})"  # noqa: S608
            f" SELECT {row} FROM generate_series(0, %(last)s) AS i",
            given,
        )
        connection.exec_driver_sql(
            "ALTER TABLE suppressions ADD PRIMARY KEY (fingerprint, program)"
        )
    with gateway.services.database.read() as connection:
        connection.exec_driver_sql("VACUUM ANALYZE suppressions")


def consent_many(gateway: Gateway, first: int, count: int) -> None:
    """Let so many numbers, from that one on, have agreed to the first program."""
    columns = (
        "fingerprint, program, request_id, text_version, given_at, expires_at, channel,"
        " ledger_entry_id"
    )
    row = (
        f"{_fingerprint_of('i')}, 'default', 'bench', 1, now(), now() + interval '1 year', 'sms', 1"
    )
    with gateway.services.database.write() as connection:
        connection.exec_driver_sql(
            f"INSERT INTO consents ({columns})"  # noqa: S608
            f" SELECT {row} FROM generate_series(%(first)s, %(last)s) AS i",
            {"first": first, "last": first + count - 1},
        )
    with gateway.services.database.read() as connection:
        connection.exec_driver_sql("VACUUM ANALYZE consents")


def _fingerprint_of(place: str) -> str:
    """HMAC-SHA256 of a number, in SQL (RFC 2104)."""
    key = FINGERPRINT_KEY.encode().ljust(64, b"\0")
    inner, outer = (bytes(byte ^ pad for byte in key).hex() for pad in (0x36, 0x5C))
    digits = f"convert_to('+39' || (3330000000 + {place}), 'UTF8')"
    return f"sha256('\\x{outer}'::bytea || sha256('\\x{inner}'::bytea || {digits}))"


def _entry(gateway: Gateway, now: datetime) -> int:
    with gateway.services.database.write() as connection:
        nobody, evidence = bytes(hashlib.sha256().digest_size), Evidence("bench")
        return consent.record(connection, Act.SUPPRESS, nobody, ALL_PROGRAMS, evidence, now)


def _suppression(fingerprint: bytes, entry: int, now: datetime) -> dict[str, object]:
    return {
        "fingerprint": fingerprint,
        "program": ALL_PROGRAMS,
        "reason": "import",
        "since": now,
        "ledger_entry_id": entry,
    }
