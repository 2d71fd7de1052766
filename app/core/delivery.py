"""What became of the messages that were sent: reports only move a status forwards."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.core import consent, subscribers
from app.core.consent import Evidence
from app.core.database import Database, insert
from app.core.language import Intent
from app.core.models import ALL_PROGRAMS, DeliveryStatus, OutboundMessage, Subscriber
from app.core.models import DeliveryReport as ReportRow
from app.core.overtaken import is_overtaken
from app.core.phone import PhoneReader
from app.core.policy import Clock, Policy
from app.core.provider import DeliveryReport
from app.core.statements import Statement

# Reports come late and out of order; a message never goes back to an earlier status.
_ORDER = (
    DeliveryStatus.CLAIMED,
    DeliveryStatus.RETRYING,
    DeliveryStatus.UNKNOWN,
    DeliveryStatus.SCHEDULED,
    DeliveryStatus.QUEUED,
    DeliveryStatus.SENT,
    DeliveryStatus.CANCELED,
    DeliveryStatus.UNDELIVERED,
    DeliveryStatus.FAILED,
    DeliveryStatus.DELIVERED,
    DeliveryStatus.READ,
)

_EARLY = Statement(
    sa.select(ReportRow).where(
        ReportRow.provider == sa.bindparam("by"),
        ReportRow.provider_message_id == sa.bindparam("message"),
    )
)
# For a message that has just got the provider's id.
HAS_REPORTS = (
    sa.exists()
    .where(
        ReportRow.provider == OutboundMessage.provider,
        ReportRow.provider_message_id == OutboundMessage.provider_message_id,
    )
    .correlate(OutboundMessage)
)

_ARRIVED = frozenset({DeliveryStatus.DELIVERED, DeliveryStatus.READ})


class DeliveryLog:
    """Takes the provider's reports."""

    def __init__(
        self, database: Database, phones: PhoneReader, policy: Policy, clock: Clock
    ) -> None:
        self._database = database
        self._phones = phones
        self._policy = policy
        self._clock = clock

    def record(self, report: DeliveryReport) -> None:
        """Keep a report, once, and what follows from it: a status, or a suppression.

        That is: at an opt-out that the provider or the carrier holds; and where so many reports in
        a row as `policy.unreachable_after` said that there is no such handset. A delivered message
        begins the count anew. Raises StorageUnavailableError.
        """
        with self._database.write() as connection:
            now = self._clock()
            # Ordered with the sender, who may not have written down the provider's id yet.
            recipient = self._lock_recipient(connection, report, now)
            if not _keep(connection, report, now, is_early=recipient is None):
                return
            _move_forward(connection, report, now)
            if recipient is None:
                return
            if report.opted_out:
                _suppress(connection, recipient, consent.PROVIDER_OPT_OUT, report, now)
            elif self._is_out_of_reach(connection, recipient, report):
                _suppress(connection, recipient, consent.UNREACHABLE, report, now)

    def _is_out_of_reach(
        self, connection: Connection, recipient: bytes, report: DeliveryReport
    ) -> bool:
        limit = self._policy.unreachable_after
        person = sa.update(Subscriber).where(Subscriber.fingerprint == recipient)
        if report.status in _ARRIVED:
            counted = person.where(Subscriber.unreachable_reports != 0)
            connection.execute(counted.values(unreachable_reports=0))
        if not report.unreachable or not limit:
            return False
        one_more = person.values(unreachable_reports=Subscriber.unreachable_reports + 1)
        count = connection.execute(one_more.returning(Subscriber.unreachable_reports)).scalar_one()
        if count < limit:
            return False
        connection.execute(person.values(unreachable_reports=0))  # who comes back starts anew
        return True

    def _lock_recipient(
        self, connection: Connection, report: DeliveryReport, now: datetime
    ) -> bytes | None:
        if report.to:
            phone = self._phones.read_sender(report.to)
            subscribers.lock(connection, phone, now)
            return phone.fingerprint
        query = sa.select(OutboundMessage.fingerprint).where(_is_about(report))
        recipient = connection.execute(query).scalar()
        return None if recipient is None else subscribers.lock_known(connection, recipient)


def apply_early_reports(
    connection: Connection,
    provider: str,
    provider_message_id: str,
    recipient: bytes,
    now: datetime,
) -> DeliveryStatus | None:
    """Catch up with reports that came before the message's id was known; the status they gave.

    The recipient's row must be locked.
    """
    which = {"by": provider, "message": provider_message_id}
    latest = None
    for row in _EARLY.run(connection, which):
        status = DeliveryStatus(row.status)
        report = DeliveryReport(provider, provider_message_id, status, error_code=row.error_code)
        if _move_forward(connection, report, now):
            latest = status
        if row.names_opt_out:
            _opt_out_late(connection, recipient, report, row.reported_at, now)
    return latest


def _opt_out_late(
    connection: Connection,
    recipient: bytes,
    report: DeliveryReport,
    reported_at: datetime,
    now: datetime,
) -> None:
    """Once it is known whose opt-out was named; who has texted START since stays."""
    done = sa.update(ReportRow).where(
        ReportRow.provider == report.provider,
        ReportRow.provider_message_id == report.provider_message_id,
    )
    connection.execute(done.values(names_opt_out=False))
    if not is_overtaken(connection, recipient, Intent.OPT_OUT, reported_at):
        _suppress(connection, recipient, consent.PROVIDER_OPT_OUT, report, now)


def _keep(connection: Connection, report: DeliveryReport, now: datetime, *, is_early: bool) -> bool:
    row = {
        "provider": report.provider,
        "provider_message_id": report.provider_message_id,
        "status": report.status,
        "error_code": report.error_code,
        "names_opt_out": is_early and report.opted_out,
        "reported_at": now,
    }
    query = insert(ReportRow).values(row).on_conflict_do_nothing()
    return connection.execute(query.returning(ReportRow.status)).first() is not None


def _move_forward(connection: Connection, report: DeliveryReport, now: datetime) -> bool:
    if report.status not in _ORDER:
        return False
    earlier = _ORDER[: _ORDER.index(report.status)]
    moved = connection.execute(
        sa.update(OutboundMessage)
        .where(_is_about(report), OutboundMessage.status.in_(earlier))
        .values(status=report.status, error_code=report.error_code, updated_at=now)
    )
    return moved.rowcount > 0


def _is_about(report: DeliveryReport) -> sa.ColumnElement[bool]:
    return sa.and_(
        OutboundMessage.provider == report.provider,
        OutboundMessage.provider_message_id == report.provider_message_id,
    )


def _suppress(
    connection: Connection, fingerprint: bytes, reason: str, report: DeliveryReport, now: datetime
) -> None:
    details = {"provider_message_id": report.provider_message_id, "code": report.error_code}
    consent.suppress(
        connection,
        fingerprint,
        ALL_PROGRAMS,
        reason,
        Evidence("provider", details=details),
        now,
    )
