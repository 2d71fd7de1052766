"""The map of personal data: what each table holds of people, why, how long, and what ends it.

Erasure and retention work from this map, the person's notice and docs/personal-data.md are written
from it, and a test finds any column that it does not name: what is promised is what happens.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from app.core.models import (
    Access,
    CampaignRecipient,
    HandsetCode,
    InboundMessage,
    LinkToken,
    OptInRequest,
    OutboundMessage,
    PersonRequest,
    ReviewHold,
    SimulatorMessage,
    Subscriber,
)


class Aim(StrEnum):
    """Why something is held: the purposes of the notice."""

    SEND = "send"  # to write to who agreed to it
    ANSWER = "answer"  # to understand and answer what people text
    SILENCE = "silence"  # never to write again to who does not want it
    PROOF = "proof"  # to prove consents, and that opt-outs were honoured
    PROTECT = "protect"  # to protect the data and the service


class Period(StrEnum):
    """How long something is held: the periods of the notice (their lengths: app.core.retention)."""

    CODE = "code"  # a day after the code's time has passed
    TEXT = "text"
    RECORD = "record"  # the installation's retention period
    CONSENT = "consent"  # until the consent ends: its program's retention period
    SILENCE = "silence"  # as long as the number must stay silent
    PROOF = "proof"
    WINDOW = "window"  # until the hour that is counted has passed


@dataclass(frozen=True, slots=True)
class Held:
    """Columns that hold the same kind of thing. `erased`: it goes with an erasure."""

    columns: str
    what: str
    aim: Aim
    period: Period
    erased: bool = True


@dataclass(frozen=True, slots=True)
class Table:
    """`held` tells of a person; `other` are columns that tell nothing of anybody."""

    held: tuple[Held, ...] = ()
    other: str = ""


_WHO = "which person (keyed fingerprint of the number)"

TABLES: Mapping[str, Table] = {
    "subscribers": Table(
        (
            Held("fingerprint erased_at", _WHO, Aim.SILENCE, Period.SILENCE, erased=False),
            Held("number", "the telephone number", Aim.SEND, Period.RECORD),
            Held("language", "the language the person writes in", Aim.ANSWER, Period.RECORD),
            Held(
                "unreachable_reports",
                "whether the handset could be reached",
                Aim.SILENCE,
                Period.SILENCE,
                erased=False,
            ),
            Held("first_seen_at", "since when", Aim.SILENCE, Period.SILENCE, erased=False),
        ),
        "key_generation",
    ),
    "suppressions": Table(
        (
            Held("fingerprint program", f"{_WHO}, what", Aim.SILENCE, Period.SILENCE, erased=False),
            Held("reason since", "why and since when", Aim.SILENCE, Period.SILENCE, erased=False),
        ),
        "ledger_entry_id",
    ),
    "consents": Table(
        (
            Held("fingerprint program", f"{_WHO}, to what", Aim.SEND, Period.CONSENT),
            Held(
                "given_at expires_at withdrawn_at renewal_asked_at",
                "the consent's life",
                Aim.PROOF,
                Period.CONSENT,
            ),
            Held("channel email", "how to be reached", Aim.SEND, Period.CONSENT),
        ),
        "request_id text_version ledger_entry_id",
    ),
    "opt_in_requests": Table(
        (
            Held("fingerprint program status", f"{_WHO} asked what", Aim.PROOF, Period.CONSENT),
            Held(
                "door source language created_at code_sent_at code_message_id confirmed_at "
                "confirmed_by",
                "how and when it was asked and confirmed",
                Aim.PROOF,
                Period.CONSENT,
            ),
            Held("channel email", "how to be reached", Aim.SEND, Period.CONSENT),
            Held("prompt", "the SMS with the code, without it", Aim.PROOF, Period.CONSENT),
            Held("address user_agent", "the browser that asked", Aim.PROOF, Period.CONSENT),
            Held("code_expires_at attempts", "the code's round trip", Aim.PROTECT, Period.CODE),
        ),
        "id text_version notice_url notice_version",
    ),
    "ledger_entries": Table(
        (
            Held("fingerprint salt", _WHO, Aim.PROOF, Period.PROOF),
            Held(
                "text",
                "the words by which the person decided, and what a form brought",
                Aim.PROOF,
                Period.PROOF,
            ),
        ),
        # The digests tell nothing without the salt.
        "id at act program door evidence person_digest text_digest",
    ),
    "former_fingerprints": Table(
        (Held("former fingerprint", f"{_WHO}, by an earlier key", Aim.PROOF, Period.PROOF),),
    ),
    "inbound_messages": Table(
        (
            Held("body", "what the person texted", Aim.ANSWER, Period.TEXT),
            Held("reply", "what was answered", Aim.ANSWER, Period.TEXT),
            Held("language", "the language the person writes in", Aim.ANSWER, Period.TEXT),
            Held("opt_in_request_id", "the request that was answered", Aim.ANSWER, Period.TEXT),
            # These stay: a text that the provider delivers again must not be taken for a new one.
            Held(
                "fingerprint provider_message_id received_at",
                f"{_WHO} texted when",
                Aim.PROOF,
                Period.RECORD,
                erased=False,
            ),
            Held(
                "meaning rule review opt_out_type silence",
                "what it was understood to mean",
                Aim.PROOF,
                Period.RECORD,
                erased=False,
            ),
        ),
        "id provider recipient tables_version",
    ),
    "review_holds": Table(
        (
            Held(
                "inbound_message_id fingerprint opened_at due_at decided_at decision",
                "that a text waited for an operator",
                Aim.ANSWER,
                Period.RECORD,
            ),
            Held("decided_by", "the operator who decided", Aim.ANSWER, Period.RECORD),
        ),
    ),
    "outbound_messages": Table(
        (
            Held("body", "what was sent to the person", Aim.SEND, Period.TEXT),
            Held(
                "idempotency_key content_digest",
                "the sender's own mark of the message",
                Aim.SEND,
                Period.TEXT,
            ),
            Held(
                "fingerprint provider_message_id program purpose created_at claimed_at updated_at",
                f"{_WHO} was sent what, when",
                Aim.PROOF,
                Period.RECORD,
                erased=False,
            ),
            Held(
                "status reason error_code segments cancel_failed_at",
                "what became of it",
                Aim.PROOF,
                Period.RECORD,
                erased=False,
            ),
        ),
        "id provider sender requester",
    ),
    "delivery_reports": Table(
        (
            Held(
                "provider_message_id status error_code names_opt_out reported_at",
                "what became of a message",
                Aim.PROOF,
                Period.RECORD,
                erased=False,
            ),
        ),
        "provider",
    ),
    "campaign_recipients": Table(
        (
            Held("fields", "what fills the text for the person", Aim.SEND, Period.TEXT),
            Held(
                "campaign_id position fingerprint status attempt due_at settled_at reason "
                "error_code message_id segments",
                f"{_WHO} was on which campaign's list, and what became of it",
                Aim.PROOF,
                Period.RECORD,
                erased=False,
            ),
        ),
    ),
    "link_tokens": Table(
        (Held("token_hash fingerprint", "the person's own page", Aim.SILENCE, Period.RECORD),),
    ),
    "handset_codes": Table(
        (
            Held(
                "fingerprint created_at expires_at attempts",
                f"{_WHO} asked for a code to see their data",
                Aim.PROTECT,
                Period.CODE,
            ),
        ),
        "code_id",
    ),
    "provider_deletions": Table(
        (
            Held(
                "provider_message_id asked_at done_at",
                "which copies the provider must delete",
                Aim.PROOF,
                Period.RECORD,
                erased=False,
            ),
        ),
        "provider certificate attempts next_attempt_at last_error",
    ),
    "copy_searches": Table(
        (
            Held(
                "fingerprint since until",
                "where to look for copies at the provider",
                Aim.PROTECT,
                Period.RECORD,
                erased=False,
            ),
        ),
        "id provider certificate attempts next_attempt_at last_error",
    ),
    "person_requests": Table(
        (
            Held(
                "fingerprint kind door asked_at closed_at",
                "that the person asked for their data or to be erased",
                Aim.ANSWER,
                Period.RECORD,
            ),
            Held("closed_by", "the operator who closed it", Aim.ANSWER, Period.RECORD),
        ),
        "id",
    ),
    "accesses": Table(
        (
            Held("fingerprint", "whose data were looked at", Aim.PROTECT, Period.RECORD),
            Held("who", "the operator or script", Aim.PROTECT, Period.RECORD, erased=False),
        ),
        "id at door what people",
    ),
    "rate_counts": Table(
        (Held("key", "hashed number or address", Aim.PROTECT, Period.WINDOW, erased=False),),
        "count expires_at",
    ),
    "simulator_messages": Table(
        (
            Held(
                "sender recipient body",
                "the simulated network's own log",
                Aim.SEND,
                Period.TEXT,
            ),
        ),
        "id sid direction status send_at created_at",
    ),
    "api_keys": Table(
        other="id name secret_hash program purpose created_at last_used_at revoked_at",
    ),
    "programs": Table(
        other="slug brand purpose language sender notice_url retention_days renewal_days "
        "double_opt_in yes_confirms join_words stop_words text_version notice_version "
        "controller_name controller_address privacy_contact quiet_from quiet_until cap_messages "
        "cap_days created_at"
    ),
    "consent_texts": Table(other="program version digest text created_at"),
    "privacy_notices": Table(other="program version digest text created_at"),
    "ledger_seals": Table(
        other="number first_id last_id ids leaves root previous digest sealed_at"
    ),
    "campaigns": Table(
        other="id name program purpose sender body status pause_reason resumes_at rate "
        "max_opt_out_share max_failure_share cost_per_segment plan created_at started_at "
        "finished_at counted_from ledger_from looked_at"
    ),
    "sender_paces": Table(other="sender paced_until"),
    "complete_spans": Table(other="id provider since until missed read_at"),
    "installation": Table(other="id fingerprint_check key_change encryption_check"),
}

# What an erasure does, beyond the consents, suppressions and ledger, which app.core.consent alone
# writes: the rows of one person that go, and the columns that are emptied in those that stay.
ROWS_THAT_GO: tuple[type[Any], ...] = (
    ReviewHold,
    OptInRequest,
    LinkToken,
    PersonRequest,
    HandsetCode,
)
EMPTIED: Mapping[type[Any], tuple[str, ...]] = {
    Subscriber: ("number", "language"),
    InboundMessage: ("body", "reply", "language", "opt_in_request_id"),
    OutboundMessage: ("body", "idempotency_key", "content_digest"),
    CampaignRecipient: ("fields",),
    Access: ("fingerprint",),
}
# Rows in which the number itself stands.
BY_NUMBER = SimulatorMessage


def named(table: Table) -> set[str]:
    """All columns of a table that the map names."""
    return {column for held in table.held for column in held.columns.split()} | set(
        table.other.split()
    )
