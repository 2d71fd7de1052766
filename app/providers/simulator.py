"""The simulated network: a provider and its handsets, in one table. Nothing leaves the machine."""

import secrets
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode

import sqlalchemy as sa
from sqlalchemy.engine import Row

from app.core.database import Database, insert
from app.core.errors import InvalidInputError, ProviderError
from app.core.models import DeliveryStatus, SimulatorMessage
from app.core.policy import Clock
from app.core.provider import (
    Acceptance,
    DeliveryReport,
    InboundMessage,
    LoggedMessage,
    OutgoingMessage,
    WebhookDoor,
    WebhookRequest,
)
from app.core.segments import count_segments
from app.providers import message_log
from app.providers.twilio import status_of, twiml

NAME = "simulator"
SENDER = "+393399957505"  # the network's own number, for messages that name no sender

_PAGE_SIZE, _MAX_PAGE_SIZE = 50, 1000  # Twilio's
_LONGEST_NUMBER = 12  # digits: pages and rows stay within what a database counts to

# As long as an address may be where it is stored: a number, a name of 11, an MG….
_LONGEST_ADDRESS = 64


class SimulatorProvider:
    """Takes every message, keeps a log as Twilio does, and delivers to handsets that look."""

    name = NAME

    def __init__(self, database: Database, account_sid: str, clock: Clock) -> None:
        self._database = database
        self._account = account_sid
        self._clock = clock
        self.door: WebhookDoor = SimulatorWebhooks(self)

    def send(self, message: OutgoingMessage) -> Acceptance:
        if not _is_address(message.sender or SENDER):
            text = "Invalid 'From' Phone Number/Caller ID"
            raise ProviderError(text, code=21212, status=400, permanent=True)
        send_at = _scheduled_for(message)
        row = self._log(
            "outbound-api",
            message.sender or SENDER,
            message.to.e164,
            message.body or "",
            "scheduled" if send_at else "queued",
            send_at=send_at,
        )
        assert row is not None  # noqa: S101 - a new sid meets no older one
        return Acceptance(row.sid, status_of(row.status), self._resource(row))

    def cancel(self, provider_message_id: str) -> None:
        """A message that waits for its time is not sent."""
        this = SimulatorMessage.sid == provider_message_id
        cancel = sa.update(SimulatorMessage).where(this, SimulatorMessage.status == "scheduled")
        with self._database.write() as connection:
            if connection.execute(cancel.values(status="canceled")).rowcount:
                return
        text = "Message cannot be canceled: it is not scheduled"
        raise ProviderError(text, code=30409, status=409, permanent=True)

    def log(
        self, since: datetime, until: datetime | None = None, to: str | None = None
    ) -> Iterator[LoggedMessage]:
        return message_log.walk(self.list_messages, since, until, to, status_of)

    def lose(self, fields: Mapping[str, str]) -> None:
        """A text that the network takes, and whose webhook is lost."""
        self.door.parse_inbound(fields)  # which keeps it in the log; nobody is told

    def fetch(self, provider_message_id: str) -> Mapping[str, Any]:
        query = sa.select(SimulatorMessage).where(SimulatorMessage.sid == provider_message_id)
        with self._database.read() as connection:
            row = connection.execute(query).first()
        if row is None:
            uri = f"/2010-04-01/Accounts/{self._account}/Messages/{provider_message_id}.json"
            message = f"The requested resource {uri} was not found"
            raise ProviderError(message, code=20404, status=404, permanent=True)
        return self._resource(row)

    def list_messages(self, query: Mapping[str, str]) -> Mapping[str, Any]:
        size = min(_whole(query.get("PageSize")) or _PAGE_SIZE, _MAX_PAGE_SIZE)
        page = _whole(query.get("Page"))
        # Who walks the pages sees the log as it was at the first one, whatever comes meanwhile.
        newest = _whole(query.get("PageToken", "").removeprefix("PA")) or self._newest()
        rows = self._search(query, newest, page * size, size + 1)
        shown = rows[:size]
        path = f"/2010-04-01/Accounts/{self._account}/Messages.json?"
        filters = {name: value for name, value in query.items() if not name.startswith("Page")}

        def address(number: int) -> str:
            place = {"PageSize": size, "Page": number} | (
                {"PageToken": f"PA{newest}"} if number else {}
            )
            return path + urlencode(filters | place)

        return {
            "messages": [self._resource(row) for row in shown],
            "page": page,
            "page_size": size,
            "start": page * size,
            "end": page * size + max(len(shown) - 1, 0),
            "uri": address(page),
            "first_page_uri": address(0),
            "previous_page_uri": address(page - 1) if page else None,
            "next_page_uri": address(page + 1) if len(rows) > size else None,
        }

    def delete(self, provider_message_id: str) -> None:
        with self._database.write() as connection:
            connection.execute(
                sa.delete(SimulatorMessage).where(SimulatorMessage.sid == provider_message_id)
            )

    def keep_inbound(self, message: InboundMessage) -> None:
        """What a handset texted to the gateway, in the network's log; once."""
        self._log(
            "inbound",
            message.sender,
            message.recipient,
            message.body,
            "received",
            message.provider_message_id,
        )

    def keep_reply(self, message: InboundMessage, reply: str) -> None:
        """The gateway's answer to a text arrives on the handset; once."""
        sid = "SM" + sha256(message.provider_message_id.encode()).hexdigest()[:32]
        self._log("outbound-reply", message.recipient, message.sender, reply, "delivered", sid)

    def deliver(self, number: str) -> list[DeliveryReport]:
        """The handset is on: what waits for it arrives. The reports that the network then gives."""
        due = sa.and_(
            SimulatorMessage.status == "scheduled", SimulatorMessage.send_at <= self._clock()
        )
        waiting = sa.and_(
            SimulatorMessage.recipient == number,
            sa.or_(SimulatorMessage.status == "queued", due),
        )
        with self._database.read() as connection:
            if connection.execute(sa.select(SimulatorMessage.id).where(waiting)).first() is None:
                return []  # a page that looks every second must not take the write lock for it
        arrive = sa.update(SimulatorMessage).where(waiting).values(status="delivered")
        with self._database.write() as connection:
            arrived = connection.execute(arrive.returning(SimulatorMessage.sid)).scalars().all()
        return [DeliveryReport(NAME, sid, DeliveryStatus.DELIVERED, to=number) for sid in arrived]

    def conversation(self, number: str, limit: int = 100) -> list[Row[Any]]:
        """The messages on one handset, the oldest first: rows of SimulatorMessage."""
        here = sa.or_(SimulatorMessage.sender == number, SimulatorMessage.recipient == number)
        query = (
            sa.select(SimulatorMessage)
            .where(here)
            .order_by(SimulatorMessage.id.desc())
            .limit(limit)
        )
        with self._database.read() as connection:
            return list(reversed(connection.execute(query).all()))

    def _log(
        self,
        direction: str,
        sender: str,
        recipient: str,
        body: str,
        status: str,
        sid: str | None = None,
        send_at: datetime | None = None,
    ) -> Row[Any] | None:
        row = {
            "sid": sid or "SM" + secrets.token_hex(16),
            "direction": direction,
            "sender": sender,
            "recipient": recipient,
            "body": body,
            "status": status,
            "created_at": self._clock(),
            "send_at": send_at,
        }
        with self._database.write() as connection:
            query = insert(SimulatorMessage).values(row).on_conflict_do_nothing()
            return connection.execute(query.returning(SimulatorMessage)).first()

    def _newest(self) -> int:
        with self._database.read() as connection:
            return connection.execute(sa.select(sa.func.max(SimulatorMessage.id))).scalar() or 0

    def _search(
        self, query: Mapping[str, str], newest: int, offset: int, limit: int
    ) -> list[Row[Any]]:
        found = (
            sa.select(SimulatorMessage)
            .where(SimulatorMessage.id <= newest)
            .order_by(SimulatorMessage.id.desc())
        )
        if "To" in query:
            found = found.where(SimulatorMessage.recipient == query["To"])
        if "From" in query:
            found = found.where(SimulatorMessage.sender == query["From"])
        for name, compare in _DATE_FILTERS.items():
            if name in query:
                found = found.where(compare(SimulatorMessage.created_at, _moment(query[name])))
        with self._database.read() as connection:
            return list(connection.execute(found.offset(offset).limit(limit)).all())

    def _resource(self, row: Row[Any]) -> dict[str, Any]:
        """https://www.twilio.com/docs/messaging/api/message-resource, field by field."""
        uri = f"/2010-04-01/Accounts/{self._account}/Messages/{row.sid}"
        when = format_datetime(row.created_at)
        by_service = row.sender.startswith("MG")
        return {
            "account_sid": self._account,
            "api_version": "2010-04-01",
            "body": row.body,
            "date_created": when,
            "date_sent": when,
            "date_updated": when,
            "direction": row.direction,
            "error_code": None,
            "error_message": None,
            "from": None if by_service else row.sender,
            "messaging_service_sid": row.sender if by_service else None,
            "num_media": "0",
            "num_segments": str(count_segments(row.body).count),
            "price": None,
            "price_unit": "USD",
            "sid": row.sid,
            "status": row.status,
            "subresource_uris": {"media": f"{uri}/Media.json"},
            "to": row.recipient,
            "uri": f"{uri}.json",
        }


def _scheduled_for(message: OutgoingMessage) -> datetime | None:
    """Twilio's SendAt, with ScheduleType=fixed. Raises ProviderError where it is no time."""
    options = dict(message.options)
    if options.get("ScheduleType") != "fixed":
        return None
    try:
        at = datetime.fromisoformat(options.get("SendAt", ""))
    except ValueError as error:
        text = "SendAt must be a time in ISO 8601, as 2026-11-24T18:00:00Z"
        raise ProviderError(text, code=35111, status=400, permanent=True) from error
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at


def _is_address(text: str) -> bool:
    return len(text) <= _LONGEST_ADDRESS and text.isprintable()


def _on_day(sent: Any, moment: datetime) -> Any:
    day = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return sa.and_(sent >= day, sent < day + timedelta(days=1))


# In UTC: that day; up to that moment; from that moment on. A bare date is its midnight.
_DATE_FILTERS: dict[str, Callable[[Any, datetime], Any]] = {
    "DateSent": _on_day,
    "DateSent<": lambda sent, moment: sent <= moment,
    "DateSent>": lambda sent, moment: sent >= moment,
}


def _moment(value: str) -> datetime:
    try:
        moment = datetime.fromisoformat(value)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        moment = datetime.min.replace(tzinfo=UTC)
    if not 1970 <= moment.year < 9999:  # noqa: PLR2004 - the last year has no next day
        message = "DateSent must be a date, as 2026-11-24"
        raise ProviderError(message, code=20001, status=400, permanent=True)
    return moment


def _whole(value: str | None) -> int:
    """A number of a query; what is none counts as not given."""
    if value and value.isascii() and value.isdigit() and len(value) <= _LONGEST_NUMBER:
        return int(value)
    return 0


class SimulatorWebhooks:
    """The provider's door without a signature: it exists only where nothing real is behind it."""

    name = NAME
    takes_json = True

    def __init__(self, network: SimulatorProvider) -> None:
        self._network = network

    def authenticate(self, request: WebhookRequest) -> None:
        """Everybody on this machine is the network."""

    def parse_inbound(self, fields: Mapping[str, str]) -> InboundMessage:
        missing = [name for name in ("from", "body") if not str(fields.get(name, "")).strip()]
        if missing:
            raise InvalidInputError(f"{' and '.join(missing)} missing: needed are from, to, body")
        message_id = str(fields.get("id", "")) or "SM" + secrets.token_hex(16)
        addresses = (message_id, str(fields["from"]), str(fields.get("to", "")) or SENDER)
        if not all(map(_is_address, addresses)):
            raise InvalidInputError("id, from and to have at most 64 readable characters")
        message = InboundMessage(
            provider=NAME,
            provider_message_id=message_id,
            sender=str(fields["from"]),
            recipient=str(fields.get("to", "")) or SENDER,
            body=str(fields["body"]),
        )
        self._network.keep_inbound(message)
        return message

    def parse_delivery(self, fields: Mapping[str, str]) -> DeliveryReport:  # noqa: ARG002
        raise InvalidInputError("the simulated network reports deliveries by itself")

    def answer(self, message: InboundMessage, reply: str | None) -> str:
        if reply is not None:
            self._network.keep_reply(message, reply)
        return twiml(reply)
