"""The simulated network: a provider and its handsets, in one table. Nothing leaves the machine."""

import secrets
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Row

from app.core.database import Database, insert
from app.core.encrypted import holds
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
from app.providers import message_log
from app.providers.simulator_log import SimulatorLog
from app.providers.twilio import status_of, twiml

NAME = "simulator"
SENDER = "+393399957505"  # the network's own number, for messages that name no sender

# As long as an address may be where it is stored: a number, a name of 11, an MG….
_LONGEST_ADDRESS = 64


class SimulatorProvider:
    """Takes every message, keeps a log as Twilio does, and delivers to handsets that look."""

    name = NAME

    def __init__(self, database: Database, account_sid: str, clock: Clock) -> None:
        self._database = database
        self._log = SimulatorLog(database, account_sid)
        self._clock = clock
        self.door: WebhookDoor = SimulatorWebhooks(self)

    def send(self, message: OutgoingMessage) -> Acceptance:
        if not _is_address(message.sender or SENDER):
            text = "Invalid 'From' Phone Number/Caller ID"
            raise ProviderError(text, code=21212, status=400, permanent=True)
        send_at = _scheduled_for(message)
        row = self._take(
            "outbound-api",
            message.sender or SENDER,
            message.to.e164,
            message.body or "",
            "scheduled" if send_at else "queued",
            send_at=send_at,
        )
        assert row is not None  # noqa: S101 - a new sid meets no older one
        return Acceptance(row.sid, status_of(row.status), self._log.resource(row))

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
        return self._log.fetch(provider_message_id)

    def list_messages(self, query: Mapping[str, str]) -> Mapping[str, Any]:
        return self._log.page(query)

    def delete(self, provider_message_id: str) -> None:
        with self._database.write() as connection:
            connection.execute(
                sa.delete(SimulatorMessage).where(SimulatorMessage.sid == provider_message_id)
            )

    def keep_inbound(self, message: InboundMessage) -> None:
        """What a handset texted to the gateway, in the network's log; once."""
        self._take(
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
        self._take("outbound-reply", message.recipient, message.sender, reply, "delivered", sid)

    def deliver(self, number: str) -> list[DeliveryReport]:
        """The handset is on: what waits for it arrives. The reports that the network then gives."""
        due = sa.and_(
            SimulatorMessage.status == "scheduled", SimulatorMessage.send_at <= self._clock()
        )
        waiting = sa.and_(
            self._holds(SimulatorMessage.recipient, number),
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
        places = (SimulatorMessage.sender, SimulatorMessage.recipient)
        here = sa.or_(*(self._holds(place, number) for place in places))
        query = (
            sa.select(SimulatorMessage)
            .where(here)
            .order_by(SimulatorMessage.id.desc())
            .limit(limit)
        )
        with self._database.read() as connection:
            return list(reversed(connection.execute(query).all()))

    def _holds(self, place: Any, number: str) -> sa.ColumnElement[bool]:
        return holds(self._database.engine.dialect, place, number)

    def _take(
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
