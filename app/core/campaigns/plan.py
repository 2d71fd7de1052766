"""Reading a campaign's list: who is on it, and what it comes to. Nothing is decided yet."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any

from sqlalchemy.engine import Connection

from app.core import subscribers, wayout
from app.core.campaigns.template import Template
from app.core.campaigns.words import RecipientStatus
from app.core.database import insert
from app.core.errors import InvalidInputError, Reason
from app.core.gate import Scope, refusals
from app.core.imports import BATCH, Fault
from app.core.models import CampaignRecipient, Purpose
from app.core.number_tables import NumberTable
from app.core.phone import Phone, PhoneReader
from app.core.policy import Policy
from app.core.segments import count_segments

Person = tuple[Phone, dict[str, str], str]  # with what fills the text, and the text

_A_TOKEN = "x" * 22  # as long as the one in each person's own link


@dataclass(frozen=True, slots=True)
class Listed:
    """One row of a list. `line` is where it stands; `fault`: why it can't be read."""

    line: int
    to: str
    fields: Mapping[str, str] = field(default_factory=dict)
    fault: str | None = None


@dataclass(slots=True)
class Plan:
    """What a list comes to at the moment it was read.

    `segments` are those of the recipients that were not refused then; `longest_text` in characters,
    with the way out that is added to it, and `longest_segments` what that one is paid as.
    """

    recipients: int = 0
    duplicates: int = 0
    unreadable: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    segments: int = 0
    longest_text: int = 0
    longest_segments: int = 0
    encodings: Counter[str] = field(default_factory=Counter)

    def as_dict(self) -> dict[str, Any]:
        values = {name: getattr(self, name) for name in self.__slots__}
        return values | {"refused": dict(self.refused), "encodings": dict(self.encodings)}


@dataclass(frozen=True, slots=True)
class Message:
    """What goes out: the text, for what, from whom, and the language of its way out."""

    template: Template
    scope: Scope
    sender: str | None
    language: str


def listed_from(table: NumberTable, rows: Iterable[Any]) -> Iterator[Listed]:
    """The rows of a CSV file; the header names the columns."""
    names = [cell.strip() for cell in table.header.cells] if table.header else []
    for row in rows:
        fields = dict(zip(names, row.cells, strict=False))
        yield Listed(row.line, "" if row.fault else table.number(row), fields, row.fault)


class Planner:
    """Puts a list's rows down as recipients, batch by batch, and adds up what they come to."""

    def __init__(
        self, campaign_id: int, message: Message, phones: PhoneReader, policy: Policy
    ) -> None:
        self.plan = Plan()
        self._campaign_id = campaign_id
        self._message = message
        self._phones = phones
        self._policy = policy
        self._position = 0

    def add(self, connection: Connection, batch: Sequence[Listed], now: datetime) -> list[Fault]:
        """One batch, in the caller's transaction; the lines that could not be read."""
        people: dict[bytes, Person] = {}
        faults = []
        for row in batch:
            try:
                phone, fields = self._read(row)
                text = self._message.template.fill(fields)
            except InvalidInputError as error:
                faults.append(Fault(row.line, str(error)))
            else:
                people.setdefault(phone.fingerprint, (phone, fields, text))
        new = self._put_down(connection, people, now)
        self.plan.unreadable += len(faults)
        self.plan.recipients += len(new)
        self.plan.duplicates += len(batch) - len(faults) - len(new)
        self._estimate(connection, [people[person] for person in new], now)
        return faults

    def _read(self, row: Listed) -> tuple[Phone, dict[str, str]]:
        if row.fault:
            raise InvalidInputError(row.fault)
        if not row.to:
            raise InvalidInputError("no number stands here")
        return self._phones.parse(row.to), self._message.template.fields_from(row.fields)

    def _put_down(
        self,
        connection: Connection,
        people: Mapping[bytes, Person],
        now: datetime,
    ) -> list[bytes]:
        """Those that were not on the list yet: the table's own constraint decides."""
        if not people:
            return []
        phones = [phone for phone, _, _ in people.values()]
        subscribers.lock_all(connection, phones, now)
        subscribers.recall(connection, phones)
        rows = [
            {
                "campaign_id": self._campaign_id,
                "position": self._position + place,
                "fingerprint": person,
                "fields": fields,
                "status": RecipientStatus.WAITING,
                "attempt": 0,
                "due_at": now,
            }
            for place, (person, (_, fields, _)) in enumerate(people.items(), 1)
        ]
        self._position += len(rows)
        query = insert(CampaignRecipient).on_conflict_do_nothing()
        added = connection.execute(query.returning(CampaignRecipient.fingerprint), rows)
        return list(added.scalars())

    def _estimate(self, connection: Connection, people: Sequence[Person], now: datetime) -> None:
        phones = [phone for phone, _, _ in people]
        refused = refusals(connection, phones, self._message.scope, self._policy, now)
        self.plan.refused.update(str(each.reason) for each in refused.values())
        for phone, _, text in people:
            refusal = refused.get(phone.fingerprint)
            if refusal is None or refusal.reason is Reason.QUIET_HOURS:
                self._count(text)

    def _count(self, text: str) -> None:
        if self._message.scope.purpose is Purpose.MARKETING:
            text = wayout.with_way_out(
                text, self._message.sender, self._message.language, self._policy, _A_TOKEN
            )
        segments = count_segments(text)
        plan = self.plan
        plan.segments += segments.count
        plan.encodings[segments.encoding] += 1
        plan.longest_text = max(plan.longest_text, len(text))
        plan.longest_segments = max(plan.longest_segments, segments.count)


def batches(listed: Iterable[Listed]) -> Iterator[list[Listed]]:
    remaining = iter(listed)
    while batch := list(islice(remaining, BATCH)):
        yield batch
