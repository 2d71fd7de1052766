"""Proof that somebody holds a person's handset: a one-time code, before data are given or erased.

A link can be forwarded, a handset not (GDPR art. 12(6), 32). The code is a keyed hash of a random
id, as those for joining are: nothing that is stored tells it. To a suppressed number it goes only
as the answer to its own text.
"""

import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.core import optin, person_requests, subscribers, wayout
from app.core.database import Database, insert
from app.core.drafts import Draft
from app.core.errors import CodeFault, CodeRefusedError, NotSentError, Reason
from app.core.limits import Limit, Limiter, network_of
from app.core.models import HandsetCode, Purpose, RequestKind
from app.core.outbound import Outbox
from app.core.phone import Phone, PhoneReader
from app.core.policy import Clock, Policy
from app.core.programs import all_terms, terms_of
from app.core.replies import Reply, render

_REQUESTER = "own page"
# A link that was forwarded must not become a code by guessing: twenty of a million each day.
_TRIES = Limit("tries of a handset's code", 20, timedelta(days=1))


@dataclass(frozen=True, slots=True)
class Way:
    """How a person can get a code: `by_sms` at the press of a button, else by texting for it.

    `can_text`: whether any sender can be texted; `sender`: its number, where it is one.
    """

    by_sms: bool
    can_text: bool
    sender: str | None


class Handsets:
    """Sends the codes and looks at what comes back. Every method raises NotFoundError for nobody.

    `fingerprint`: of the person behind a link.
    """

    def __init__(
        self,
        database: Database,
        phones: PhoneReader,
        policy: Policy,
        outbox: Outbox,
        clock: Clock,
    ) -> None:
        self._database = database
        self._phones = phones
        self._policy = policy
        self._outbox = outbox
        self._clock = clock
        self._limiter = Limiter(database, clock)

    def way(self, fingerprint: bytes) -> Way:
        """Changes nothing."""
        with self._database.read() as connection:
            return self._way(connection, fingerprint)

    def text_code(self, fingerprint: bytes, address: str, language: str) -> None:
        """Text a new code, in place of an earlier one.

        Raises NotSentError (suppressed, or the number is no longer known: the person must text),
        TooManyRequestsError, ProviderError.
        """
        self._limiter.spend(optin.BY_ADDRESS, network_of(address))
        self._limiter.spend(optin.by_number(self._policy), fingerprint.hex())
        with self._database.write() as connection:
            fingerprint = subscribers.lock_known(connection, fingerprint)
            number = subscribers.number_of(connection, fingerprint)
            if number is None or not self._way(connection, fingerprint).by_sms:
                raise NotSentError(Reason.SUPPRESSED)
            phone = self._phones.parse(number)
            code_id = open_code(connection, fingerprint, self._policy, self._clock())
            facts = {"link": link_to(connection, self._phones, self._policy, phone)}
            terms = terms_of(connection, self._policy.program, self._policy)
        kept = render(Reply.DATA_CODE, language, terms.brand, **facts)
        body = optin.with_code(kept, optin.code_of(self._phones, code_id))
        self._outbox.send(
            Draft(
                phone.e164,
                body,
                terms.slug,
                Purpose.SERVICE,
                terms.sender,
                _REQUESTER,
                kept_body=kept,
            )
        )

    def prove(self, fingerprint: bytes, code: str) -> None:
        """Use a code up. Raises CodeRefusedError, TooManyRequestsError (wrong ones, in a day)."""
        self._limiter.spend(_TRIES, fingerprint.hex())
        with self._database.write() as connection:
            fingerprint = subscribers.lock_known(connection, fingerprint)
            fault = self._use(connection, fingerprint, code)
        if fault is not None:
            raise CodeRefusedError(fault)

    def ask_operator(self, fingerprint: bytes, kind: RequestKind) -> None:
        """For who can't get a code: the wish waits for an operator, who has a month."""
        with self._database.write() as connection:
            fingerprint = subscribers.lock_known(connection, fingerprint)
            person_requests.note(connection, fingerprint, kind, "web", self._clock())

    def _use(self, connection: Connection, fingerprint: bytes, code: str) -> CodeFault | None:
        mine = HandsetCode.fingerprint == fingerprint
        waiting = connection.execute(sa.select(HandsetCode).where(mine)).first()
        fault = self._fault_of(waiting, code)
        if fault is None:
            connection.execute(sa.delete(HandsetCode).where(mine))
        elif fault is CodeFault.WRONG_CODE:
            tried = {"attempts": HandsetCode.attempts + 1}
            connection.execute(sa.update(HandsetCode).where(mine).values(tried))
            if waiting and waiting.attempts + 1 >= self._policy.code_attempts:
                return CodeFault.TOO_MANY_ATTEMPTS
        return fault

    def _fault_of(self, waiting: Any | None, code: str) -> CodeFault | None:
        if waiting is None or waiting.expires_at <= self._clock():
            return CodeFault.EXPIRED
        if waiting.attempts >= self._policy.code_attempts:
            return CodeFault.TOO_MANY_ATTEMPTS
        right = optin.code_of(self._phones, waiting.code_id).encode()
        same = hmac.compare_digest(right, code.encode("utf-8", "replace"))
        return None if same else CodeFault.WRONG_CODE

    def _way(self, connection: Connection, fingerprint: bytes) -> Way:
        number = subscribers.number_of(connection, fingerprint)
        program = self._policy.program
        silent = optin.is_suppressed(connection, fingerprint, program)
        senders = [terms.sender for terms in all_terms(connection, self._policy)]
        usable = [each for each in senders if wayout.can_be_answered(each)]
        numbers = [each for each in usable if each and not each.startswith("MG")]
        by_sms = number is not None and not silent
        return Way(by_sms, bool(usable), numbers[0] if numbers else None)


def open_code(connection: Connection, fingerprint: bytes, policy: Policy, now: datetime) -> str:
    """The id of a new code, in place of an earlier one; under the subscriber's lock."""
    row = {
        "code_id": secrets.token_hex(16),
        "created_at": now,
        "expires_at": now + policy.code_lifetime,
        "attempts": 0,
    }
    query = insert(HandsetCode).values(fingerprint=fingerprint, **row)
    query = query.on_conflict_do_update(index_elements=["fingerprint"], set_=row)
    connection.execute(query)
    return str(row["code_id"])


def link_to(connection: Connection, phones: PhoneReader, policy: Policy, phone: Phone) -> str:
    """The address of the person's own page, which exists from now on."""
    token = wayout.token_of(phones, phone)
    wayout.keep_token(connection, phone, token)
    return f"{policy.public_url}/u/{token}"
