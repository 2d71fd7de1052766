"""A person's own page, behind the link in their messages: where they stand, and what they change.

The link is for this person alone (app.core.wayout). Whoever holds it may stop messages and choose
how to be reached; to have messages again after a stop takes the handset.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.core import barrier, consent, optin, review, subscribers, wayout
from app.core.consent import Evidence
from app.core.database import Database
from app.core.errors import InvalidInputError, NotFoundError
from app.core.limits import Limit, Limiter, network_of
from app.core.models import (
    ALL_PROGRAMS,
    Channel,
    Consent,
    ConsentText,
    DeliveryStatus,
    OutboundMessage,
    Purpose,
    Subscriber,
    Suppression,
)
from app.core.phone import PhoneReader
from app.core.policy import Clock, Policy
from app.core.programs import Terms, all_terms, terms_of
from app.core.review import Verdict
from app.core.scheduled import ScheduledMessages

# Known links are never counted: many people share one address of a mobile network.
_UNKNOWN_LINKS = Limit("unknown links", 30, timedelta(hours=1))
_EMAIL = re.compile(r"[^@\s,;<>]+@[^@\s,;<>]+\.[^@\s,;<>]+")
_LONGEST_EMAIL = 254  # RFC 5321, section 4.5.3.1.3
_TAIL = 3  # digits of the number that are shown


class State(StrEnum):
    """Where a person stands with one program."""

    RECEIVING = "receiving"
    STOPPED = "stopped"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Membership:
    """One program as the person is told of it.

    `since`, `until` (withdrawn or expiring), `door` (web, api, sms or import) and `text` (what was
    agreed to) are None where no consent is recorded: the sender has it elsewhere.
    """

    terms: Terms
    state: State
    since: datetime | None = None
    until: datetime | None = None
    door: str | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """All that the page says. `tail`: the number's last digits, None after erasure.

    `stopped_since`: when everything was stopped, None while it is not. `channel`: None where it
    can't be chosen, or is not the same everywhere (then `can_choose` tells).
    """

    tail: str | None
    language: str | None
    stopped_since: datetime | None
    memberships: list[Membership]
    can_choose: bool
    channel: Channel | None
    email: str | None


@dataclass(frozen=True, slots=True)
class Visit:
    """Who pressed a button: its words, and what the browser says of itself."""

    words: str
    address: str
    user_agent: str

    def evidence(self, *more: str) -> Evidence:
        # As the text and not as details: an address is somebody's, and erasure reaches the text.
        lines = [self.words, *more, self.address, self.user_agent]
        return Evidence("web", "\n".join(line for line in lines if line))


class Preferences:
    """What the links lead to. Every method raises NotFoundError for a link that is not ours."""

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
        self._limiter = Limiter(database, clock)

    def link_of(self, number: str) -> str:
        """The path of a person's page, which exists from now on. Raises InvalidNumberError."""
        phone = self._phones.parse(number)
        token = wayout.token_of(self._phones, phone)
        with self._database.write() as connection:
            subscribers.lock(connection, phone, self._clock())
            wayout.keep_token(connection, phone, token)
        return f"/u/{token}"

    def person_behind(self, token: str, address: str) -> bytes:
        """The fingerprint. Raises TooManyRequestsError for an address that tries many links."""
        with self._database.read() as connection:
            fingerprint = wayout.person_behind(connection, token)
        if fingerprint is None:
            self._limiter.spend(_UNKNOWN_LINKS, network_of(address))
            raise NotFoundError("this link leads nowhere")
        return subscribers.current(self._database, fingerprint)

    def of(self, token: str, address: str) -> Standing:
        """Read where the person stands; changes nothing."""
        fingerprint = self.person_behind(token, address)
        with self._database.read() as connection:
            return _Reader(connection, fingerprint, self._policy, self._clock()).standing()

    def stop(self, token: str, program: str, visit: Visit) -> None:
        """No more messages of one program, or (ALL_PROGRAMS) of any; as STOP from the handset.

        Returns when it is durable, nothing is on its way any more and what waited at the provider
        is cancelled.
        """
        fingerprint = self.person_behind(token, visit.address)
        evidence = visit.evidence()
        with self._database.write() as connection:
            fingerprint = subscribers.lock_known(connection, fingerprint)
            now = self._clock()
            if program != ALL_PROGRAMS:
                terms_of(connection, program, self._policy)
            if not _opted_out(connection, fingerprint, program):  # else a button pressed twice
                _opt_out(connection, fingerprint, program, evidence, now)
            in_flight = barrier.in_flight(connection, fingerprint, now)
        late = barrier.wait_for(self._database, in_flight, self._sleep)
        if late:
            barrier.record_late(self._database, fingerprint, late, evidence, self._clock())
        self._scheduled.cancel_unwanted(fingerprint)

    def prefer(self, token: str, channel: Channel, email: str, visit: Visit) -> None:
        """How the person wants to be reached from now on, in all programs they are in.

        Raises InvalidInputError for an e-mail address that can't be one.
        """
        address = _checked_email(email) if channel is Channel.EMAIL else None
        fingerprint = self.person_behind(token, visit.address)
        evidence = visit.evidence(str(channel), address or "")
        with self._database.write() as connection:
            fingerprint = subscribers.lock_known(connection, fingerprint)
            now = self._clock()
            for each in optin.consents_in_force(connection, fingerprint, now):
                if (each.channel, each.email) != (channel, address):
                    consent.prefer(
                        connection, fingerprint, each.program, channel, address, evidence, now
                    )


def _opt_out(
    connection: Connection, fingerprint: bytes, program: str, evidence: Evidence, now: datetime
) -> None:
    consent.opt_out(connection, fingerprint, program, evidence, now)
    optin.decline(connection, fingerprint, program)
    if program == ALL_PROGRAMS:
        review.close(connection, fingerprint, Verdict.OPT_OUT, evidence, now)


def _opted_out(connection: Connection, fingerprint: bytes, program: str) -> bool:
    """By the person, who then need not say it twice."""
    query = sa.select(Suppression.program).where(
        Suppression.fingerprint == fingerprint,
        Suppression.program.in_((program, ALL_PROGRAMS)),
        Suppression.reason == consent.OPT_OUT,
    )
    return connection.execute(query).first() is not None


def _checked_email(email: str) -> str:
    email = email.strip()
    if len(email) > _LONGEST_EMAIL or not _EMAIL.fullmatch(email):
        raise InvalidInputError("this is not an e-mail address: write it as name@example.org")
    return email


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads where one person stands."""

    connection: Connection
    fingerprint: bytes
    policy: Policy
    now: datetime

    def standing(self) -> Standing:
        person = self._rows(Subscriber)
        suppressed = {row.program: row for row in self._rows(Suppression)}
        consents = {row.program: row for row in self._rows(Consent)}
        known = {*consents, *suppressed, *self._texted()}
        in_force = optin.consents_in_force(self.connection, self.fingerprint, self.now)
        chosen = {(row.channel, row.email) for row in in_force}
        channel, email = chosen.pop() if len(chosen) == 1 else (None, None)
        stop = suppressed.get(ALL_PROGRAMS)
        return Standing(
            tail=person[0].number[-_TAIL:] if person and person[0].number else None,
            language=person[0].language if person else None,
            stopped_since=stop.since if stop else None,
            memberships=[
                self._membership(terms, suppressed, consents.get(terms.slug))
                for terms in all_terms(self.connection, self.policy)
                if terms.slug in known
            ],
            can_choose=bool(in_force) and stop is None,
            channel=Channel(channel) if channel else None,
            email=email,
        )

    def _membership(
        self, terms: Terms, suppressed: dict[str, Any], agreed: Any | None
    ) -> Membership:
        if suppressed.keys() & {terms.slug, ALL_PROGRAMS}:
            state = State.STOPPED
        elif agreed is None:
            # A message came although nothing is recorded here: the sender has it elsewhere.
            state = State.EXPIRED if self.policy.consent_required else State.RECEIVING
        elif agreed.withdrawn_at is not None:
            state = State.STOPPED
        else:
            state = State.RECEIVING if agreed.expires_at > self.now else State.EXPIRED
        if agreed is None:
            return Membership(terms, state)
        door = optin.door_of(self.connection, agreed.request_id)
        text = self._text(terms.slug, agreed.text_version)
        until = agreed.withdrawn_at or agreed.expires_at
        return Membership(terms, state, agreed.given_at, until, door, text)

    def _text(self, program: str, version: int) -> str | None:
        query = sa.select(ConsentText.text).where(
            ConsentText.program == program, ConsentText.version == version
        )
        return self.connection.execute(query).scalar()

    def _texted(self) -> set[str]:
        """The programs whose marketing has been sent to this person."""
        query = sa.select(OutboundMessage.program).where(
            OutboundMessage.fingerprint == self.fingerprint,
            OutboundMessage.purpose == Purpose.MARKETING,
            OutboundMessage.status != DeliveryStatus.REFUSED,
        )
        return set(self.connection.execute(query.distinct()).scalars())

    def _rows(self, table: type[Any]) -> list[Any]:
        query = sa.select(table).where(table.fingerprint == self.fingerprint)
        return list(self.connection.execute(query))
