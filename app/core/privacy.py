"""Erasure: the number and everything said to it or by it go; what keeps it silent stays.

One transaction under the subscriber's lock: a process that dies in it has erased nothing, and the
erasure can be asked for again. (GDPR art. 17; an objection must go on being honoured, art. 21.)
"""

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.core import barrier, consent, copies, deletions, subscribers
from app.core.consent import ERASED, Evidence
from app.core.data_map import BY_NUMBER, EMPTIED, ROWS_THAT_GO
from app.core.database import Database
from app.core.deletions import Deletions
from app.core.encrypted import holds
from app.core.errors import InvalidInputError, NotFoundError, ProviderError
from app.core.forgetting import forget_person
from app.core.models import ALL_PROGRAMS, Act, LedgerEntry
from app.core.phone import PhoneReader, mask_numbers
from app.core.policy import Clock
from app.core.provider import Provider
from app.core.scheduled import ScheduledMessages

_LONGEST_NAME = 100  # characters of who asked

# How many of the provider's copies are asked for before an erasure is answered.
_ASKED_AT_ONCE = 10

KEPT = (
    {
        "what": "the keyed fingerprint of the number, on its suppression",
        "why": "so that the number is never texted again, whoever brings it back",
        "until": "the handset texts START",
    },
    {
        "what": "the times, kinds and digests of ledger entries, without person and words",
        "why": "so that the ledger can be verified as a whole",
        "until": "the ledger ends",
    },
    {
        "what": "the ids, times and statuses of messages, without number and text",
        "why": "so that a text which the provider delivers twice is not taken for a new one",
        "until": "the retention period has passed",
    },
)


@dataclass(frozen=True, slots=True)
class Certificate:
    """What an erasure did; it does not say to whom.

    `erased`: rows by table. `provider_copies`: messages that the provider was asked to delete.
    """

    id: str
    at: datetime
    requested_by: str
    erased: Mapping[str, int]
    provider_copies: int

    def as_json(self) -> dict[str, Any]:
        return {
            "certificate": self.id,
            "at": self.at.isoformat(),
            "requested_by": self.requested_by,
            "erased": dict(self.erased),
            "provider_copies": self.provider_copies,
            "kept": [dict(each) for each in KEPT],
        }

    def as_text(self) -> str:
        lines = [
            f"Certificate of erasure {self.id}",
            f"Done {self.at:%Y-%m-%d %H:%M:%S} UTC, as {self.requested_by} asked.",
            "Erased:",
            *(f"  {table}: {count}" for table, count in sorted(self.erased.items())),
            f"Copies that the provider was asked to delete: {self.provider_copies}",
            "Kept:",
            *(f"  {each['what']}, {each['why']}; until {each['until']}" for each in KEPT),
        ]
        return "\n".join(lines)


class Privacy:
    """Erases, for every door but the handset, whose turn calls `erase_person` itself."""

    def __init__(
        self,
        database: Database,
        phones: PhoneReader,
        provider: Provider,
        scheduled: ScheduledMessages,
        deletions: Deletions,
        clock: Clock,
        sleep: barrier.Sleep,
    ) -> None:
        self._database = database
        self._phones = phones
        self._provider = provider
        self._clock = clock
        self._sleep = sleep
        self._scheduled = scheduled
        self._deletions = deletions

    def erase(self, number: str, requested_by: str, door: str) -> Certificate:
        """Erase a number, seen before or not. Raises InvalidNumberError.

        `requested_by` says who asked, and stays in the ledger: no number may stand in it.
        """
        phone = self._phones.parse(number)
        asker = _asker(requested_by)
        also = self._copies(phone.e164)
        with self._database.write() as connection:
            subscribers.lock(connection, phone, self._clock())
            done = self._erase(connection, phone.fingerprint, asker, door, also)
        return self._finish(phone.fingerprint, *done)

    def erase_known(self, fingerprint: bytes, requested_by: str, door: str) -> Certificate:
        """The same for the person behind a link or an entry. Raises NotFoundError."""
        asker = _asker(requested_by)
        fingerprint = subscribers.current(self._database, fingerprint)
        with self._database.read() as connection:
            number = subscribers.number_of(connection, fingerprint)
        also = self._copies(number) if number else None
        with self._database.write() as connection:
            fingerprint = subscribers.lock_known(connection, fingerprint)
            done = self._erase(connection, fingerprint, asker, door, also)
        return self._finish(fingerprint, *done)

    def certificate(self, certificate_id: str) -> Certificate:
        """The certificate of an earlier erasure, from the ledger. Raises NotFoundError."""
        with self._database.read() as connection:
            entries = connection.execute(
                sa.select(LedgerEntry.at, LedgerEntry.evidence).where(LedgerEntry.act == Act.ERASE)
            )
            for at, evidence in entries:
                if evidence["certificate"] == certificate_id:
                    return _certificate(at, evidence)
        raise NotFoundError("there is no certificate with this id")

    def _erase(
        self,
        connection: Connection,
        fingerprint: bytes,
        asker: str,
        door: str,
        also: Iterable[tuple[str, str]] | None,
    ) -> tuple[Certificate, Sequence[str]]:
        now = self._clock()
        done = erase_person(connection, fingerprint, asker, door, now, also)
        return done, barrier.in_flight(connection, fingerprint, now)

    def _finish(
        self, fingerprint: bytes, certificate: Certificate, in_flight: Sequence[str]
    ) -> Certificate:
        """What must not happen inside the transaction: waiting, and asking the provider."""
        barrier.wait_for(self._database, in_flight, self._sleep)
        self._scheduled.cancel_unwanted(fingerprint)
        self._database.scrub()
        self._deletions.run(_ASKED_AT_ONCE, certificate.id)
        return certificate

    def _copies(self, number: str) -> list[tuple[str, str]] | None:
        """What the provider's log has of this number, the newest thousand each way.

        Among them the answers to its texts, whose ids the provider tells nobody. None where it
        can't be asked now: then they are searched for later.
        """
        found = []
        for side in ("To", "From"):
            try:
                page = self._provider.list_messages({side: number, "PageSize": "1000"})
            except ProviderError:
                return None
            ids = [str(message.get("sid", "")) for message in page.get("messages", ())]
            found += [(self._provider.name, each) for each in ids if each]
        return found


def erase_person(
    connection: Connection,
    fingerprint: bytes,
    requested_by: str,
    door: str,
    now: datetime,
    also: Iterable[tuple[str, str]] | None = None,
) -> Certificate:
    """Erase one person inside a transaction that holds their lock; `database.scrub` afterwards.

    `also`: (provider, id) of messages that the provider has and we don't know of; None where it was
    not asked: then its log is searched afterwards, by time.
    """
    certificate_id = secrets.token_hex(16)
    evidence = Evidence(door, details={"requested_by": requested_by})
    consent.suppress(connection, fingerprint, ALL_PROGRAMS, ERASED, evidence, now)
    asked = deletions.ask_all(connection, fingerprint, certificate_id, also or (), now)
    if also is None:
        copies.search_later(connection, fingerprint, certificate_id, now)
    counts = _empty(connection, fingerprint, now) | forget_person(connection, fingerprint)
    erased = {table: count for table, count in counts.items() if count}
    details = {
        "certificate": certificate_id,
        "requested_by": requested_by,
        "erased": erased,
        "provider_copies": asked,
    }
    consent.record(connection, Act.ERASE, None, ALL_PROGRAMS, Evidence(door, details=details), now)
    return _certificate(now, details)


def _empty(connection: Connection, fingerprint: bytes, now: datetime) -> dict[str, int]:
    """What the data map says that goes; rows by table."""
    erased = {}
    number = subscribers.number_of(connection, fingerprint)
    if number is not None:
        places = (BY_NUMBER.sender, BY_NUMBER.recipient)
        mine = sa.or_(*(holds(connection.dialect, place, number) for place in places))
        erased[BY_NUMBER.__tablename__] = connection.execute(sa.delete(BY_NUMBER).where(mine))
    for table in ROWS_THAT_GO:
        query = sa.delete(table).where(table.fingerprint == fingerprint)
        erased[table.__tablename__] = connection.execute(query)
    for table, columns in EMPTIED.items():
        held = sa.or_(*(getattr(table, column).is_not(None) for column in columns))
        empty = sa.update(table).where(table.fingerprint == fingerprint, held)
        erased[table.__tablename__] = connection.execute(empty.values(dict.fromkeys(columns)))
    subscribers.note_erased(connection, fingerprint, now)
    return {table: result.rowcount for table, result in erased.items()}


def _certificate(at: datetime, details: Mapping[str, Any]) -> Certificate:
    return Certificate(
        details["certificate"],
        at,
        details["requested_by"],
        details["erased"],
        details["provider_copies"],
    )


def _asker(requested_by: str) -> str:
    name = mask_numbers(" ".join(requested_by.split()))
    if not 0 < len(name) <= _LONGEST_NAME:
        raise InvalidInputError(f"requested_by says who asked, in 1 to {_LONGEST_NAME} characters")
    return name
