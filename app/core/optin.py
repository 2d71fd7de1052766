"""Double opt-in: a request, a one-time code to the handset, and the code's way back.

A code is a keyed hash of its request's random id: nothing that is stored tells it, and yet a
repeated webhook gets the same answer again. The functions that take a connection work inside the
caller's transaction, which holds the subscriber's lock: so a code is used once, even when two
answers arrive together.
"""

import hmac
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.core import consent, subscribers
from app.core.barrier import ABANDONED_AFTER
from app.core.consent import Evidence, Given
from app.core.database import Database
from app.core.errors import (
    CodeFault,
    CodeRefusedError,
    NotAllowedHereError,
    NotFoundError,
    NotSentError,
    Reason,
)
from app.core.limits import Limit, Limiter, network_of
from app.core.models import (
    ALL_PROGRAMS,
    Act,
    Channel,
    Consent,
    OptInRequest,
    Program,
    Purpose,
    RequestStatus,
    Suppression,
)
from app.core.notices import notice_shown
from app.core.outbound import Draft, Outbox
from app.core.phone import Phone, PhoneReader
from app.core.policy import Clock, Policy
from app.core.programs import (
    Terms,
    digest_kept,
    keep_text,
    notice_address,
    terms_of,
    text_digest,
)
from app.core.replies import CODE_PLACE, Reply, render, with_notice
from app.core.wayout import can_be_answered

_HOUR = timedelta(hours=1)
_PREFIX_TAIL = 4  # the last digits of a number: pumping walks through them
_BY_PREFIX = Limit("codes by prefix", 20, _HOUR)
BY_ADDRESS = Limit("codes by address", 10, _HOUR)


@dataclass(frozen=True, slots=True)
class Join:
    """Somebody asks to join a program.

    `door`: web, api or sms; `source`: the form's address, the API key's name and what it says, or
    the sender that was texted. `text`: what was shown, None for the program's current one.
    `address` and `user_agent`: of the browser, where there is one. `said`: the text that asked.
    `request_id`: chosen by a form, so that the same form sent twice asks once.
    `details`: who handed it in, for the ledger; as in Evidence.
    """

    to: str
    program: str
    door: str
    source: str
    text: str | None = None
    language: str | None = None
    channel: Channel = Channel.SMS
    email: str | None = None
    address: str | None = None
    user_agent: str | None = None
    said: str | None = None
    request_id: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def filled_in(self) -> str:
        """What a form brought, as JSON: in the ledger it stands where a text's words stand."""
        fields = {
            "source": self.source,
            "channel": self.channel,
            "email": self.email,
            "address": self.address,
            "user_agent": self.user_agent,
        }
        return json.dumps({name: value for name, value in fields.items() if value is not None})


@dataclass(frozen=True, slots=True)
class Pending:
    """A request that waits for its code, or (status `active`) needs none."""

    id: str
    status: RequestStatus
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Opened:
    """A request just written down; `code` is None where the program needs no code."""

    id: str
    code: str | None
    expires_at: datetime


class OptIns:
    """The doors that are not the handset: the web form and the API."""

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

    def request(self, join: Join) -> Pending:
        """Write the request down and send its code to the number.

        Raises InvalidNumberError, NotFoundError (the program), NotSentError (suppressed: the way
        back is START from the handset), NotAllowedHereError (the country), TooManyRequestsError.
        """
        phone = self._phones.parse(join.to)
        self._refuse_pumping(phone, join)
        now = self._clock()
        with self._database.write() as connection:
            terms = terms_of(connection, join.program, self._policy)
            subscribers.lock(connection, phone, now)
            if is_suppressed(connection, phone.fingerprint, terms.slug):
                raise NotSentError(Reason.SUPPRESSED)
            earlier = _request(connection, join.request_id) if join.request_id else None
            if earlier is not None and _is_on_its_way(earlier, now):
                return Pending(earlier.id, earlier.status, earlier.code_expires_at)
            if earlier is not None:  # that one is over: the form asks anew
                join = replace(join, request_id=None)
            opened = open_request(connection, self._phones, self._policy, phone, terms, join, now)
        if opened.code is None:
            return Pending(opened.id, RequestStatus.ACTIVE, opened.expires_at)
        self._send_code(opened, phone, terms, join)
        return Pending(opened.id, RequestStatus.PENDING, opened.expires_at)

    def confirm(
        self,
        request_id: str,
        code: str,
        *,
        door: str = "web",
        program: str | None = None,
        details: Mapping[str, Any] | None = None,
        said: str | None = None,
    ) -> Terms:
        """The code was typed in by the person who asked. Raises CodeRefusedError, NotFoundError.

        `program`: the only one whose requests this caller may confirm; None for any. `details`:
        who handed the code in, for the ledger; `said`: the browser that did, which erasure reaches.
        """
        fault = None
        with self._database.write() as connection:
            fingerprint = _asked_by(connection, request_id, program)
            subscribers.lock_known(connection, fingerprint)
            request = _request(connection, request_id)
            now = self._clock()
            fault = _fault_of(self._phones, self._policy, request, code, now)
            terms = terms_of(connection, request.program, self._policy)
            if fault is None:
                _activate(connection, request, terms, door, request_id, now, details, said)
            elif fault is CodeFault.WRONG_CODE:
                fault = _count_attempt(connection, [request], self._policy)
        if fault is not None:
            raise CodeRefusedError(fault)
        return terms

    def _refuse_pumping(self, phone: Phone, join: Join) -> None:
        """A code costs money and lands on somebody's handset: few, and near home."""
        if phone.region not in self._policy.opt_in_regions:
            raise NotAllowedHereError(
                "numbers of this country can't join here: text the join word instead"
            )
        if join.address:
            self._limiter.spend(BY_ADDRESS, network_of(join.address))
        self._limiter.spend(_BY_PREFIX, phone.e164[:-_PREFIX_TAIL])
        self._limiter.spend(by_number(self._policy), phone.fingerprint.hex())

    def _send_code(self, opened: Opened, phone: Phone, terms: Terms, join: Join) -> None:
        language = join.language or terms.language
        can_answer = can_be_answered(terms.sender)
        reply = Reply.JOIN_CODE_FOR_PAGE if can_answer else Reply.JOIN_CODE_FOR_FORM
        kept = with_notice(
            render(reply, language, terms.brand, purpose=terms.purpose),
            language,
            notice_address(terms, self._policy),
        )
        draft = Draft(
            phone.e164,
            with_code(kept, opened.code),
            terms.slug,
            Purpose.SERVICE,
            terms.sender,
            "opt-in",
            kept_body=kept,
        )
        receipt = self._outbox.send(draft)
        now = self._clock()
        with self._database.write() as connection:
            subscribers.lock(connection, phone, now)
            note_code_sent(connection, opened.id, receipt.provider_id, kept, now)


def open_request(
    connection: Connection,
    phones: PhoneReader,
    policy: Policy,
    phone: Phone,
    terms: Terms,
    join: Join,
    now: datetime,
) -> Opened:
    """Write a request down, in place of an earlier one, with a new code."""
    _close(connection, phone.fingerprint, terms.slug, RequestStatus.SUPERSEDED)
    request_id = join.request_id or secrets.token_hex(16)
    code = code_of(phones, request_id) if terms.double_opt_in else None
    expires_at = now + policy.code_lifetime
    request = _write_down(connection, phone, terms, join, request_id, expires_at, now)
    details = {
        **join.details,
        "request": request_id,
        "text_version": request.text_version,
        "text_sha256": text_digest(join.text or terms.text).hex(),
        **notice_shown(connection, request),
        "language": request.language,
    }
    evidence = Evidence(join.door, join.said or join.filled_in, details)
    consent.record(connection, Act.JOIN, phone.fingerprint, terms.slug, evidence, now)
    if code is None:
        _activate(connection, request, terms, join.door, None, now, join.details)
    return Opened(request_id, code, expires_at)


def _write_down(
    connection: Connection,
    phone: Phone,
    terms: Terms,
    join: Join,
    request_id: str,
    expires_at: datetime,
    now: datetime,
) -> Any:
    row = {
        "id": request_id,
        "fingerprint": phone.fingerprint,
        "program": terms.slug,
        "status": RequestStatus.PENDING,
        "door": join.door,
        "source": join.source,
        "text_version": keep_text(connection, terms.slug, join.text or terms.text, now),
        "notice_url": terms.notice_url,
        "notice_version": terms.notice_version,
        "language": join.language or terms.language,
        "channel": join.channel,
        "email": join.email,
        "address": join.address,
        "user_agent": join.user_agent,
        "code_expires_at": expires_at,
        "created_at": now,
    }
    query = sa.insert(OptInRequest).values(row).returning(OptInRequest)
    return connection.execute(query).one()


def note_code_sent(
    connection: Connection,
    request_id: str,
    message_id: str | None,
    prompt: str,
    now: datetime,
    carried_by: str = "message",
) -> None:
    """When the code left, in which words and as which message of the provider: part of the proof.

    `prompt`: those words, CODE_PLACE where the code was.

    `carried_by`: "message", or "reply" where the code was the answer to a text; then `message_id`
    is that text's, as a webhook's answer has no id of its own.
    """
    request = connection.execute(
        sa.update(OptInRequest)
        .where(OptInRequest.id == request_id)
        .values(code_sent_at=now, code_message_id=message_id, prompt=prompt)
        .returning(OptInRequest.fingerprint, OptInRequest.program)
    ).one()
    details = {
        "request": request_id,
        "provider_message_id": message_id,
        "carried_by": carried_by,
        "prompt_sha256": text_digest(prompt).hex(),
    }
    evidence = Evidence("sms", details=details)
    consent.record(connection, Act.CODE_SENT, request.fingerprint, request.program, evidence, now)


def answer(
    connection: Connection,
    phones: PhoneReader,
    policy: Policy,
    phone: Phone,
    code: str | None,
    message_id: str,
    now: datetime,
    said_at: datetime,
) -> Terms | CodeFault | None:
    """The handset answers with a code, or (None) with a plain yes.

    The program that is joined now, what is wrong with the code, or None: nothing was pending that
    this could answer. A yes counts only where the program allows it and one request is pending.
    `said_at`: when the person answered, by which a code is good or over.
    """
    waiting = _pending(connection, phone.fingerprint)
    if not waiting:
        return None
    if code is None:
        return _answer_yes(connection, policy, waiting, message_id, now)
    fault = CodeFault.EXPIRED
    for request in waiting:
        found = _fault_of(phones, policy, request, code, said_at)
        if found is None:
            terms = terms_of(connection, request.program, policy)
            _activate(connection, request, terms, "sms", message_id, now)
            return terms
        if found is CodeFault.WRONG_CODE:
            fault = found
    if fault is CodeFault.WRONG_CODE:
        return _count_attempt(connection, waiting, policy)
    return fault


def decline(connection: Connection, fingerprint: bytes, program: str) -> None:
    """An opt-out ends what was pending too."""
    _close(connection, fingerprint, program, RequestStatus.DECLINED)


def with_code(text: str, code: str | None) -> str:
    """Put the code where the text has a place for it; only the text without it is ever stored."""
    return text.replace(CODE_PLACE, code or "")


def consents_in_force(connection: Connection, fingerprint: bytes, now: datetime) -> list[Any]:
    """The rows of Consent that count now."""
    query = sa.select(Consent).where(
        Consent.fingerprint == fingerprint,
        Consent.withdrawn_at.is_(None),
        Consent.expires_at > now,
    )
    return list(connection.execute(query.order_by(Consent.given_at)).all())


def door_of(connection: Connection, request_id: str) -> str:
    """The door by which a consent came in: web, api, sms or import."""
    query = sa.select(OptInRequest.door).where(OptInRequest.id == request_id)
    return connection.execute(query).scalar() or "import"


def _answer_yes(
    connection: Connection, policy: Policy, waiting: Sequence[Any], message_id: str, now: datetime
) -> Terms | None:
    valid = [request for request in waiting if request.code_expires_at > now]
    if len(valid) != 1:
        return None
    terms = terms_of(connection, valid[0].program, policy)
    if not terms.yes_confirms:
        return None
    _activate(connection, valid[0], terms, "sms", message_id, now)
    return terms


def _pending(connection: Connection, fingerprint: bytes) -> Sequence[Any]:
    query = sa.select(OptInRequest).where(
        OptInRequest.fingerprint == fingerprint, OptInRequest.status == RequestStatus.PENDING
    )
    return connection.execute(query.order_by(OptInRequest.created_at.desc())).all()


def _fault_of(
    phones: PhoneReader, policy: Policy, request: Any, code: str, now: datetime
) -> CodeFault | None:
    if request.status == RequestStatus.REFUSED or request.attempts >= policy.code_attempts:
        return CodeFault.TOO_MANY_ATTEMPTS
    if request.status != RequestStatus.PENDING or request.code_expires_at <= now:
        return CodeFault.EXPIRED
    said = code.strip().encode("utf-8", "replace")
    if not hmac.compare_digest(code_of(phones, request.id).encode(), said):
        return CodeFault.WRONG_CODE
    return None


def _count_attempt(connection: Connection, waiting: Sequence[Any], policy: Policy) -> CodeFault:
    """A wrong code counts against every request that it could have meant."""
    fault = CodeFault.WRONG_CODE
    for request in waiting:
        values: dict[str, Any] = {"attempts": request.attempts + 1}
        if request.attempts + 1 >= policy.code_attempts:
            values["status"] = RequestStatus.REFUSED
            fault = CodeFault.TOO_MANY_ATTEMPTS
        query = sa.update(OptInRequest).where(OptInRequest.id == request.id)
        connection.execute(query.values(values))
    return fault


def _activate(
    connection: Connection,
    request: Any,
    terms: Terms,
    door: str,
    message_id: str | None,
    now: datetime,
    details: Mapping[str, Any] | None = None,
    said: str | None = None,
) -> None:
    proof = _proof(connection, request, terms, message_id)
    evidence = Evidence(door, said, {**(details or {}), **proof})
    if door == "sms":
        # The code from the handset is the person's word, and lifts what it contradicts.
        _lift_for(connection, request.fingerprint, terms.slug, evidence, now)
    given = Given(
        terms.slug,
        request.id,
        request.text_version,
        now + terms.retention,
        Channel(request.channel),
        request.email,
    )
    consent.give(connection, request.fingerprint, given, evidence, now)
    connection.execute(
        sa.update(OptInRequest)
        .where(OptInRequest.id == request.id)
        .values(status=RequestStatus.ACTIVE, confirmed_at=now, confirmed_by=message_id)
    )


def _proof(
    connection: Connection, request: Any, terms: Terms, message_id: str | None
) -> dict[str, Any]:
    """What the ledger keeps of a code's round trip, and of the text that was agreed to."""
    sent_at = request.code_sent_at
    return {
        "request": request.id,
        "text_version": request.text_version,
        "text_sha256": digest_kept(connection, terms.slug, request.text_version).hex(),
        **notice_shown(connection, request),
        "confirmed_by": message_id,
        "code_message_id": request.code_message_id,
        "code_sent_at": sent_at.isoformat() if sent_at else None,
        "wrong_codes_before": request.attempts,
        "double_opt_in": terms.double_opt_in,
    }


def _lift_for(
    connection: Connection, fingerprint: bytes, program: str, evidence: Evidence, now: datetime
) -> None:
    """Let messages of one program through again; a STOP to all goes on for the others."""
    consent.lift(connection, fingerprint, program, evidence, now, Act.OPT_IN)
    if consent.lift(connection, fingerprint, ALL_PROGRAMS, evidence, now, Act.OPT_IN):
        others = sa.select(Program.slug).where(Program.slug != program)
        for other in connection.execute(others).scalars().all():
            consent.suppress(connection, fingerprint, other, consent.OPT_OUT, evidence, now)


def _close(connection: Connection, fingerprint: bytes, program: str, status: RequestStatus) -> None:
    query = sa.update(OptInRequest).where(
        OptInRequest.fingerprint == fingerprint, OptInRequest.status == RequestStatus.PENDING
    )
    if program != ALL_PROGRAMS:
        query = query.where(OptInRequest.program == program)
    connection.execute(query.values(status=status))


def _request(connection: Connection, request_id: str) -> Any:
    query = sa.select(OptInRequest).where(OptInRequest.id == request_id)
    return connection.execute(query).first()


def _is_on_its_way(request: Any, now: datetime) -> bool:
    """Whether its code has been sent and still counts, or is being sent at this moment."""
    sent = request.code_sent_at is not None or request.created_at > now - ABANDONED_AFTER
    waits = request.status == RequestStatus.PENDING and request.code_expires_at > now
    return bool(sent and waits)


def _asked_by(connection: Connection, request_id: str, program: str | None) -> bytes:
    query = sa.select(OptInRequest.fingerprint).where(OptInRequest.id == request_id)
    if program is not None:
        query = query.where(OptInRequest.program == program)
    fingerprint = connection.execute(query).scalar()
    if fingerprint is None:
        raise NotFoundError("there is no such request to join")
    return fingerprint


def by_number(policy: Policy) -> Limit:
    """How many codes of all kinds one number gets."""
    return Limit("codes by number", policy.code_sends, _HOUR)


def is_suppressed(connection: Connection, fingerprint: bytes, program: str) -> bool:
    """Whether messages of this program must not reach the person."""
    query = sa.select(Suppression.program).where(
        Suppression.fingerprint == fingerprint, Suppression.program.in_((program, ALL_PROGRAMS))
    )
    return connection.execute(query).first() is not None


def code_of(phones: PhoneReader, request_id: str) -> str:
    """The six digits that answer this request; whoever lacks the key can only guess them."""
    digest = phones.fingerprint(f"code {request_id}")
    return f"{int.from_bytes(digest[:8]) % 10**6:06d}"
