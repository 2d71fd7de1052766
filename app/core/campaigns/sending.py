"""Sending a campaign: take a few recipients, hand each to the outbox, write down what became of it.

Any number of threads, processes and hosts may do this for one campaign at the same time.
"""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from app.core.barrier import Sleep
from app.core.campaigns.brake import Brake
from app.core.campaigns.template import Template
from app.core.campaigns.turns import HELD_FOR, Settled, Taken, Turn, Turns, pause
from app.core.campaigns.waiting import next_chance
from app.core.campaigns.words import RecipientStatus, key_of, requester_of
from app.core.database import Database
from app.core.errors import (
    IdempotencyConflictError,
    InvalidInputError,
    InvalidNumberError,
    NotSentError,
    ProviderError,
    ProviderOutcomeUnknownError,
    Reason,
    StorageUnavailableError,
)
from app.core.models import Purpose
from app.core.outbound import Draft, Outbox
from app.core.phone import PhoneReader
from app.core.policy import Clock, Policy

MOST_ATTEMPTS = 12  # at a message that the provider never took; quiet hours don't count
_LONGEST_BACKOFF = timedelta(minutes=5)
_LATE = timedelta(seconds=1)  # a moment to send that has passed by more is not made up for
_LONGEST_SLEEP = 0.5  # seconds, so that a stop is heard
_OUTAGE_PATIENCE = 300.0  # seconds that a database may be away
_UNAUTHORIZED = 401

Stopped = Callable[[], bool]


class CampaignSender:
    """Sends until there is nothing more to do, or it is stopped."""

    def __init__(
        self,
        database: Database,
        phones: PhoneReader,
        policy: Policy,
        outbox: Outbox,
        clock: Clock,
        sleep: Sleep = time.sleep,
    ) -> None:
        self._database = database
        self._phones = phones
        self._outbox = outbox
        self._clock = clock
        self._sleep = sleep
        self._turns = Turns(database, phones, policy, clock)
        self._brake = Brake(database, clock)

    def work(self, campaign_id: int, stopped: Stopped) -> bool:
        """Send, turn by turn; waits where the rate or the provider asks for it.

        False when there is nothing more to do. Raises NotFoundError, and StorageUnavailableError
        where the database stays away for long.
        """
        away = 0.0
        while not stopped():
            try:
                if not self.turn(campaign_id, stopped):
                    return False
                away = 0.0
            except StorageUnavailableError:
                if away >= _OUTAGE_PATIENCE:
                    raise
                away += 1.0
                self._sleep(1.0)
        return True

    def turn(self, campaign_id: int, stopped: Stopped = lambda: False) -> bool:
        """One turn, or one short wait; whether there is more to do."""
        turn = self._turns.take(campaign_id)
        if turn.campaign is None:
            return False
        if turn.recipients:
            self._send_all(turn, stopped)
        else:
            self._sleep(min(turn.wait.total_seconds(), _LONGEST_SLEEP))
        self._brake.look(turn.campaign)
        return True

    def _send_all(self, turn: Turn, stopped: Stopped) -> None:
        """Send to those taken. Where sending can't go on now, the rest is given back.

        A database that is away ends it without a word: what is not written down comes up again.
        """
        template = Template(turn.campaign.body)
        settled: list[Settled] = []
        give_up_at = self._clock() + HELD_FOR
        for place, recipient in enumerate(turn.recipients):
            in_time = self._wait_for(turn, recipient.place) and self._clock() < give_up_at
            if place and (stopped() or not in_time):
                break
            settled.append(self._send(turn.campaign, template, recipient))
            if settled[-1].status is RecipientStatus.WAITING and not settled[-1].values["reason"]:
                break  # the provider wants a pause
        self._turns.record(turn.campaign.id, settled)
        self._turns.give_back(turn.campaign.id, turn.recipients[len(settled) :])

    def _wait_for(self, turn: Turn, place: int | None) -> bool:
        """Wait for the moment that is this recipient's; False where it has passed by."""
        if turn.starts_at is None or place is None:
            return True
        ahead = turn.starts_at + place * turn.spacing - self._clock()
        if ahead > timedelta():
            self._sleep(ahead.total_seconds())
        return not turn.spacing or ahead > -_LATE

    def _send(self, campaign: Any, template: Template, recipient: Taken) -> Settled:
        if recipient.number is None or set(template.names) - set(recipient.fields):
            return self._settled(recipient, RecipientStatus.ERASED)
        try:
            receipt = self._outbox.send(
                Draft(
                    recipient.number,
                    template.fill(recipient.fields),
                    campaign.program,
                    Purpose(campaign.purpose),
                    campaign.sender,
                    requester_of(campaign.id),
                    key_of(recipient.position, recipient.attempt),
                )
            )
        except NotSentError as refusal:
            return self._refused(campaign, recipient, refusal)
        except ProviderError as error:
            return self._failed(campaign, recipient, error)
        except InvalidInputError as error:
            return self._unfit(recipient, error)
        sent = {"message_id": receipt.id, "segments": receipt.segments}
        return self._settled(recipient, RecipientStatus.SENT, **sent)

    def _refused(self, campaign: Any, recipient: Taken, refusal: NotSentError) -> Settled:
        if refusal.reason is Reason.QUIET_HOURS:
            phone = self._phones.parse(recipient.number or "")
            until = next_chance(self._database, phone, campaign.program, self._clock())
            return self._again(recipient, until, Reason.QUIET_HOURS)
        code = getattr(refusal.__cause__, "code", None)  # the provider's own, such as 21610
        return self._settled(
            recipient, RecipientStatus.REFUSED, reason=refusal.reason, error_code=code
        )

    def _unfit(self, recipient: Taken, error: InvalidInputError) -> Settled:
        if isinstance(error, IdempotencyConflictError):  # something was sent under this key
            return Settled(recipient, {"status": RecipientStatus.UNKNOWN, "reason": None})
        if isinstance(error, InvalidNumberError):
            return self._settled(recipient, RecipientStatus.REFUSED, reason=error.reason)
        return self._settled(recipient, RecipientStatus.FAILED)

    def _failed(self, campaign: Any, recipient: Taken, error: ProviderError) -> Settled:
        if isinstance(error, ProviderOutcomeUnknownError):
            return Settled(recipient, {"status": RecipientStatus.UNKNOWN, "reason": None})
        if error.status == _UNAUTHORIZED:  # no message's fault: all the others would end the same
            reason = "the provider does not accept the account's credentials"
            with self._database.write() as connection:
                pause(connection, campaign.id, reason)
            return self._again(recipient, self._clock(), None)
        if error.permanent or recipient.attempt >= MOST_ATTEMPTS:
            code = error.code or None
            return self._settled(recipient, RecipientStatus.FAILED, error_code=code)
        until = self._clock() + _backoff(error, recipient.attempt)
        self._turns.hold_off(campaign, until)
        return self._again(recipient, until, None)

    def _again(self, recipient: Taken, due_at: Any, reason: Reason | None) -> Settled:
        """To be tried once more, as another message: this one was surely not sent."""
        attempt = recipient.attempt + 1
        values = {"status": RecipientStatus.WAITING, "attempt": attempt, "due_at": due_at}
        return Settled(recipient, values | {"reason": reason})

    def _settled(self, recipient: Taken, status: RecipientStatus, **more: Any) -> Settled:
        values = {"status": status, "settled_at": self._clock(), "fields": None}
        columns = {"reason": None, "error_code": None, "message_id": None, "segments": None}
        return Settled(recipient, values | columns | more)


def _backoff(error: ProviderError, attempt: int) -> timedelta:
    """What the provider asked for, else ever longer."""
    return error.retry_after or min(timedelta(seconds=2**attempt), _LONGEST_BACKOFF)
