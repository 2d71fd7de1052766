"""All that is held about one number, with its evidence: for the person, or for an authority.

The consent records follow ISO/IEC TS 27560:2023 (consent record information structure). Each
ledger entry comes with the proof that ties it to the sealed ledger, so that the dossier can be
verified without the database (app.core.dossier_check).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.core import ledger, rekeying
from app.core.access_information import access_information
from app.core.consent_record import (
    STANDARD,
    consent_record,
    given_in,
    life_of,
    request_of,
    shown_controller,
)
from app.core.database import Database
from app.core.language import Intent
from app.core.models import (
    Access,
    CampaignRecipient,
    Consent,
    ConsentText,
    CopySearch,
    DeliveryReport,
    FormerFingerprint,
    HandsetCode,
    InboundMessage,
    LedgerEntry,
    LinkToken,
    OptInRequest,
    OutboundMessage,
    PersonRequest,
    PrivacyNotice,
    ReviewHold,
    Subscriber,
    Suppression,
)
from app.core.notices import notice_shown
from app.core.person_words import DATA_ASKED, asks_why
from app.core.phone import PhoneReader
from app.core.policy import Clock, Policy
from app.core.programs import all_terms, terms_of
from app.core.round_trip import round_trip_of
from app.core.timing import zones_of

_LOCAL = {"localhost", "127.0.0.1", "::1"}

FORMAT = "optout-dossier/2"

# The tables whose rows stand in the dossier as they are, each with the column that orders them.
_PLAIN: dict[str, tuple[type[Any], str]] = {
    "subscriber": (Subscriber, "first_seen_at"),
    "consents": (Consent, "given_at"),
    "suppressions": (Suppression, "since"),
    "messages_received": (InboundMessage, "received_at"),
    "messages_sent": (OutboundMessage, "created_at"),
    "reviews": (ReviewHold, "opened_at"),
    "links": (LinkToken, "token_hash"),
    "campaigns": (CampaignRecipient, "campaign_id"),
    "accesses": (Access, "at"),
    "person_requests": (PersonRequest, "asked_at"),
    "copy_searches": (CopySearch, "since"),
    "handset_codes": (HandsetCode, "created_at"),
}
# What the data map says is held of people and the dossier leaves out, each with the reason.
_COLLEAGUE = (
    "which colleague acted: when and why is the person's to know, who is not (CJEU C-579/21)"
)
NOT_TOLD: dict[str, str] = {
    "accesses.who": _COLLEAGUE,
    "review_holds.decided_by": _COLLEAGUE,
    "person_requests.closed_by": _COLLEAGUE,
    "outbound_messages.content_digest": "a digest of the text, which is told",
    "provider_deletions.*": "of an erased person alone, and nothing in it leads to whom",
    "rate_counts.key": "a hash that leads to nobody, gone when its window has passed",
    "simulator_messages.*": "the simulated network's log: the provider's records, not ours",
}
_LEFT_OUT = frozenset(name.partition(".")[2] for name in NOT_TOLD) | {"fingerprint"}

# All tables that know a person: what is not among them can't be in the dossier.
TABLES = frozenset({table for table, _ in _PLAIN.values()}) | {
    FormerFingerprint,
    LedgerEntry,
    OptInRequest,
}

Json = dict[str, Any]


class Dossiers:
    """Puts together what is held about a number; all of it, and nothing of anybody else.

    `provider`: who carries the messages, a recipient of the data.
    """

    def __init__(
        self,
        database: Database,
        phones: PhoneReader,
        policy: Policy,
        provider: str,
        clock: Clock,
    ) -> None:
        self._database = database
        self._phones = phones
        self._policy = policy
        self._provider = provider
        self._clock = clock

    def export(self, number: str) -> Json:
        """The dossier as JSON. Raises InvalidNumberError; an unknown number has an empty one."""
        phone = self._phones.parse(number)
        rekeying.settle(self._database, [phone])
        return self._of(phone.e164, phone.fingerprint)

    def export_known(self, fingerprint: bytes) -> Json:
        """The same for the person behind a link."""
        with self._database.read() as connection:
            query = sa.select(Subscriber.number).where(Subscriber.fingerprint == fingerprint)
            number = connection.execute(query).scalar() or ""
        return self._of(number, fingerprint)

    def _of(self, number: str, fingerprint: bytes) -> Json:
        with self._database.read() as connection:
            person = _Person(connection, fingerprint, self._policy)
            plain = {name: person.plain(*which) for name, which in _PLAIN.items()}
            for each in plain["messages_received"]:
                each["understood"] = _understood(each)
            names = rekeying.all_of(connection, fingerprint)
            told = {
                **plain,
                "requests": person.requests(),
                "delivery_reports": person.delivery_reports(),
                **_sealed(connection, person.entries(names)),
            }
            for request in told["requests"]:
                request["round_trip"] = round_trip_of(request["id"], told)
            records = person.consent_records(told["requests"], told["ledger"])
            programs = person.programs(told)
        return {
            "format": FORMAT,
            "standard": STANDARD,
            "generated_at": _written(self._clock()),
            "time_zone": zones_of(number)[0],
            "number": number,
            "fingerprint": fingerprint.hex(),
            "former_fingerprints": [each.hex() for each in names[1:]],
            "known": bool(plain["subscriber"]),
            "test_data": self._is_a_trial(),
            "controller": shown_controller(self._policy.controller, self._policy.brand),
            "access": access_information(self._policy, self._provider),
            "programs": programs,
            "consent_records": records,
            **told,
        }

    def _is_a_trial(self) -> bool:
        """Whether no network carries the messages, or no stranger's browser reaches the pages."""
        host = urlsplit(self._policy.public_url).hostname
        return self._provider == "simulator" or host in _LOCAL


@dataclass(frozen=True, slots=True)
class _Person:
    """Reads the rows of one fingerprint."""

    connection: Connection
    fingerprint: bytes
    policy: Policy

    def rows(self, table: type[Any], order: str) -> Sequence[Any]:
        query = sa.select(table).where(table.fingerprint == self.fingerprint)
        return self.connection.execute(query.order_by(getattr(table, order))).all()

    def entries(self, names: Sequence[bytes]) -> Sequence[Any]:
        """The ledger's; older ones know the person by a fingerprint of an earlier key."""
        query = sa.select(LedgerEntry).where(LedgerEntry.fingerprint.in_(names))
        return self.connection.execute(query.order_by(LedgerEntry.id)).all()

    def plain(self, table: type[Any], order: str) -> list[Json]:
        return [_plain(row) for row in self.rows(table, order)]

    def delivery_reports(self) -> list[Json]:
        """What the provider said became of each message; known by the message's id alone."""
        sent = sa.and_(
            DeliveryReport.provider == OutboundMessage.provider,
            DeliveryReport.provider_message_id == OutboundMessage.provider_message_id,
        )
        query = sa.select(DeliveryReport).join(OutboundMessage, sent)
        query = query.where(OutboundMessage.fingerprint == self.fingerprint)
        rows = self.connection.execute(query.order_by(DeliveryReport.reported_at)).all()
        return [_plain(row) for row in rows]

    def requests(self) -> list[Json]:
        """Each asking to join, with the exact words of consent text and notice."""
        return [
            _plain(row)
            | notice_shown(self.connection, row)
            | {
                "text": self._words(ConsentText, row.program, row.text_version),
                "notice_text": self._words(PrivacyNotice, row.program, row.notice_version),
            }
            for row in self.rows(OptInRequest, "created_at")
        ]

    def consent_records(self, requests: Sequence[Json], ledger: Sequence[Json]) -> list[Json]:
        rows = {row.request_id: row for row in self.rows(Consent, "given_at")}
        return [
            consent_record(
                entry,
                rows.get(entry["evidence"].get("request")),
                request_of(entry, requests, ledger),
                terms_of(self.connection, entry["program"], self.policy),
                life_of(entry, ledger),
            )
            for entry in given_in(ledger)
        ]

    def programs(self, dossier: Json) -> Json:
        """What the programs are called whose names stand in the dossier."""
        rows = (row for part in dossier.values() if isinstance(part, list) for row in part)
        slugs = {row["program"] for row in rows if row.get("program")}
        return {
            terms.slug: {"brand": terms.brand, "purpose": terms.purpose, "sender": terms.sender}
            for terms in all_terms(self.connection, self.policy)
            if terms.slug in slugs
        }

    def _words(self, table: type[Any], program: str, version: int | None) -> str | None:
        """The exact words that were shown."""
        query = sa.select(table.text).where(table.program == program, table.version == version)
        return self.connection.execute(query).scalar()


def _sealed(connection: Connection, entries: Sequence[Any]) -> Json:
    """The person's entries, each with its proof, and the seals that these need."""
    proofs = ledger.proof_of(connection, [entry.id for entry in entries])
    first = min((proof["seal"] for proof in proofs.values()), default=None)
    return {
        "ledger": [_entry(entry, proofs.get(entry.id)) for entry in entries],
        "seals": [] if first is None else ledger.chain(connection, first),
    }


def _entry(row: Any, proof: Json | None) -> Json:
    """A ledger entry with all that its digest is made of."""
    return {
        "id": row.id,
        "at": row.at.isoformat(timespec="microseconds"),
        "act": row.act,
        "program": row.program,
        "door": row.door,
        "text": row.text,
        "evidence": row.evidence,
        "fingerprint": row.fingerprint.hex(),
        "salt": row.salt.hex() if row.salt else None,
        "person_digest": row.person_digest.hex(),
        "text_digest": row.text_digest.hex() if row.text_digest else None,
        "proof": proof,
    }


def _understood(text: Json) -> str:
    """What a text was taken for; also by the words of this house's own, which have no intent."""
    if text["meaning"] != Intent.NONE:
        return str(text["meaning"])
    if text["rule"] == DATA_ASKED:
        return "data"
    if text["opt_in_request_id"]:
        return "join"
    return "why" if asks_why(text["body"] or "") else "none"


def _plain(row: Any) -> Json:
    """A row as JSON. Its fingerprint is the same everywhere and stands in the ledger's entries."""
    columns = row._asdict()
    return {name: _written(value) for name, value in columns.items() if name not in _LEFT_OUT}


def _written(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return value.hex() if isinstance(value, bytes) else value
