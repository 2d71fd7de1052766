"""Sending: a row before the provider call, the gate's claim, the hand-over, the row after it.

The only caller of `provider.send`.
"""

import json
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Self

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.core import barrier, models, subscribers, wayout
from app.core.database import Database, insert
from app.core.errors import (
    IdempotencyConflictError,
    NotFoundError,
    NotSentError,
    ProviderError,
    ProviderOptedOutError,
    ProviderOutcomeUnknownError,
    Reason,
)
from app.core.gate import Scope, refusals
from app.core.models import DeliveryStatus, Purpose
from app.core.outcomes import Outcomes
from app.core.phone import Phone, PhoneReader
from app.core.policy import Clock, Policy
from app.core.provider import Acceptance, Carrier, OutgoingMessage
from app.core.segments import count_segments

_Row = models.OutboundMessage
_CLAIM = insert(_Row).on_conflict_do_nothing().returning(_Row)
_LANGUAGE = sa.select(models.Program.language).where(models.Program.slug == sa.bindparam("program"))

# A claim that is older is not handed over any more: whoever waits for it may stop waiting.
CLAIM_LIFETIME = timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class Draft:
    """What a caller wants sent. `requester` says who asks; idempotency keys are theirs alone.

    `options` are the provider's own fields, in its words, passed on as given. `kept_body` is
    stored in place of a body that holds a code.
    """

    to: str
    body: str | None
    program: str
    purpose: Purpose = Purpose.MARKETING
    sender: str | None = None
    requester: str = "script"
    idempotency_key: str | None = None
    options: Sequence[tuple[str, str]] = ()
    kept_body: str | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """A message that was handed to the provider; `segments` is what is paid for.

    `to` is E.164, None once the person was erased. `resource` is the provider's own description,
    empty where the answer is a repeated one.
    """

    id: str
    to: str | None
    status: DeliveryStatus
    provider_id: str | None
    segments: int
    resource: Mapping[str, Any] = field(default_factory=dict)

    @property
    def sid(self) -> str | None:
        """The provider's id under the name that scripts written for Twilio read."""
        return self.provider_id


class Outbox:
    """The only way out of the house."""

    def __init__(
        self,
        database: Database,
        provider: Carrier,
        phones: PhoneReader,
        policy: Policy,
        clock: Clock,
        sleep: barrier.Sleep = time.sleep,
    ) -> None:
        self._database = database
        self._provider = provider
        self._phones = phones
        self._policy = policy
        self._clock = clock
        self._sleep = sleep
        self._outcomes = Outcomes(database, clock, sleep)

    def through(self, carrier: Carrier) -> Self:
        """The same way out, with another carrier of the messages."""
        return type(self)(
            self._database, carrier, self._phones, self._policy, self._clock, self._sleep
        )

    def send(self, draft: Draft) -> Receipt:
        """Send one message, if its number may get it now.

        Raises InvalidNumberError, NotSentError (the gate or the provider knows of an opt-out),
        ProviderError (the provider did not take it), ProviderOutcomeUnknownError (it may have),
        IdempotencyConflictError, StorageUnavailableError (it was not sent).
        """
        phone = self._phones.parse(draft.to)
        claimed, body = self._claim(draft, phone)
        if body is None:
            return self._first_answer(claimed, phone)
        if claimed.reason is not None:
            raise NotSentError(Reason(claimed.reason))
        message = OutgoingMessage(phone, body or None, draft.sender, draft.options)
        return self._hand_over(claimed, message)

    def status(self, message_id: str, program: str | None = None) -> Receipt:
        """What became of a message, of any program or of this one. Raises NotFoundError."""
        query = sa.select(_Row, models.Subscriber.number).join(
            models.Subscriber, models.Subscriber.fingerprint == _Row.fingerprint
        )
        query = query.where(_Row.id == message_id)
        if program is not None:
            query = query.where(_Row.program == program)
        with self._database.read() as connection:
            row = connection.execute(query).first()
        if row is None:
            raise NotFoundError("there is no message with this id")
        return Receipt(
            row.id, row.number, DeliveryStatus(row.status), row.provider_message_id, row.segments
        )

    def _claim(self, draft: Draft, phone: Phone) -> tuple[Any, str | None]:
        """Decide and write down, in one transaction ordered with every STOP of this number.

        The row and the text to send; no text where the idempotency key has had its answer.
        """
        now = self._clock()
        with self._database.write() as connection:
            subscribers.lock(connection, phone, now)
            scope = Scope(draft.program, draft.purpose)
            person = phone.fingerprint
            reason = refusals(connection, [person], scope, self._policy, now).get(person)
            if reason is Reason.UNKNOWN_PROGRAM:
                raise NotSentError(reason)  # a caller's slip, nothing to keep of this number
            body = draft.body or ""
            if reason is None and draft.purpose is Purpose.MARKETING and not _is_template(draft):
                body = self._with_way_out(connection, draft, phone)
            row = self._row(draft, phone, body, now)
            if reason is not None:
                row |= {"status": DeliveryStatus.REFUSED, "reason": reason, "body": None}
            added = connection.execute(_CLAIM, row).first()
            if added is not None:
                return added, body
            return self._first_with_same_key(connection, row), None

    def _with_way_out(self, connection: Connection, draft: Draft, phone: Phone) -> str:
        which = {"program": draft.program}
        language = connection.execute(_LANGUAGE, which).scalar() or self._policy.language
        token = wayout.token_of(self._phones, phone)
        if not wayout.can_be_answered(draft.sender):
            wayout.keep_token(connection, phone, token)
        return wayout.with_way_out(draft.body, draft.sender, language, self._policy, token)

    def _row(self, draft: Draft, phone: Phone, body: str, now: datetime) -> dict[str, Any]:
        return {
            "id": secrets.token_hex(16),
            "provider": self._provider.name,
            "fingerprint": phone.fingerprint,
            "program": draft.program,
            "purpose": draft.purpose,
            "sender": draft.sender,
            "body": draft.kept_body or body,
            "segments": count_segments(body).count,
            "status": DeliveryStatus.CLAIMED,
            "requester": draft.requester,
            "idempotency_key": draft.idempotency_key,
            "content_digest": self._digest(draft, phone) if draft.idempotency_key else None,
            "created_at": now,
            "updated_at": now,
        }

    def _digest(self, draft: Draft, phone: Phone) -> bytes:
        content = [phone.e164, draft.body, draft.program, draft.purpose, draft.sender]
        return self._phones.fingerprint(json.dumps([content, list(draft.options)]))

    def _first_with_same_key(self, connection: Connection, row: Mapping[str, Any]) -> Any:
        query = sa.select(_Row).where(
            _Row.requester == row["requester"], _Row.idempotency_key == row["idempotency_key"]
        )
        first = connection.execute(query).first()
        if first is None or first.content_digest != row["content_digest"]:
            raise IdempotencyConflictError(
                "this idempotency_key was used for a different message: use a new key"
            )
        return first

    def _first_answer(self, first: Any, phone: Phone) -> Receipt:
        """What the first call with this idempotency key was told, once it has been told it."""
        barrier.wait_for(self._database, [first.id], self._sleep)
        with self._database.read() as connection:
            settled = connection.execute(sa.select(_Row).where(_Row.id == first.id)).one()
        return _repeated(settled, phone)

    def _hand_over(self, claimed: Any, message: OutgoingMessage) -> Receipt:
        try:
            accepted = self._carry(claimed, message)
        except ProviderError as error:
            self._outcomes.record_failure(claimed, error)
            if isinstance(error, ProviderOptedOutError):
                raise NotSentError(Reason.SUPPRESSED) from error
            raise
        status = self._outcomes.record_acceptance(claimed, accepted)
        return Receipt(
            claimed.id,
            message.to.e164,
            status,
            accepted.provider_message_id,
            claimed.segments,
            accepted.resource,
        )

    def _carry(self, claimed: Any, message: OutgoingMessage) -> Acceptance:
        """Hand the message over; whatever goes wrong becomes a ProviderError."""
        # No transaction is open here: a slow provider must not hold a number's lock, and what a
        # STOP waits for is this row's status, not a connection.
        if self._clock() - claimed.created_at > CLAIM_LIFETIME:
            raise ProviderError("not sent in time; send it again", permanent=False)
        try:
            return self._provider.send(message)
        except ProviderError:
            raise
        except Exception as error:
            raise ProviderOutcomeUnknownError("the provider failed in an unforeseen way") from error


def _is_template(draft: Draft) -> bool:
    """A text that the provider itself holds and fills: nothing can be added to it here."""
    return not draft.body and any(name == "ContentSid" for name, _ in draft.options)


def _repeated(first: Any, phone: Phone) -> Receipt:
    """The first answer again, whatever it was."""
    if first.status == DeliveryStatus.REFUSED:
        raise NotSentError(Reason(first.reason))
    if first.status == DeliveryStatus.FAILED and first.provider_message_id is None:
        raise ProviderError(
            "the provider did not take this message the first time",
            code=first.error_code or 0,
            permanent=first.idempotency_key is not None,
        )
    if first.status in {DeliveryStatus.CLAIMED, DeliveryStatus.UNKNOWN}:
        raise ProviderOutcomeUnknownError(
            "it is not known whether the provider took this message the first time"
        )
    status = DeliveryStatus(first.status)
    return Receipt(first.id, phone.e164, status, first.provider_message_id, first.segments)
