"""No STOP is lost: texts whose webhook never came are found in the provider's log and acted on.

They go the same way as all texts, in the order in which they were sent. Safe to run twice, beside
live webhooks and after days of outage: a text is acted on once, by its provider message id.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from app.core import models, optin
from app.core.database import Database
from app.core.errors import NotSentError, ProviderError
from app.core.inbound import Inbox
from app.core.models import CompleteSpan
from app.core.outbound import Outbox
from app.core.phone import PhoneReader
from app.core.policy import Clock
from app.core.provider import InboundMessage, LoggedMessage, Provider

# The webhook of a younger text may still come, and the provider's log may not show it yet.
SETTLED_AFTER = timedelta(minutes=1)
# How much is read in one go: what is missing in it is held in memory and put in order.
_SLICE = timedelta(hours=1)
# Read again each time, for what came late into the provider's log.
_OVERLAP = timedelta(minutes=10)
_FIRST_LOOK = timedelta(hours=24)
_BATCH = 500


@dataclass(slots=True)
class Reconciled:
    """What was read: the span, how many texts there were, were missed, were answered still.

    `gap_since`: where the span before it ended, if what lies between was never read.
    """

    since: datetime
    until: datetime
    texts: int = 0
    missed: int = 0
    answered: int = 0
    gap_since: datetime | None = None


class Reconciler:
    """Reads the provider's log."""

    def __init__(
        self,
        database: Database,
        provider: Provider,
        phones: PhoneReader,
        inbox: Inbox,
        outbox: Outbox,
        clock: Clock,
    ) -> None:
        self._database = database
        self._provider = provider
        self._phones = phones
        self._inbox = inbox
        self._outbox = outbox
        self._clock = clock

    def run(self, since: datetime) -> Reconciled:
        """Act on all that was missed since then, the oldest first.

        Raises ProviderError, StorageUnavailableError: what was read before counts, and the rest is
        read the next time.
        """
        before = self.watermark()
        done = Reconciled(since, max(since, self._clock() - SETTLED_AFTER))
        if before is not None and before < since:
            done.gap_since = before
        for start, end in _slices(done.since, done.until):
            missed = self._missed(start, end, done)
            for text in sorted(missed, key=lambda each: (each.at, each.provider_message_id)):
                self._act_on(text, done)
            self._mark_complete(start, end, len(missed))
        return done

    def catch_up(self) -> Reconciled:
        """Go on where the last run ended. A periodic chore."""
        watermark = self.watermark()
        if watermark is None:
            return self.run(self._clock() - _FIRST_LOOK)
        return self.run(watermark - _OVERLAP)

    def watermark(self) -> datetime | None:
        """Until when all texts are known to have been acted on; None if that was never asked."""
        query = sa.select(sa.func.max(CompleteSpan.until)).where(
            CompleteSpan.provider == self._provider.name
        )
        with self._database.read() as connection:
            return connection.execute(query).scalar()

    def _missed(self, start: datetime, end: datetime, done: Reconciled) -> list[LoggedMessage]:
        texts = (
            each
            for each in self._provider.log(start, end)
            if each.is_inbound and start < each.at <= end
        )
        missed = []
        for batch in _batches(texts):
            done.texts += len(batch)
            ids = [text.provider_message_id for text in batch]
            known = sa.select(models.InboundMessage.provider_message_id).where(
                models.InboundMessage.provider == self._provider.name,
                models.InboundMessage.provider_message_id.in_(ids),
            )
            with self._database.read() as connection:
                ours = set(connection.execute(known).scalars())
            missed += [text for text in batch if text.provider_message_id not in ours]
        return missed

    def _act_on(self, text: LoggedMessage, done: Reconciled) -> None:
        outcome = self._inbox.receive(
            InboundMessage(
                self._provider.name,
                text.provider_message_id,
                text.sender,
                text.recipient,
                text.body,
                answered_by_provider=text.answered_by_provider,
                sent_at=text.at,
            )
        )
        if outcome.repeated:
            return  # its webhook came after all, or another run was faster
        done.missed += 1
        done.answered += self._answer(text)

    def _answer(self, text: LoggedMessage) -> bool:
        query = sa.select(models.InboundMessage.id, models.InboundMessage.opt_in_request_id).where(
            models.InboundMessage.provider == self._provider.name,
            models.InboundMessage.provider_message_id == text.provider_message_id,
        )
        with self._database.read() as connection:
            row = connection.execute(query).one()
        request_id = row.opt_in_request_id
        code = optin.code_of(self._phones, request_id) if request_id else None
        try:
            return self._outbox.answer(row.id, code) is not None
        except (NotSentError, ProviderError):
            return False  # its row says why; the act itself is done

    def _mark_complete(self, since: datetime, until: datetime, missed: int) -> None:
        row = {
            "provider": self._provider.name,
            "since": since,
            "until": until,
            "missed": missed,
            "read_at": self._clock(),
        }
        with self._database.write() as connection:
            # Spans that touch become one row: the chore reads every minute, for years.
            joined = sa.delete(CompleteSpan).where(
                CompleteSpan.provider == row["provider"],
                CompleteSpan.since <= until,
                CompleteSpan.until >= since,
            )
            for each in connection.execute(joined.returning(CompleteSpan)).all():
                row["since"] = min(row["since"], each.since)
                row["until"] = max(row["until"], each.until)
                row["missed"] += each.missed
            connection.execute(sa.insert(CompleteSpan).values(row))


def _slices(since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
    while since < until:
        end = min(since + _SLICE, until)
        yield since, end
        since = end


def _batches(texts: Iterable[LoggedMessage]) -> Iterator[list[LoggedMessage]]:
    batch: list[LoggedMessage] = []
    for text in texts:
        batch.append(text)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
