"""Renewal: asking for a consent again while it is still valid, and only then.

A message that asks for consent is itself marketing (Cass. 9920/2022, 11019/2021): it goes through
the gate with the purpose RENEWAL, which needs a consent in force, by the channel that the person
chose, once. The answer, the code or a yes where the program allows it, begins a new period with
new evidence; whoever does not answer gets nothing more from the minute the consent ends.
"""

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from app.core import subscribers
from app.core.database import Database
from app.core.errors import (
    GatewayError,
    InvalidInputError,
    NotSentError,
    ProviderError,
    ProviderOutcomeUnknownError,
)
from app.core.models import (
    ALL_PROGRAMS,
    Channel,
    Consent,
    OptInRequest,
    Purpose,
    RequestStatus,
    ReviewHold,
    Subscriber,
    Suppression,
)
from app.core.optin import code_of, note_code_sent, with_code
from app.core.outbound import Draft, Outbox, Receipt
from app.core.phone import Phone, PhoneReader
from app.core.policy import Clock, Policy
from app.core.programs import Terms, terms_of
from app.core.replies import Reply, render, way_out_by_word
from app.core.timing import on_their_clock
from app.core.wayout import can_be_answered

_PAGE = 1000
_DOOR = "renewal"


@dataclass(frozen=True, slots=True)
class Ending:
    """A consent near its end, of which nobody has asked to be renewed yet."""

    number: str
    language: str | None
    program: str
    given_at: datetime
    expires_at: datetime


@dataclass(slots=True)
class Asked:
    """What a round of asking came to."""

    sent: int = 0
    refused: int = 0
    failed: int = 0


class Renewals:
    """Lists the consents near their end, and asks for them again."""

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

    def ending(self, program: str) -> Iterator[Ending]:
        """The consents that may be asked for now, soonest end first. Raises NotFoundError.

        The list helps; what decides is the gate, when the message is sent.
        """
        with self._database.read() as connection:
            terms = terms_of(connection, program, self._policy)
        place: tuple[datetime, bytes] | None = None
        while rows := self._page(terms, place):
            yield from (Ending(*row[:-1]) for row in rows)
            place = (rows[-1].expires_at, rows[-1].fingerprint)

    def ask(self, ending: Ending) -> Receipt:
        """Ask one person. Raises NotSentError where the gate refuses, ProviderError.

        Raises InvalidInputError where the program's sender can't be answered.
        """
        with self._database.read() as connection:
            terms = terms_of(connection, ending.program, self._policy)
        if not can_be_answered(terms.sender):
            raise InvalidInputError("nobody can answer this program's sender: set a number")
        phone = self._phones.parse(ending.number)
        request_id = self._open(phone, ending, terms)
        kept = _asking(ending, terms)
        try:
            receipt = self._outbox.send(self._draft(ending, terms, request_id, kept))
        except ProviderOutcomeUnknownError:
            raise  # it may be there: its code must count
        except GatewayError:
            self._close(request_id)
            raise
        now = self._clock()
        with self._database.write() as connection:
            subscribers.lock(connection, phone, now)
            note_code_sent(connection, request_id, receipt.provider_id, kept, now)
        return receipt

    def ask_all(self, program: str) -> Asked:
        """Ask everybody whose consent to this program is near its end."""
        asked = Asked()
        for ending in self.ending(program):
            try:
                self.ask(ending)
                asked.sent += 1
            except NotSentError:
                asked.refused += 1
            except ProviderError:
                asked.failed += 1
        return asked

    def _draft(self, ending: Ending, terms: Terms, request_id: str, kept: str) -> Draft:
        body = with_code(kept, code_of(self._phones, request_id))
        return Draft(
            ending.number,
            body,
            terms.slug,
            Purpose.RENEWAL,
            terms.sender,
            _DOOR,
            kept_body=kept,
        )

    def _open(self, phone: Phone, ending: Ending, terms: Terms) -> str:
        """The request that the answer will confirm; its code counts until the consent ends."""
        request_id = secrets.token_hex(16)
        row = {
            "id": request_id,
            "fingerprint": phone.fingerprint,
            "program": terms.slug,
            "status": RequestStatus.PENDING,
            "door": _DOOR,
            "source": terms.sender or "",
            "text_version": terms.text_version,
            "notice_url": terms.notice_url,
            "notice_version": terms.notice_version,
            "language": ending.language or terms.language,
            "channel": Channel.SMS,
            "code_expires_at": ending.expires_at,
            "created_at": self._clock(),
        }
        with self._database.write() as connection:
            subscribers.lock(connection, phone, self._clock())
            connection.execute(sa.insert(OptInRequest).values(row))
        return request_id

    def _close(self, request_id: str) -> None:
        with self._database.write() as connection:
            connection.execute(sa.delete(OptInRequest).where(OptInRequest.id == request_id))

    def _page(self, terms: Terms, place: tuple[datetime, bytes] | None) -> Sequence[Any]:
        now = self._clock()
        stopped = sa.exists().where(
            Suppression.fingerprint == Consent.fingerprint,
            Suppression.program.in_((terms.slug, ALL_PROGRAMS)),
        )
        held = sa.exists().where(
            ReviewHold.fingerprint == Consent.fingerprint, ReviewHold.decided_at.is_(None)
        )
        key = sa.tuple_(Consent.expires_at, Consent.fingerprint)
        query = (
            sa.select(
                Subscriber.number,
                Subscriber.language,
                Consent.program,
                Consent.given_at,
                Consent.expires_at,
                Consent.fingerprint,
            )
            .join(Subscriber, Subscriber.fingerprint == Consent.fingerprint)
            .where(
                Consent.program == terms.slug,
                Consent.withdrawn_at.is_(None),
                Consent.channel == Channel.SMS,
                Consent.renewal_asked_at.is_(None),
                Consent.expires_at > now,
                Consent.expires_at <= now + terms.renewal,
                Subscriber.number.is_not(None),
                ~stopped,
                ~held,
            )
        )
        if place is not None:
            query = query.where(key > sa.tuple_(*place))
        query = query.order_by(Consent.expires_at, Consent.fingerprint).limit(_PAGE)
        with self._database.read() as connection:
            return connection.execute(query).all()


def _asking(ending: Ending, terms: Terms) -> str:
    """What is sent, in full, the code's place left open: the way out is not left to the gate."""
    language = ending.language or terms.language
    facts = {"purpose": terms.purpose, "until": on_their_clock(ending.expires_at, ending.number)}
    asked = render(Reply.RENEWAL, language, terms.brand, **facts)
    return f"{asked}\n{way_out_by_word(language)}"
