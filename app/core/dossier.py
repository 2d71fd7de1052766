"""All that is held about one number, with its evidence: for the person, or for an authority.

The consent records follow ISO/IEC TS 27560:2023 (consent record information structure). Each
ledger entry comes with the proof that ties it to the sealed ledger, so that the dossier can be
verified without the database (app.core.dossier_check).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.core import ledger, rekeying
from app.core.database import Database
from app.core.models import (
    Access,
    CampaignRecipient,
    Consent,
    ConsentText,
    DeliveryReport,
    InboundMessage,
    LedgerEntry,
    LinkToken,
    OptInRequest,
    OutboundMessage,
    ReviewHold,
    Subscriber,
    Suppression,
)
from app.core.phone import PhoneReader
from app.core.policy import Clock, Policy
from app.core.programs import Terms, terms_of

FORMAT = "optout-dossier/1"
STANDARD = "ISO/IEC TS 27560:2023"

# The tables whose rows stand in the dossier as they are, each with the column that orders them.
_PLAIN: dict[str, tuple[type[Any], str]] = {
    "subscriber": (Subscriber, "first_seen_at"),
    "suppressions": (Suppression, "since"),
    "messages_received": (InboundMessage, "received_at"),
    "messages_sent": (OutboundMessage, "created_at"),
    "reviews": (ReviewHold, "opened_at"),
    "links": (LinkToken, "token_hash"),
    "campaigns": (CampaignRecipient, "campaign_id"),
    "accesses": (Access, "at"),
}
# Columns that say nothing of the person: keys, and which colleague acted (EU Court of Justice,
# C-579/21: when and why somebody looked is the person's to know, who of the staff it was is not).
_LEFT_OUT = frozenset({"fingerprint", "content_digest", "who", "decided_by"})

# All tables that know a person: what is not among them can't be in the dossier.
TABLES = frozenset({table for table, _ in _PLAIN.values()} | {Consent, OptInRequest, LedgerEntry})

Json = dict[str, Any]


class Dossiers:
    """Puts together what is held about a number; all of it, and nothing of anybody else."""

    def __init__(
        self, database: Database, phones: PhoneReader, policy: Policy, clock: Clock
    ) -> None:
        self._database = database
        self._phones = phones
        self._policy = policy
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
            names = rekeying.all_of(connection, fingerprint)
            entries = person.entries(names)
            proofs = ledger.proof_of(connection, [entry.id for entry in entries])
            first = min((proof["seal"] for proof in proofs.values()), default=None)
            return {
                "format": FORMAT,
                "standard": STANDARD,
                "generated_at": _written(self._clock()),
                "number": number,
                "fingerprint": fingerprint.hex(),
                "former_fingerprints": [each.hex() for each in names[1:]],
                "known": bool(plain["subscriber"]),
                "consent_records": person.consent_records(),
                "requests": person.requests(),
                **plain,
                "delivery_reports": person.delivery_reports(),
                "ledger": [_entry(entry, proofs.get(entry.id)) for entry in entries],
                "seals": [] if first is None else ledger.chain(connection, first),
            }


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
        return [
            _plain(row) | {"text": self.text(row.program, row.text_version)}
            for row in self.rows(OptInRequest, "created_at")
        ]

    def consent_records(self) -> list[Json]:
        return [self._record(row) for row in self.rows(Consent, "given_at")]

    def text(self, program: str, version: int) -> str | None:
        """The exact words that were shown."""
        query = sa.select(ConsentText.text).where(
            ConsentText.program == program, ConsentText.version == version
        )
        return self.connection.execute(query).scalar()

    def _record(self, row: Any) -> Json:
        terms = terms_of(self.connection, row.program, self.policy)
        query = sa.select(OptInRequest).where(OptInRequest.id == row.request_id)
        request = self.connection.execute(query).first()
        state = "withdrawn" if row.withdrawn_at else "given"
        return {
            "header": {
                "record_id": row.request_id,
                "schema_version": STANDARD,
                "pii_principal_id": self.fingerprint.hex(),
            },
            "processing": self._processing(row, terms, request),
            "events": _events(row, request, state),
        }

    def _processing(self, row: Any, terms: Terms, request: Any) -> Json:
        return {
            "privacy_notice": terms.notice_url,
            "language": request.language if request else terms.language,
            "consent_text": self.text(row.program, row.text_version),
            "consent_text_version": row.text_version,
            "collection_method": request.door if request else "import",
            "collection_source": request.source if request else None,
            "purposes": [
                {
                    "purpose": terms.purpose,
                    "program": row.program,
                    "lawful_basis": "consent (GDPR art. 6(1)(a); Codice privacy art. 130)",
                    "pii_categories": ["telephone number"],
                    "pii_controller": terms.brand,
                    "channel": row.channel,
                    "email": row.email,
                    "retention_period_days": terms.retention.days,
                    "withdrawal_method": "reply STOP, or the link in the message",
                }
            ],
        }


def _events(row: Any, request: Any, state: str) -> list[Json]:
    """The consent's life, in order: who did what, when."""
    events = []
    if request is not None:
        events += [
            ("requested", request.created_at, request.door),
            ("code_sent", request.code_sent_at, request.code_message_id),
            ("confirmed", request.confirmed_at, request.confirmed_by),
        ]
    events += [
        ("given", row.given_at, None),
        ("withdrawn", row.withdrawn_at, None),
        ("expires", row.expires_at, None),
    ]
    return [
        {
            "event_type": kind,
            "event_time": _written(at),
            "event_state": state,
            "consent_type": "expressed",
            "reference": reference,
        }
        for kind, at, reference in events
        if at is not None
    ]


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


def _plain(row: Any) -> Json:
    """A row as JSON. Its fingerprint is the same everywhere and stands in the ledger's entries."""
    columns = row._asdict()
    return {name: _written(value) for name, value in columns.items() if name not in _LEFT_OUT}


def _written(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return value.hex() if isinstance(value, bytes) else value
