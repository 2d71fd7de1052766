"""The tables. A person is known by a fingerprint; the number itself stands in one place."""

from datetime import datetime, time
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from app.core.database import PlainText, RowNumber, UtcDateTime
from app.core.encrypted import Encrypted, EncryptedJson

# What the chores look for among the messages that were sent: few rows, whatever the others are.
# SQLite uses an index on such rows only where a query says so in the same words.
_UNSETTLED = "status IN ('retrying', 'unknown', 'scheduled')"
UNSETTLED = sa.text(f"outbound_messages.{_UNSETTLED}")

# Opt-outs that were not answered in their webhook.
_UNCONFIRMED = "meaning = 'opt_out' AND silence IN ('answered_apart', 'too_late')"
UNCONFIRMED = sa.text(
    "inbound_messages.meaning = 'opt_out' "
    "AND inbound_messages.silence IN ('answered_apart', 'too_late')"
)

ALL_PROGRAMS = "*"  # as the program of a suppression: no message of any program


class Purpose(StrEnum):
    """What a message is for. Service messages need no marketing consent.

    RENEWAL asks to consent again: itself marketing, it needs a consent that is still valid
    (Cassazione 9920/2022), whatever else the installation assumes, and goes once for each consent.
    """

    MARKETING = "marketing"
    SERVICE = "service"
    RENEWAL = "renewal"


class DeliveryStatus(StrEnum):
    """What became of an outbound message: a closed list.

    CLAIMED: the gate let it through and it is being handed to the provider. RETRYING: the provider
    surely has not taken it, and is asked again in a moment, after the gate. UNKNOWN: it was handed
    over and no answer came, so it may have been sent.
    """

    CLAIMED = "claimed"
    RETRYING = "retrying"
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


class Channel(StrEnum):
    """How a person wants to be reached."""

    SMS = "sms"
    EMAIL = "email"
    NONE = "none"


class RequestStatus(StrEnum):
    """What became of a request to join."""

    PENDING = "pending"
    ACTIVE = "active"
    SUPERSEDED = "superseded"
    REFUSED = "refused"  # too many wrong codes
    DECLINED = "declined"  # the person said no, or STOP


class Act(StrEnum):
    """What a ledger entry says was done."""

    OPT_OUT = "opt_out"  # by the person
    OPT_IN = "opt_in"  # by the person
    SUPPRESS = "suppress"  # by an operator, an import or the provider
    LIFT = "lift"  # by an operator, with evidence
    HOLD = "hold"  # a possible opt-out waits for a person
    HOLD_DISMISSED = "hold_dismissed"  # an operator read it: not an opt-out
    JOIN = "join"  # somebody asked to join a program; not a consent yet
    CODE_SENT = "code_sent"
    CONSENT = "consent"  # the code came back: a consent that counts
    WITHDRAW = "withdraw"  # a consent ended with an opt-out
    RESTORE = "restore"  # the person came back, and with it the consent
    PREFERENCE = "preference"  # the person chose another channel
    CANCEL_FAILED = "cancel_failed"  # a scheduled message is still with the provider after a STOP
    LATE_MESSAGE = "late_message"  # a message was still with the provider when a STOP was answered
    RENEWAL_ASKED = "renewal_asked"  # the person was asked to consent again
    ERASE = "erase"  # a person was erased; the entry does not say who
    PRUNE = "prune"  # what had passed its period was deleted


class Base(DeclarativeBase):
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy's own hook
        datetime: UtcDateTime(),
        float: sa.Float(),
        str: PlainText(),
        dict[str, Any]: sa.JSON(),
    }


def _subscriber() -> sa.ForeignKey:
    return sa.ForeignKey("subscribers.fingerprint")


class Installation(Base):
    """One row: the keys of this database, and how far a change of them has got."""

    __tablename__ = "installation"

    id: Mapped[int] = mapped_column(primary_key=True)
    fingerprint_check: Mapped[str]
    key_change: Mapped[str | None]
    encryption_check: Mapped[str | None]


class Program(Base):
    """What one consents to: a brand's series of messages.

    Where a column is empty, the installation's settings hold. `words`: join words and the words
    that name the program after STOP, normalised, one a line. `text_version`: the consent text that
    people are shown now; other doors and imports may have shown texts of their own since.
    `notice_version`: the privacy notice's. `controller_…` and `privacy_contact`: who answers for
    the data (GDPR art. 4(7), 13(1)(a)). No
    marketing goes out from `quiet_from` to `quiet_until`, on the recipient's clock, nor more than
    `cap_messages` to one number in `cap_days`.
    """

    __tablename__ = "programs"

    slug: Mapped[str] = mapped_column(sa.String(40), primary_key=True)
    brand: Mapped[str | None]
    purpose: Mapped[str | None]
    language: Mapped[str | None] = mapped_column(sa.String(2))
    sender: Mapped[str | None]
    notice_url: Mapped[str | None]
    retention_days: Mapped[int | None]
    renewal_days: Mapped[int | None]
    double_opt_in: Mapped[bool | None]
    yes_confirms: Mapped[bool] = mapped_column(server_default=sa.false())
    join_words: Mapped[str] = mapped_column(server_default="")
    stop_words: Mapped[str] = mapped_column(server_default="")
    quiet_from: Mapped[time | None]
    quiet_until: Mapped[time | None]
    cap_messages: Mapped[int | None]
    cap_days: Mapped[int | None]
    text_version: Mapped[int | None]
    notice_version: Mapped[int | None]
    controller_name: Mapped[str | None]
    controller_address: Mapped[str | None]
    privacy_contact: Mapped[str | None]
    created_at: Mapped[datetime]


class ConsentText(Base):
    """A text that people were shown and agreed to. Once used it is never changed, only followed."""

    __tablename__ = "consent_texts"
    __table_args__ = (sa.UniqueConstraint("program", "digest"),)

    program: Mapped[str] = mapped_column(
        sa.String(40), sa.ForeignKey("programs.slug"), primary_key=True
    )
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    digest: Mapped[bytes] = mapped_column(sa.LargeBinary(32))
    text: Mapped[str]
    created_at: Mapped[datetime]


class PrivacyNotice(Base):
    """A notice under GDPR art. 13 as it was worded. Once used it is never changed, only followed.

    `digest`: SHA-256 of the text in UTF-8, or, where the owner keeps the text elsewhere (`text` is
    None), of the owner's file.
    """

    __tablename__ = "privacy_notices"
    __table_args__ = (sa.UniqueConstraint("program", "digest"),)

    program: Mapped[str] = mapped_column(
        sa.String(40), sa.ForeignKey("programs.slug"), primary_key=True
    )
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    digest: Mapped[bytes] = mapped_column(sa.LargeBinary(32))
    text: Mapped[str | None]
    created_at: Mapped[datetime]


class Consent(Base):
    """Where a person stands with a program: the state, of which the ledger is the history.

    `expires_at`: when it ends unless renewed. `withdrawn_at`: set by an opt-out, emptied where the
    person comes back. `channel`: sms, email or none, as the person chose. `renewal_asked_at`: when
    the person was asked to give it again, which is done once.
    """

    __tablename__ = "consents"

    fingerprint: Mapped[bytes] = mapped_column(sa.LargeBinary(32), primary_key=True)
    program: Mapped[str] = mapped_column(sa.String(40), primary_key=True)
    request_id: Mapped[str] = mapped_column(sa.String(32))
    text_version: Mapped[int]
    given_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    withdrawn_at: Mapped[datetime | None]
    channel: Mapped[str] = mapped_column(sa.String(10))
    email: Mapped[str | None] = mapped_column(Encrypted("consents.email"))
    ledger_entry_id: Mapped[int] = mapped_column(RowNumber)
    renewal_asked_at: Mapped[datetime | None]


class OptInRequest(Base):
    """Somebody asked to join a program: what was shown, by which door, the code's round trip.

    `prompt`: the SMS that carried the code, the code's place left open.
    """

    __tablename__ = "opt_in_requests"
    __table_args__ = (sa.Index("ix_opt_in_requests_by_number", "fingerprint", "created_at"),)

    id: Mapped[str] = mapped_column(sa.String(32), primary_key=True)
    fingerprint: Mapped[bytes] = mapped_column(sa.LargeBinary(32), _subscriber())
    program: Mapped[str] = mapped_column(sa.String(40))
    status: Mapped[str] = mapped_column(sa.String(20))
    door: Mapped[str]
    source: Mapped[str]
    text_version: Mapped[int]
    notice_url: Mapped[str | None]
    notice_version: Mapped[int | None]
    language: Mapped[str] = mapped_column(sa.String(2))
    channel: Mapped[str] = mapped_column(sa.String(10))
    email: Mapped[str | None] = mapped_column(Encrypted("opt_in_requests.email"))
    address: Mapped[str | None] = mapped_column(Encrypted("opt_in_requests.address"))
    user_agent: Mapped[str | None] = mapped_column(Encrypted("opt_in_requests.user_agent"))
    code_expires_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(server_default="0")
    created_at: Mapped[datetime]
    code_sent_at: Mapped[datetime | None]
    code_message_id: Mapped[str | None] = mapped_column(sa.String(64))
    prompt: Mapped[str | None] = mapped_column(Encrypted("opt_in_requests.prompt"))
    confirmed_at: Mapped[datetime | None]
    confirmed_by: Mapped[str | None] = mapped_column(sa.String(64))


class Subscriber(Base):
    """The person behind a number. The only place that holds the number.

    `unreachable_reports`: how many reports in a row said that the handset can't be reached.
    `erased_at`: when the number was erased; empty again once the handset itself has texted.
    `key_generation`: how many keys made the fingerprint.
    """

    __tablename__ = "subscribers"

    fingerprint: Mapped[bytes] = mapped_column(sa.LargeBinary(32), primary_key=True)
    number: Mapped[str | None] = mapped_column(Encrypted("subscribers.number"))
    language: Mapped[str | None] = mapped_column(sa.String(2))
    first_seen_at: Mapped[datetime]
    unreachable_reports: Mapped[int] = mapped_column(server_default="0")
    erased_at: Mapped[datetime | None]
    key_generation: Mapped[int] = mapped_column(server_default="1")


class FormerFingerprint(Base):
    """Under which fingerprint older ledger entries know a person: those are sealed, and stay."""

    __tablename__ = "former_fingerprints"

    former: Mapped[bytes] = mapped_column(sa.LargeBinary(32), primary_key=True)
    fingerprint: Mapped[bytes] = mapped_column(sa.LargeBinary(32), index=True)


class LedgerEntry(Base):
    """What happened, when, by which door, on what evidence. Append-only, kept so by triggers."""

    __tablename__ = "ledger_entries"

    id: Mapped[int] = mapped_column(RowNumber, primary_key=True)
    at: Mapped[datetime]
    act: Mapped[str]
    fingerprint: Mapped[bytes | None] = mapped_column(sa.LargeBinary(32), index=True)
    program: Mapped[str]
    door: Mapped[str]
    text: Mapped[str | None] = mapped_column(Encrypted("ledger_entries.text"))
    evidence: Mapped[dict[str, Any]]
    salt: Mapped[bytes | None] = mapped_column(sa.LargeBinary(16))
    person_digest: Mapped[bytes] = mapped_column(sa.LargeBinary(32))
    text_digest: Mapped[bytes | None] = mapped_column(sa.LargeBinary(32))


class LedgerSeal(Base):
    """The seal on a batch of ledger entries, chained to the one before. Append-only."""

    __tablename__ = "ledger_seals"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    first_id: Mapped[int] = mapped_column(RowNumber)
    last_id: Mapped[int] = mapped_column(RowNumber, index=True)
    ids: Mapped[bytes]
    leaves: Mapped[bytes]
    root: Mapped[bytes] = mapped_column(sa.LargeBinary(32))
    previous: Mapped[bytes] = mapped_column(sa.LargeBinary(32))
    digest: Mapped[bytes] = mapped_column(sa.LargeBinary(32))
    sealed_at: Mapped[datetime]


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
        sa.Index(
            "ix_inbound_unconfirmed",
            "received_at",
            postgresql_where=sa.text(_UNCONFIRMED),
            sqlite_where=sa.text(_UNCONFIRMED),
        ),
    )

    id: Mapped[int] = mapped_column(RowNumber, primary_key=True)
    provider: Mapped[str] = mapped_column(sa.String(20))
    provider_message_id: Mapped[str] = mapped_column(sa.String(64))
    fingerprint: Mapped[bytes] = mapped_column(sa.LargeBinary(32), _subscriber())
    recipient: Mapped[str]
    body: Mapped[str | None] = mapped_column(Encrypted("inbound_messages.body"))
    received_at: Mapped[datetime]
    meaning: Mapped[str]
    rule: Mapped[str]
    tables_version: Mapped[str]
    language: Mapped[str | None] = mapped_column(sa.String(2))
    review: Mapped[bool]
    opt_out_type: Mapped[str | None]
    reply: Mapped[str | None] = mapped_column(Encrypted("inbound_messages.reply"))
    opt_in_request_id: Mapped[str | None] = mapped_column(sa.String(32))
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
    fingerprint: Mapped[bytes] = mapped_column(sa.LargeBinary(32), index=True)
    opened_at: Mapped[datetime]
    due_at: Mapped[datetime]
    decided_at: Mapped[datetime | None]
    decision: Mapped[str | None] = mapped_column(sa.String(20))
    decided_by: Mapped[str | None]


class DeliveryReport(Base):
    """One thing the provider said became of a message. Kept even if it comes before we know it.

    `names_opt_out`: of somebody who is not known yet; it counts once the message is.
    """

    __tablename__ = "delivery_reports"

    provider: Mapped[str] = mapped_column(sa.String(20), primary_key=True)
    provider_message_id: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    status: Mapped[str] = mapped_column(sa.String(20), primary_key=True)
    error_code: Mapped[int | None]
    names_opt_out: Mapped[bool] = mapped_column(server_default=sa.false())
    reported_at: Mapped[datetime]


class OutboundMessage(Base):
    """An SMS to be sent: a row before it is a provider call, and its state after it.

    `claimed_at`: when the gate last let it through. `cancel_failed_at`: when cancelling it at the
    provider first failed.
    """

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
        sa.Index(
            "ix_outbound_unsettled",
            "fingerprint",
            postgresql_where=sa.text(_UNSETTLED),
            sqlite_where=sa.text(_UNSETTLED),
        ),
        sa.Index(
            "ix_outbound_keys",
            "created_at",
            postgresql_where=sa.text("idempotency_key IS NOT NULL"),
            sqlite_where=sa.text("idempotency_key IS NOT NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(sa.String(32), primary_key=True)
    provider: Mapped[str] = mapped_column(sa.String(20))
    provider_message_id: Mapped[str | None] = mapped_column(sa.String(64))
    fingerprint: Mapped[bytes] = mapped_column(sa.LargeBinary(32), _subscriber())
    program: Mapped[str] = mapped_column(sa.String(40))
    purpose: Mapped[str] = mapped_column(sa.String(20))
    sender: Mapped[str | None]
    body: Mapped[str | None] = mapped_column(Encrypted("outbound_messages.body"))
    segments: Mapped[int]
    status: Mapped[str] = mapped_column(sa.String(20))
    reason: Mapped[str | None] = mapped_column(sa.String(20))
    error_code: Mapped[int | None]
    requester: Mapped[str] = mapped_column(sa.String(60))
    idempotency_key: Mapped[str | None] = mapped_column(sa.String(200))
    content_digest: Mapped[bytes | None] = mapped_column(sa.LargeBinary(32))
    created_at: Mapped[datetime]
    claimed_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    cancel_failed_at: Mapped[datetime | None]


class CompleteSpan(Base):
    """A span of time whose inbound messages are all known: the provider's log was read."""

    __tablename__ = "complete_spans"

    id: Mapped[int] = mapped_column(RowNumber, primary_key=True)
    provider: Mapped[str] = mapped_column(sa.String(20))
    since: Mapped[datetime]
    until: Mapped[datetime] = mapped_column(index=True)
    missed: Mapped[int]
    read_at: Mapped[datetime]


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


class LinkToken(Base):
    """The link that leads one person to their own page; only the token's hash is kept."""

    __tablename__ = "link_tokens"

    token_hash: Mapped[bytes] = mapped_column(sa.LargeBinary(32), primary_key=True)
    fingerprint: Mapped[bytes] = mapped_column(sa.LargeBinary(32), index=True)


class HandsetCode(Base):
    """The last code by which a person can prove that they hold their handset, until it is used.

    The code is a keyed hash of `code_id`. `attempts`: how many wrong ones were tried.
    """

    __tablename__ = "handset_codes"

    fingerprint: Mapped[bytes] = mapped_column(sa.LargeBinary(32), primary_key=True)
    code_id: Mapped[str] = mapped_column(sa.String(32))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(server_default="0")


class ProviderDeletion(Base):
    """A message that the provider was asked to delete; asked again until it confirms.

    `certificate`: of the erasure that it belongs to.
    """

    __tablename__ = "provider_deletions"

    provider: Mapped[str] = mapped_column(sa.String(20), primary_key=True)
    provider_message_id: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    certificate: Mapped[str] = mapped_column(sa.String(32), index=True)
    asked_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(server_default="0")
    next_attempt_at: Mapped[datetime]
    done_at: Mapped[datetime | None]
    last_error: Mapped[str | None]


class CopySearch(Base):
    """A span of the provider's log to be searched for copies of an erased person's messages.

    The provider tells nobody the ids of answers given by webhook; found, they are to be deleted
    (ProviderDeletion), and this row goes. `certificate`: of the erasure that it belongs to.
    """

    __tablename__ = "copy_searches"

    id: Mapped[int] = mapped_column(RowNumber, primary_key=True)
    provider: Mapped[str] = mapped_column(sa.String(20))
    fingerprint: Mapped[bytes] = mapped_column(sa.LargeBinary(32))
    certificate: Mapped[str] = mapped_column(sa.String(32), index=True)
    since: Mapped[datetime]
    until: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(server_default="0")
    next_attempt_at: Mapped[datetime]
    last_error: Mapped[str | None]


class RequestKind(StrEnum):
    """What people may ask for by law, within a month (GDPR art. 12(3), 15, 17)."""

    ACCESS = "access"
    ERASURE = "erasure"


class PersonRequest(Base):
    """Somebody asked for their data, or to be erased, and it could not be done at once."""

    __tablename__ = "person_requests"

    id: Mapped[int] = mapped_column(RowNumber, primary_key=True)
    fingerprint: Mapped[bytes] = mapped_column(sa.LargeBinary(32), index=True)
    kind: Mapped[str] = mapped_column(sa.String(20))
    door: Mapped[str]
    asked_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    closed_by: Mapped[str | None]


class Access(Base):
    """Somebody looked at, or took away, what is held: of one person, or (no fingerprint) a list."""

    __tablename__ = "accesses"

    id: Mapped[int] = mapped_column(RowNumber, primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)
    door: Mapped[str]
    who: Mapped[str]
    what: Mapped[str]
    fingerprint: Mapped[bytes | None] = mapped_column(sa.LargeBinary(32), index=True)
    people: Mapped[int]


class RateCount(Base):
    """How often something was done in one window of time; `key` hashes what, by whom and when."""

    __tablename__ = "rate_counts"

    key: Mapped[bytes] = mapped_column(sa.LargeBinary(32), primary_key=True)
    count: Mapped[int]
    expires_at: Mapped[datetime] = mapped_column(index=True)


class Campaign(Base):
    """One text to many. `sender`, `rate` (messages a second, 0: as fast as it goes) and limits.

    `resumes_at`: when a paused one may go on by itself. `counted_from` and `ledger_from`: since
    when, and after which ledger entry, the brake counts. `looked_at`: when it last did.
    """

    __tablename__ = "campaigns"

    id: Mapped[int] = mapped_column(RowNumber, primary_key=True)
    name: Mapped[str]
    program: Mapped[str] = mapped_column(sa.String(40), sa.ForeignKey("programs.slug"))
    purpose: Mapped[str] = mapped_column(sa.String(20))
    sender: Mapped[str | None]
    body: Mapped[str]
    status: Mapped[str] = mapped_column(sa.String(20))
    pause_reason: Mapped[str | None]
    resumes_at: Mapped[datetime | None]
    rate: Mapped[float]
    max_opt_out_share: Mapped[float]
    max_failure_share: Mapped[float]
    cost_per_segment: Mapped[float | None]
    plan: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    counted_from: Mapped[datetime | None]
    ledger_from: Mapped[int] = mapped_column(RowNumber, server_default="0")
    looked_at: Mapped[datetime | None]


class CampaignRecipient(Base):
    """One person's place in a campaign. The number itself stays with the subscriber.

    `due_at`: from when on it may be taken; whoever takes it moves it on, so that what a process
    that died had taken comes up again. `fields` fill the text's places, and go when it is settled.
    """

    __tablename__ = "campaign_recipients"
    __table_args__ = (
        sa.UniqueConstraint("campaign_id", "fingerprint"),
        sa.Index(
            "ix_campaign_recipients_due",
            "campaign_id",
            "due_at",
            "position",
            postgresql_where=sa.text("status IN ('waiting', 'taken')"),
            sqlite_where=sa.text("status IN ('waiting', 'taken')"),
        ),
        sa.Index("ix_campaign_recipients_settled", "campaign_id", "settled_at", "status"),
        sa.Index("ix_campaign_recipients_fingerprint", "fingerprint"),
    )

    campaign_id: Mapped[int] = mapped_column(
        RowNumber, sa.ForeignKey("campaigns.id"), primary_key=True
    )
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    fingerprint: Mapped[bytes] = mapped_column(sa.LargeBinary(32), _subscriber())
    fields: Mapped[dict[str, Any] | None] = mapped_column(
        EncryptedJson("campaign_recipients.fields")
    )
    status: Mapped[str] = mapped_column(sa.String(20))
    attempt: Mapped[int]
    due_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]
    reason: Mapped[str | None] = mapped_column(sa.String(20))
    error_code: Mapped[int | None]
    message_id: Mapped[str | None] = mapped_column(sa.String(32))
    segments: Mapped[int | None]


class SenderPace(Base):
    """Until when a sender's time is given away, to all processes on all hosts."""

    __tablename__ = "sender_paces"

    sender: Mapped[str] = mapped_column(primary_key=True)
    paced_until: Mapped[datetime]


class SimulatorMessage(Base):
    """The simulated network's own log, as a provider keeps one: both directions."""

    __tablename__ = "simulator_messages"

    id: Mapped[int] = mapped_column(RowNumber, primary_key=True)
    sid: Mapped[str] = mapped_column(sa.String(64), unique=True)
    direction: Mapped[str] = mapped_column(sa.String(20))
    sender: Mapped[str] = mapped_column(Encrypted("simulator_messages.sender"), index=True)
    recipient: Mapped[str] = mapped_column(Encrypted("simulator_messages.recipient"), index=True)
    body: Mapped[str] = mapped_column(Encrypted("simulator_messages.body"))
    status: Mapped[str] = mapped_column(sa.String(20))
    created_at: Mapped[datetime]
    send_at: Mapped[datetime | None]
