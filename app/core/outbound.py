"""Sending: a row before the provider call, the gate's claim, the hand-over, the row after it.

The only caller of `provider.send`.
"""

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any, Self

import sqlalchemy as sa

from app.core import barrier, models, subscribers
from app.core.claims import CLAIM_LIFETIME, Claimed, Claims
from app.core.database import Database
from app.core.drafts import Draft, Receipt
from app.core.errors import (
    NotFoundError,
    NotSentError,
    ProviderError,
    ProviderOptedOutError,
    ProviderOutcomeUnknownError,
    Reason,
)
from app.core.known import ANSWER_WITHIN, Silence
from app.core.models import DeliveryStatus, Purpose
from app.core.outcomes import Outcomes
from app.core.phone import Phone, PhoneReader
from app.core.policy import Clock, Policy
from app.core.provider import Acceptance, Carrier, OutgoingMessage
from app.core.replies import CODE_PLACE
from app.core.retries import pause_after
from app.core.scheduled import ScheduledMessages

__all__ = ["CLAIM_LIFETIME", "Draft", "Outbox", "Receipt"]

_Row = models.OutboundMessage


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
        scheduled: ScheduledMessages | None = None,
    ) -> None:
        self._database = database
        self._provider = provider
        self._phones = phones
        self._policy = policy
        self._clock = clock
        self._sleep = sleep
        self._scheduled = scheduled
        self._claims = Claims(database, provider, phones, policy, clock)
        self._outcomes = Outcomes(database, clock, sleep)

    def through(self, carrier: Carrier) -> Self:
        """The same way out, with another carrier of the messages."""
        return type(self)(
            self._database,
            carrier,
            self._phones,
            self._policy,
            self._clock,
            self._sleep,
            self._scheduled,
        )

    def send(self, draft: Draft) -> Receipt:
        """Send one message, if its number may get it now.

        What surely never reached the provider is tried again, a few times in a few seconds, each
        time through the gate. Raises InvalidNumberError, NotSentError (the gate or the provider
        knows of an opt-out), ProviderError (the provider did not take it),
        ProviderOutcomeUnknownError (it may have), IdempotencyConflictError,
        StorageUnavailableError (it was not sent).
        """
        phone = self._phones.parse(draft.to)
        claimed = self._claims.make(draft, phone)
        if claimed.first:
            return self._first_answer(claimed.row, phone)
        if claimed.row.reason is not None:
            raise NotSentError(Reason(claimed.row.reason), claimed.detail)
        message = OutgoingMessage(phone, claimed.body or None, draft.sender, draft.options)
        return self._hand_over(claimed, message, lambda: self._claims.renew(claimed, draft, phone))

    def answer(self, inbound_message_id: int, code: str | None = None) -> Receipt | None:
        """Send the answer to a text that was not answered in its webhook; None where it is none.

        The one way past the gate, for a STOP's confirmation must reach a suppressed number, and so
        a narrow one: the text is the stored answer of Inbox and nothing else, it goes to who sent
        the text, once, within ANSWER_WITHIN and only if the person has texted nothing since. Its
        row says by its requester what it was. `code`: what belongs in the stored answer's place
        for it. Raises as `send` does.
        """
        query = sa.select(models.InboundMessage).where(
            models.InboundMessage.id == inbound_message_id
        )
        with self._database.read() as connection:
            text = connection.execute(query).first()
        if text is None or text.silence != Silence.ANSWERED_APART or text.reply is None:
            return None
        phone = self._number_of(text.fingerprint)
        if phone is None or self._clock() - text.received_at > ANSWER_WITHIN:
            return None
        body = text.reply.replace(CODE_PLACE, code or "")
        draft = Draft(
            phone.e164,
            body,
            self._policy.program,
            Purpose.SERVICE,
            text.recipient,
            "answer",
            str(inbound_message_id),
            kept_body=text.reply,
        )
        claimed = self._claims.make_answer(inbound_message_id, body, phone, draft)
        if claimed is None:
            return None
        return self._hand_over(claimed, OutgoingMessage(phone, body, text.recipient))

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

    def _number_of(self, fingerprint: bytes) -> Phone | None:
        fingerprint = subscribers.current(self._database, fingerprint)
        with self._database.read() as connection:
            number = subscribers.number_of(connection, fingerprint)
        return None if number is None else self._phones.read_sender(number)

    def _first_answer(self, first: Any, phone: Phone) -> Receipt:
        """What the first call with this idempotency key was told, once it has been told it."""
        barrier.wait_for(self._database, [first.id], self._sleep)
        with self._database.read() as connection:
            settled = connection.execute(sa.select(_Row).where(_Row.id == first.id)).one()
        return _repeated(settled, phone)

    def _hand_over(
        self,
        claimed: Claimed,
        message: OutgoingMessage,
        renew: Callable[[], Claimed] | None = None,
    ) -> Receipt:
        """Hand over, again while that can't send it twice; `renew` asks the gate for each more."""
        attempts = 0
        while True:
            attempts += 1
            try:
                accepted = self._carry(claimed.at, message)
            except ProviderError as error:
                pause = pause_after(error, attempts) if renew else None
                if pause is None or renew is None:
                    self._give_up(claimed.row, error)
                    raise
            else:
                return self._taken(claimed.row, message, accepted)
            # Nothing is claimed during the pause: no STOP waits for a message that is not on its
            # way, and one that comes now is seen by the gate.
            self._outcomes.record_pause(claimed.row)
            self._sleep(pause)
            claimed = renew()

    def _give_up(self, row: Any, error: ProviderError) -> None:
        self._outcomes.record_failure(row, error)
        if isinstance(error, ProviderOptedOutError):
            raise NotSentError(Reason.SUPPRESSED) from error

    def _taken(self, row: Any, message: OutgoingMessage, accepted: Acceptance) -> Receipt:
        status = self._outcomes.record_acceptance(row, accepted)
        if status is DeliveryStatus.SCHEDULED and self._scheduled is not None:
            # A STOP that was answered meanwhile did not see it yet as one to be cancelled.
            self._scheduled.cancel_unwanted(row.fingerprint)
        return Receipt(
            row.id,
            message.to.e164,
            status,
            accepted.provider_message_id,
            row.segments,
            accepted.resource,
        )

    def _carry(self, claimed_at: datetime, message: OutgoingMessage) -> Acceptance:
        """Hand the message over; whatever goes wrong becomes a ProviderError."""
        # No transaction is open here: a slow provider must not hold a number's lock, and what a
        # STOP waits for is this row's status, not a connection.
        if self._clock() - claimed_at > CLAIM_LIFETIME:
            raise ProviderError("not sent in time; send it again", permanent=False)
        try:
            return self._provider.send(message)
        except ProviderError:
            raise
        except Exception as error:
            raise ProviderOutcomeUnknownError("the provider failed in an unforeseen way") from error


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
    if first.status in {DeliveryStatus.CLAIMED, DeliveryStatus.RETRYING, DeliveryStatus.UNKNOWN}:
        raise ProviderOutcomeUnknownError(
            "it is not known whether the provider took this message the first time"
        )
    status = DeliveryStatus(first.status)
    return Receipt(first.id, phone.e164, status, first.provider_message_id, first.segments)
