"""The tables. A person is known by a fingerprint; the number itself stands in one place."""

from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from app.core.database import PlainText, RowNumber, UtcDateTime

ALL_PROGRAMS = "*"  # as the program of a suppression: no message of any program


class Purpose(StrEnum):
    """What a message is for. Service messages need no marketing consent."""

    MARKETING = "marketing"
    SERVICE = "service"


class DeliveryStatus(StrEnum):
    """What became of an outbound message: a closed list.

    CLAIMED: the gate let it through and it is being handed to the provider. UNKNOWN: it was handed
    over and no answer came, so it may have been sent.
    """

    CLAIMED = "claimed"
    REFUSED = "refused"
    SCHEDULED = "scheduled"
    QUEUED = "queued"
    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    UNDELIVERED = "undelivered"
    FAILED = "failed"
    CANCELED = "canceled"
    UNKNOWN = "unknown"


class Act(StrEnum):
    """What a ledger entry says was done."""

    OPT_OUT = "opt_out"  # by the person
    OPT_IN = "opt_in"  # by the person
    SUPPRESS = "suppress"  # by an operator, an import or the provider
    LIFT = "lift"  # by an operator, with evidence
    HOLD = "hold"  # a possible opt-out waits for a person
    HOLD_DISMISSED = "hold_dismissed"  # an operator read it: not an opt-out
    LATE_MESSAGE = "late_message"  # a message was still with the provider when a STOP was answered


class Base(DeclarativeBase):
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy's own hook
        datetime: UtcDateTime(),
        str: PlainText(),
        dict[str, Any]: sa.JSON(),
    }


class Installation(Base):
    """One row: what this database was made with."""

    __tablename__ = "installation"

    id: Mapped[int] = mapped_column(primary_key=True)
    fingerprint_check: Mapped[str]


class Program(Base):
    """What one consents to: a brand's series of messages."""

    __tablename__ = "programs"

    slug: Mapped[str] = mapped_column(sa.String(40), primary_key=True)
    name: Mapped[str]
    created_at: Mapped[datetime]


class Subscriber(Base):
    """The person behind a number. The only place that holds the number."""

    __tablename__ = "subscribers"

    fingerprint: Mapped[bytes] = mapped_column(sa.LargeBinary(32), primary_key=True)
    number: Mapped[str | None]
    language: Mapped[str | None] = mapped_column(sa.String(2))
    first_seen_at: Mapped[datetime]


def _subscriber() -> sa.ForeignKey:
    return sa.ForeignKey("subscribers.fingerprint")


class LedgerEntry(Base):
    """What happened, when, by which door, on what evidence. Append-only, kept so by triggers."""

    __tablename__ = "ledger_entries"

    id: Mapped[int] = mapped_column(RowNumber, primary_key=True)
    at: Mapped[datetime]
    act: Mapped[str]
    fingerprint: Mapped[bytes | None] = mapped_column(sa.LargeBinary(32), index=True)
    program: Mapped[str]
    door: Mapped[str]
    text: Mapped[str | None]
    evidence: Mapped[dict[str, Any]]


class Suppression(Base):
    """A number that must not get messages: of one program, or (ALL_PROGRAMS) of any."""

    __tablename__ = "suppressions"

    fingerprint: Mapped[bytes] = mapped_column(sa.LargeBinary(32), _subscriber(), primary_key=True)
    program: Mapped[str] = mapped_column(sa.String(40), primary_key=True)
    reason: Mapped[str]
    since: Mapped[datetime]
    ledger_entry_id: Mapped[int] = mapped_column(RowNumber, sa.ForeignKey("ledger_entries.id"))


class InboundMessage(Base):
    """An SMS received, what it was understood to mean, and what was answered."""

    __tablename__ = "inbound_messages"
    __table_args__ = (
        sa.UniqueConstraint("provider", "provider_message_id"),
        sa.Index("ix_inbound_by_number", "fingerprint", "received_at"),
    )

    id: Mapped[int] = mapped_column(RowNumber, primary_key=True)
    provider: Mapped[str] = mapped_column(sa.String(20))
    provider_message_id: Mapped[str] = mapped_column(sa.String(64))
    fingerprint: Mapped[bytes] = mapped_column(sa.LargeBinary(32), _subscriber())
    recipient: Mapped[str]
    body: Mapped[str]
    received_at: Mapped[datetime]
    meaning: Mapped[str]
    rule: Mapped[str]
    tables_version: Mapped[str]
    language: Mapped[str | None] = mapped_column(sa.String(2))
    review: Mapped[bool]
    opt_out_type: Mapped[str | None]
    reply: Mapped[str | None]
    silence: Mapped[str | None]


class ReviewHold(Base):
    """A text that may be an opt-out: it holds back marketing until a person has read it."""

    __tablename__ = "review_holds"
    __table_args__ = (
        sa.Index(
            "ix_open_review_holds",
            "fingerprint",
            postgresql_where=sa.text("decided_at IS NULL"),
            sqlite_where=sa.text("decided_at IS NULL"),
        ),
    )

    inbound_message_id: Mapped[int] = mapped_column(
        RowNumber, sa.ForeignKey("inbound_messages.id"), primary_key=True
    )
    fingerprint: Mapped[bytes] = mapped_column(sa.LargeBinary(32))
    opened_at: Mapped[datetime]
    due_at: Mapped[datetime]
    decided_at: Mapped[datetime | None]
    decision: Mapped[str | None] = mapped_column(sa.String(20))
    decided_by: Mapped[str | None]


class DeliveryReport(Base):
    """One thing the provider said became of a message. Kept even if it comes before we know it."""

    __tablename__ = "delivery_reports"

    provider: Mapped[str] = mapped_column(sa.String(20), primary_key=True)
    provider_message_id: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    status: Mapped[str] = mapped_column(sa.String(20), primary_key=True)
    error_code: Mapped[int | None]
    reported_at: Mapped[datetime]


class OutboundMessage(Base):
    """An SMS to be sent: a row before it is a provider call, and its state after it."""

    __tablename__ = "outbound_messages"
    __table_args__ = (
        sa.UniqueConstraint("provider", "provider_message_id"),
        sa.UniqueConstraint("requester", "idempotency_key"),
        sa.Index("ix_outbound_by_number", "fingerprint", "created_at"),
        sa.Index(
            "ix_outbound_in_flight",
            "fingerprint",
            postgresql_where=sa.text("status = 'claimed'"),
            sqlite_where=sa.text("status = 'claimed'"),
        ),
    )

    id: Mapped[str] = mapped_column(sa.String(32), primary_key=True)
    provider: Mapped[str] = mapped_column(sa.String(20))
    provider_message_id: Mapped[str | None] = mapped_column(sa.String(64))
    fingerprint: Mapped[bytes] = mapped_column(sa.LargeBinary(32), _subscriber())
    program: Mapped[str] = mapped_column(sa.String(40))
    purpose: Mapped[str] = mapped_column(sa.String(20))
    sender: Mapped[str | None]
    body: Mapped[str | None]
    segments: Mapped[int]
    status: Mapped[str] = mapped_column(sa.String(20))
    reason: Mapped[str | None] = mapped_column(sa.String(20))
    error_code: Mapped[int | None]
    requester: Mapped[str] = mapped_column(sa.String(60))
    idempotency_key: Mapped[str | None] = mapped_column(sa.String(200))
    content_digest: Mapped[bytes | None] = mapped_column(sa.LargeBinary(32))
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class ApiKey(Base):
    """A script's credentials: an id and the hash of a secret. It carries program and purpose."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(sa.String(34), primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(40), unique=True)
    secret_hash: Mapped[bytes] = mapped_column(sa.LargeBinary(32), unique=True)
    program: Mapped[str] = mapped_column(sa.ForeignKey("programs.slug"))
    purpose: Mapped[str] = mapped_column(sa.String(20))
    created_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class SimulatorMessage(Base):
    """The simulated network's own log, as a provider keeps one: both directions."""

    __tablename__ = "simulator_messages"

    id: Mapped[int] = mapped_column(RowNumber, primary_key=True)
    sid: Mapped[str] = mapped_column(sa.String(64), unique=True)
    direction: Mapped[str] = mapped_column(sa.String(20))
    sender: Mapped[str] = mapped_column(sa.String(64), index=True)
    recipient: Mapped[str] = mapped_column(sa.String(64), index=True)
    body: Mapped[str]
    status: Mapped[str] = mapped_column(sa.String(20))
    created_at: Mapped[datetime]
