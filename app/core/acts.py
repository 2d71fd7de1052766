"""What a text makes happen, by what it means. Each act says what is to be answered, if anything."""

import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.core import consent, handset, optin, person_requests, review
from app.core.consent import Evidence
from app.core.errors import CodeFault
from app.core.known import Known
from app.core.language import Intent, Meaning, classify, words
from app.core.models import ALL_PROGRAMS, RequestKind
from app.core.models import InboundMessage as Row
from app.core.person_words import DATA, DATA_ASKED, ERASE, asks_why
from app.core.phone import Phone, PhoneReader
from app.core.policy import Policy
from app.core.privacy import erase_person
from app.core.programs import (
    Terms,
    all_terms,
    joined_by,
    named_by,
    names_of,
    notice_address,
    terms_of,
)
from app.core.provider import InboundMessage
from app.core.replies import Reply
from app.core.review import Verdict
from app.core.timing import on_their_clock

_ERASURE = "erasure"  # the rule by which such a text is understood


@dataclass(frozen=True, slots=True)
class Turn:
    """One text that came in, with all that its act may need. The subscriber's lock is held."""

    connection: Connection
    phones: PhoneReader
    policy: Policy
    phone: Phone
    message: InboundMessage
    meaning: Meaning
    known: Known
    now: datetime

    @property
    def said_at(self) -> datetime:
        """When the text was sent: now, unless the provider's log tells of it later."""
        return self.message.sent_at or self.now

    @property
    def evidence(self) -> Evidence:
        details = {
            "provider_message_id": self.message.provider_message_id,
            "rule": self.meaning.rule,
            "tables_version": self.meaning.tables_version,
        }
        if self.message.opt_out_type:
            details["opt_out_type"] = self.message.opt_out_type
        if self.message.sent_at:  # no webhook told of it: it was found in the provider's log
            details["sent_at"] = self.message.sent_at.isoformat()
        return Evidence(self.message.provider, self.message.body, details)


@dataclass(frozen=True, slots=True)
class Said:
    """What is to be answered: the reply with its facts, the program's brand if it has its own.

    `request_id`: of the request whose code the reply holds a place for. `notice`: the address of
    the privacy notice, where the reply leads to a consent.
    """

    reply: Reply
    facts: dict[str, Any] = field(default_factory=dict)
    brand: str | None = None
    request_id: str | None = None
    notice: str | None = None


def understood(
    connection: Connection, policy: Policy, message: InboundMessage, meaning: Meaning
) -> Meaning:
    """What the text means here, where the programs have names of their own: STOP PIZZA."""
    if words(message.body) in ERASE:
        return replace(meaning, intent=Intent.OPT_OUT, rule=_ERASURE, review=False, topic=None)
    if meaning.intent is not Intent.NONE:
        return meaning
    if language := DATA.get(words(message.body)):
        return replace(meaning, rule=DATA_ASKED, language=language, review=False)
    text = f" {words(message.body)} "
    for program in all_terms(connection, policy):
        for name in names_of(program):
            if f" {name} " not in text:
                continue
            rest = classify(text.replace(f" {name} ", " ", 1), policy.own_words)
            if rest.intent is Intent.OPT_OUT:
                return replace(rest, rule="program_keyword", topic=name)
    return meaning


def act(turn: Turn) -> Said | None:
    """Do what the text asks for. None: nothing was asked, it is kept for a person to read."""
    return _ACTS[turn.meaning.intent](turn)


def _opt_out(turn: Turn) -> Said:
    program = _program_named(turn)
    scope = program.slug if program else ALL_PROGRAMS
    fingerprint, known = turn.phone.fingerprint, turn.known
    consent.opt_out(
        turn.connection,
        fingerprint,
        scope,
        turn.evidence,
        turn.now,
        consented=known.consented,
        said_at=turn.said_at,
    )
    if known.pending:
        optin.decline(turn.connection, fingerprint, scope)
    if program:
        return Said(Reply.OPTED_OUT_OF_PROGRAM, {"purpose": program.purpose}, program.brand)
    if known.held:
        review.close(turn.connection, fingerprint, Verdict.OPT_OUT, turn.evidence, turn.now)
    if turn.meaning.rule == _ERASURE:
        person_requests.note(turn.connection, fingerprint, RequestKind.ERASURE, "sms", turn.said_at)
        return Said(Reply.ERASE_CODE, request_id=secrets.token_hex(16))
    return Said(Reply.OPTED_OUT)


def _program_named(turn: Turn) -> Terms | None:
    """The program that STOP named. Words that name none, or all there is, mean everything."""
    if not turn.meaning.topic:
        return None
    programs = all_terms(turn.connection, turn.policy)
    return named_by(turn.meaning.topic, programs) if len(programs) > 1 else None


def _opt_in(turn: Turn) -> Said:
    fingerprint = turn.phone.fingerprint
    if turn.known.held:
        review.close(turn.connection, fingerprint, Verdict.DISMISS, turn.evidence, turn.now)
    lifted = consent.opt_in(turn.connection, fingerprint, turn.evidence, turn.now)
    if turn.policy.consent_required and not _consents(turn):
        return _join(turn, terms_of(turn.connection, turn.policy.program, turn.policy))
    return Said(Reply.OPTED_IN if lifted or turn.known.held else Reply.NOT_OPTED_OUT)


def _join(turn: Turn, terms: Terms) -> Said:
    """Ask for the code: what the handset is answered is the code's message."""
    join = optin.Join(
        to=turn.phone.e164,
        program=terms.slug,
        door="sms",
        source=turn.message.recipient,
        language=turn.meaning.language,
        said=turn.message.body,
    )
    opened = optin.open_request(
        turn.connection, turn.phones, turn.policy, turn.phone, terms, join, turn.now
    )
    if opened.code is None:
        return _joined(terms)
    notice = notice_address(terms, turn.policy)
    return Said(Reply.JOIN_CODE, {"purpose": terms.purpose}, terms.brand, opened.id, notice)


def _confirm(turn: Turn) -> Said | None:
    if turn.meaning.code and _confirms_erasure(turn):
        erase_person(turn.connection, turn.phone.fingerprint, "the person", "sms", turn.now)
        return Said(Reply.ERASED)
    answered = optin.answer(
        turn.connection,
        turn.phones,
        turn.policy,
        turn.phone,
        turn.meaning.code,
        turn.message.provider_message_id,
        turn.now,
        turn.said_at,
    )
    if isinstance(answered, Terms):
        return _joined(answered)
    if answered is CodeFault.WRONG_CODE:
        return Said(Reply.WRONG_CODE)
    return Said(Reply.CODE_OVER) if answered else None


def _confirms_erasure(turn: Turn) -> bool:
    """Whether this is the code of the person's latest wish to be erased, and in time.

    Only a few codes are compared after such a wish: a spoofed sender has not seen it and would
    have to guess.
    """
    since = turn.now - turn.policy.code_lifetime
    mine = sa.and_(Row.fingerprint == turn.phone.fingerprint, Row.received_at > since)
    wish = sa.select(Row.opt_in_request_id, Row.received_at).where(mine, Row.rule == _ERASURE)
    asked = turn.connection.execute(wish.order_by(Row.id.desc()).limit(1)).first()
    if asked is None or asked.opt_in_request_id is None:
        return False
    tries = sa.select(sa.func.count()).where(
        mine, Row.meaning == Intent.CONFIRM, Row.received_at >= asked.received_at
    )
    if turn.connection.execute(tries).scalar_one() >= turn.policy.code_attempts:
        return False
    code = optin.code_of(turn.phones, asked.opt_in_request_id)
    return hmac.compare_digest(code.encode(), (turn.meaning.code or "").encode())


def _joined(terms: Terms) -> Said:
    return Said(Reply.JOINED, {"purpose": terms.purpose}, terms.brand)


def _help(_: Turn) -> Said:
    return Said(Reply.HELP)


def _other(turn: Turn) -> Said | None:
    """A right that the person uses, or words of this installation's own: a join word."""
    if turn.meaning.rule == DATA_ASKED:
        return _data(turn)
    if turn.meaning.review:
        return None
    if asks_why(turn.message.body):
        return _why(turn)
    terms = joined_by(turn.message.body, all_terms(turn.connection, turn.policy))
    return _join(turn, terms) if terms else None


def _data(turn: Turn) -> Said:
    """The code that opens the data on the person's own page, and where that is."""
    link = handset.link_to(turn.connection, turn.phones, turn.policy, turn.phone)
    code_id = handset.open_code(turn.connection, turn.phone.fingerprint, turn.policy, turn.now)
    return Said(Reply.DATA_CODE, {"link": link}, request_id=code_id)


def _why(turn: Turn) -> Said:
    consents = _consents(turn)
    if not consents:
        return Said(Reply.WHY_NOTHING)
    first = consents[0]
    terms = terms_of(turn.connection, first.program, turn.policy)
    facts = {
        "purpose": terms.purpose,
        "since": on_their_clock(first.given_at, turn.phone.e164),
        "until": on_their_clock(first.expires_at, turn.phone.e164),
        "door": optin.door_of(turn.connection, first.request_id),
    }
    return Said(Reply.WHY_CONSENT, facts, terms.brand)


def _consents(turn: Turn) -> list[Any]:
    return optin.consents_in_force(turn.connection, turn.phone.fingerprint, turn.now)


_ACTS: dict[Intent, Callable[[Turn], Said | None]] = {
    Intent.OPT_OUT: _opt_out,
    Intent.OPT_IN: _opt_in,
    Intent.HELP: _help,
    Intent.CONFIRM: _confirm,
    Intent.NONE: _other,
}
