"""What a text that came in does, and what is answered: once per provider message id.

The only source of what a webhook says to a person.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from app.core import barrier, models, optin, review, subscribers
from app.core.acts import Said, Turn, act, understood
from app.core.consent import Evidence
from app.core.database import Database
from app.core.errors import StorageUnavailableError
from app.core.known import ANSWER_WITHIN, Silence, known_of
from app.core.language import Intent, Meaning, classify
from app.core.overtaken import is_overtaken
from app.core.phone import Phone, PhoneReader
from app.core.policy import Clock, Policy
from app.core.provider import InboundMessage
from app.core.replies import Reply, language_of_region, render, with_notice
from app.core.scheduled import ScheduledMessages
from app.core.statements import Statement

_Row = models.InboundMessage
_STORE = Statement(sa.insert(_Row).returning(_Row.id))

# What a provider's own answer can stand for; a code for joining is never among it.
_ANSWERED_BY_PROVIDERS = frozenset(
    {Reply.OPTED_OUT, Reply.OPTED_OUT_OF_PROGRAM, Reply.OPTED_IN, Reply.NOT_OPTED_OUT, Reply.HELP}
)


@dataclass(frozen=True, slots=True)
class _OnItsWay:
    """What an opt-out meets: messages at the provider's door, and ones that wait behind it."""

    claimed: Sequence[str] = ()
    scheduled: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was done with a text.

    `repeated`: it had been done before, nothing changed now. `erased`: the person was.
    """

    reply: str | None
    silence: Silence | None
    meaning: Meaning
    repeated: bool = False
    erased: bool = False


class Inbox:
    """Takes what people text."""

    def __init__(
        self,
        database: Database,
        phones: PhoneReader,
        policy: Policy,
        scheduled: ScheduledMessages,
        clock: Clock,
        sleep: barrier.Sleep,
    ) -> None:
        self._database = database
        self._phones = phones
        self._policy = policy
        self._scheduled = scheduled
        self._clock = clock
        self._sleep = sleep

    def receive(self, message: InboundMessage) -> Outcome:
        """Understand a text and act on it; the same provider message id gets the first answer.

        Returns when the act is durable and, after an opt-out, nothing is on its way any more and
        what waited at the provider for its time is cancelled. Raises StorageUnavailableError where
        that can't be said: the provider must try again.
        """
        phone = self._phones.read_sender(message.sender)
        meaning = _with_opt_out_type(
            classify(message.body, self._policy.own_words), message.opt_out_type
        )
        try:
            outcome, on_its_way = self._settle(phone, message, meaning)
        except (IntegrityError, StorageUnavailableError):
            # A copy of this text under another sender was stored at this very moment, or the
            # connection had broken unnoticed. Once more is safe: what was done is not done again.
            outcome, on_its_way = self._settle(phone, message, meaning)
        if outcome.erased:
            self._database.scrub()
        late = barrier.wait_for(self._database, on_its_way.claimed, self._sleep)
        if late and not outcome.repeated:
            details = {"provider_message_id": message.provider_message_id}
            evidence = Evidence(message.provider, details=details)
            barrier.record_late(self._database, phone.fingerprint, late, evidence, self._clock())
        if on_its_way.scheduled:
            self._scheduled.cancel_unwanted(phone.fingerprint)
        return outcome

    def _settle(
        self, phone: Phone, message: InboundMessage, meaning: Meaning
    ) -> tuple[Outcome, "_OnItsWay"]:
        """Act in one transaction; also what an opt-out still has to wait for."""
        now = self._clock()
        with self._database.write() as connection:
            subscribers.lock(connection, phone, now)
            known = known_of(connection, phone, message.provider, message.provider_message_id, now)
            if known.repeated:
                outcome = _first_outcome(connection, message, self._phones)
            else:
                meaning = understood(connection, self._policy, message, meaning)
                outcome = self._act(
                    Turn(
                        connection, self._phones, self._policy, phone, message, meaning, known, now
                    )
                )
            # A copy may be here while its first is still waiting: it must not be answered sooner.
            if outcome.meaning.intent is not Intent.OPT_OUT:
                return outcome, _OnItsWay()
            claimed = barrier.in_flight(connection, phone.fingerprint, now) if known.claimed else ()
            return outcome, _OnItsWay(claimed, known.scheduled)

    def _act(self, turn: Turn) -> Outcome:
        known = turn.known
        if not known.is_known or turn.meaning.language not in {None, known.language}:
            subscribers.learn(turn.connection, turn.phone, turn.meaning.language)
        if _is_overtaken(turn):
            outcome = Outcome(None, Silence.OVERTAKEN, turn.meaning)
            _store(turn, outcome, None)
            return outcome
        said = act(turn)
        if said and said.reply is Reply.OPTED_OUT and known.told_recently(turn.now):
            outcome = Outcome(None, Silence.CONFIRMED_ALREADY, turn.meaning)
        else:
            outcome = self._answer(turn, said)
        if said and said.reply is Reply.JOIN_CODE and said.request_id and outcome.reply:
            message_id = turn.message.provider_message_id
            optin.note_code_sent(
                turn.connection,
                said.request_id,
                message_id,
                outcome.reply,
                turn.now,
                carried_by="reply",
            )
        stored = _store(turn, outcome, said)
        if turn.meaning.review:
            period = self._policy.review_period
            review.hold(
                turn.connection, turn.phone.fingerprint, stored, turn.evidence, turn.now, period
            )
        outcome = replace(outcome, erased=said is not None and said.reply is Reply.ERASED)
        if outcome.silence is Silence.ANSWERED_APART:
            return replace(outcome, reply=None)
        code = optin.code_of(self._phones, said.request_id) if said and said.request_id else None
        return _with_code(outcome, code)

    def _answer(self, turn: Turn, said: Said | None) -> Outcome:
        meaning = turn.meaning
        if said is None:
            return Outcome(None, Silence.NOTHING_TO_SAY, meaning)
        if turn.message.answered_by_provider and said.reply in _ANSWERED_BY_PROVIDERS:
            return Outcome(None, Silence.ANSWERED_BY_PROVIDER, meaning)
        if turn.known.replies_in_last_hour >= self._policy.replies_per_hour:
            return Outcome(None, Silence.TOO_MANY_REPLIES, meaning)
        silence = None
        if turn.message.sent_at is not None:
            if turn.now - turn.message.sent_at > ANSWER_WITHIN:
                return Outcome(None, Silence.TOO_LATE, meaning)
            silence = Silence.ANSWERED_APART
        language = (
            meaning.language
            or turn.known.language
            or language_of_region(turn.phone.region)
            or self._policy.language
        )
        brand = said.brand or self._policy.brand
        reply = render(said.reply, language, brand, **said.facts)
        if said.notice:
            reply = with_notice(reply, language, said.notice)
        return Outcome(reply, silence, meaning)


def _with_opt_out_type(meaning: Meaning, opt_out_type: str | None) -> Meaning:
    """A provider that has blocked the number itself has the last word on an opt-out.

    Not on an opt-in: Twilio counts YES as one, which is an answer to anything.
    """
    if opt_out_type == "STOP" and meaning.intent is not Intent.OPT_OUT:
        return replace(meaning, intent=Intent.OPT_OUT, rule="provider_opt_out", review=False)
    return meaning


def _first_outcome(connection: Connection, message: InboundMessage, phones: PhoneReader) -> Outcome:
    """What the first copy of this text was answered."""
    query = sa.select(_Row).where(
        _Row.provider == message.provider,
        _Row.provider_message_id == message.provider_message_id,
    )
    first = connection.execute(query).one()
    meaning = Meaning(Intent(first.meaning), first.rule, first.tables_version, first.language)
    silence = Silence(first.silence) if first.silence else None
    request_id = first.opt_in_request_id
    code = optin.code_of(phones, request_id) if request_id else None
    reply = None if silence is Silence.ANSWERED_APART else first.reply
    return _with_code(Outcome(reply, silence, meaning, repeated=True), code)


def _with_code(outcome: Outcome, code: str | None) -> Outcome:
    if outcome.reply is None or code is None:
        return outcome
    return replace(outcome, reply=optin.with_code(outcome.reply, code))


def _is_overtaken(turn: Turn) -> bool:
    sent_at = turn.message.sent_at
    if sent_at is None:  # its webhook came: it is the newest there is
        return False
    return is_overtaken(turn.connection, turn.phone.fingerprint, turn.meaning.intent, sent_at)


def _store(turn: Turn, outcome: Outcome, said: Said | None) -> int:
    message, meaning = turn.message, turn.meaning
    row = {
        "provider": message.provider,
        "provider_message_id": message.provider_message_id,
        "fingerprint": turn.phone.fingerprint,
        "recipient": message.recipient,
        # The text that erases is not kept itself.
        "body": None if said and said.reply is Reply.ERASED else message.body,
        "received_at": turn.said_at,
        "meaning": meaning.intent,
        "rule": meaning.rule,
        "tables_version": meaning.tables_version,
        "language": meaning.language,
        "review": meaning.review,
        "opt_out_type": message.opt_out_type,
        "reply": outcome.reply,
        "opt_in_request_id": said.request_id if said else None,
        "silence": outcome.silence,
    }
    (stored,) = _STORE.run(turn.connection, row)
    return int(stored.id)
