"""Claims: the decision to send one message, written down before the provider is called.

Each is made in one transaction that holds the number's lock, so that the database orders it with
every STOP of that number (app.core.barrier).
"""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.core import consent, models, subscribers, wayout
from app.core.consent import Evidence
from app.core.database import Database, insert
from app.core.drafts import Draft
from app.core.errors import IdempotencyConflictError, NotSentError, ProviderError, Reason
from app.core.gate import Refusal, Scope, refusals
from app.core.models import DeliveryStatus, Purpose
from app.core.phone import Phone, PhoneReader
from app.core.policy import Clock, Policy
from app.core.provider import Carrier
from app.core.segments import count_segments
from app.core.statements import Statement

_Row = models.OutboundMessage
_CLAIM = Statement(
    insert(_Row)
    .on_conflict_do_nothing()
    .returning(_Row.id, _Row.provider, _Row.fingerprint, _Row.segments, _Row.reason)
)
_LANGUAGE = Statement(
    sa.select(models.Program.language).where(models.Program.slug == sa.bindparam("program"))
)

# A claim that is older is not handed over any more: whoever waits for it may stop waiting.
CLAIM_LIFETIME = timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class Claimed:
    """A row that may be handed over until `at` + CLAIM_LIFETIME, and the text to send.

    `first`: the idempotency key has had its answer, which this row holds; nothing is to be sent.
    `detail`: what the gate said besides the row's reason.
    """

    row: Any
    at: datetime
    body: str = ""
    first: bool = False
    detail: str | None = None


class Claims:
    """Makes claims, for messages that `provider` will carry."""

    def __init__(
        self,
        database: Database,
        provider: Carrier,
        phones: PhoneReader,
        policy: Policy,
        clock: Clock,
    ) -> None:
        self._database = database
        self._provider = provider
        self._phones = phones
        self._policy = policy
        self._clock = clock

    def make(self, draft: Draft, phone: Phone) -> Claimed:
        """Ask the gate and write its answer down. The row's `reason` is the gate's, if it refuses.

        Raises NotSentError for an unknown program, IdempotencyConflictError.
        """
        now = self._clock()
        with self._database.write() as connection:
            subscribers.lock(connection, phone, now)
            refusal = self._refusal(connection, draft, phone, now)
            if refusal and refusal.reason is Reason.UNKNOWN_PROGRAM:
                raise NotSentError(refusal.reason)  # a caller's slip: nothing to keep of the number
            body = draft.body or ""
            is_ours = draft.purpose is not Purpose.SERVICE and not _is_template(draft)
            if refusal is None and is_ours:
                body = self._with_way_out(connection, draft, phone)
            row = self._row(draft, phone, body, now)
            if refusal is not None:
                row |= {"status": DeliveryStatus.REFUSED, "reason": refusal.reason, "body": None}
            added = _CLAIM.run(connection, row)
            if not added:
                return Claimed(self._first_with_same_key(connection, row), now, first=True)
            if refusal is None and draft.purpose is Purpose.RENEWAL:
                said = Evidence(draft.requester, row["body"], {"message": row["id"]})
                consent.note_renewal(connection, phone.fingerprint, draft.program, said, now)
        return Claimed(added[0], now, body, detail=refusal.detail if refusal else None)

    def renew(self, claimed: Claimed, draft: Draft, phone: Phone) -> Claimed:
        """Ask the gate again after a pause in which nobody had to wait for this message.

        Raises NotSentError where the gate refuses now, ProviderError where it was given up.
        """
        now = self._clock()
        with self._database.write() as connection:
            subscribers.lock_known(connection, phone.fingerprint)
            refusal = self._refusal(connection, draft, phone, now)
            values = {"status": DeliveryStatus.CLAIMED, "claimed_at": now, "updated_at": now}
            if refusal is not None:
                values |= {"status": DeliveryStatus.REFUSED, "reason": refusal.reason, "body": None}
            waiting = sa.update(_Row).where(
                _Row.id == claimed.row.id, _Row.status == DeliveryStatus.RETRYING
            )
            if not connection.execute(waiting.values(values)).rowcount:
                raise ProviderError("not sent in time; send it again", permanent=False)
        if refusal is not None:
            raise NotSentError(refusal.reason, refusal.detail)
        return Claimed(claimed.row, now, claimed.body)

    def make_answer(self, inbound_id: int, text: str, phone: Phone, draft: Draft) -> Claimed | None:
        """Claim the answer to a text that came in, whatever is suppressed: see app.core.answers.

        None where it was claimed before, or the person has texted since: then it is no answer.
        """
        now = self._clock()
        inbound = models.InboundMessage
        later = sa.exists().where(inbound.fingerprint == phone.fingerprint, inbound.id > inbound_id)
        with self._database.write() as connection:
            subscribers.lock(connection, phone, now)
            if connection.execute(sa.select(later)).scalar():
                return None
            row = self._row(draft, phone, text, now)
            added = _CLAIM.run(connection, row)
        return Claimed(added[0], now, text) if added else None

    def _refusal(
        self, connection: Connection, draft: Draft, phone: Phone, now: datetime
    ) -> Refusal | None:
        scope = Scope(draft.program, draft.purpose)
        found = refusals(connection, [phone], scope, self._policy, now, draft.send_at)
        return found.get(phone.fingerprint)

    def _with_way_out(self, connection: Connection, draft: Draft, phone: Phone) -> str:
        token = wayout.token_of(self._phones, phone)
        if not wayout.can_be_answered(draft.sender):
            wayout.keep_token(connection, phone, token)
        body = draft.body or ""
        if wayout.is_in(body, draft.sender, self._policy, token):
            return body
        (program,) = _LANGUAGE.run(connection, {"program": draft.program})
        language = program.language or self._policy.language
        return wayout.with_way_out(body, draft.sender, language, self._policy, token)

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
            "claimed_at": now,
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
        is_same = first is not None and self._phones.is_same(
            first.content_digest or b"", row["content_digest"]
        )
        if not is_same:
            raise IdempotencyConflictError(
                "this idempotency_key was used for a different message: use a new key"
            )
        return first


def _is_template(draft: Draft) -> bool:
    """A text that the provider itself holds and fills: nothing can be added to it here."""
    return not draft.body and any(name == "ContentSid" for name, _ in draft.options)
