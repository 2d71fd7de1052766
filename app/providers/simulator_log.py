"""The simulated network's log, searched and shown as Twilio's message log is."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlencode

import sqlalchemy as sa
from sqlalchemy.engine import Row

from app.core.database import Database
from app.core.encrypted import holds
from app.core.errors import ProviderError
from app.core.models import SimulatorMessage
from app.core.segments import count_segments

_PAGE_SIZE, _MAX_PAGE_SIZE = 50, 1000  # Twilio's
_LONGEST_NUMBER = 12  # digits: pages and rows stay within what a database counts to


class SimulatorLog:
    """Pages of messages, the newest first, and single ones: Twilio's resources."""

    def __init__(self, database: Database, account_sid: str) -> None:
        self._database = database
        self._account = account_sid

    def fetch(self, sid: str) -> Mapping[str, Any]:
        """One message. Raises ProviderError 20404 where there is none."""
        query = sa.select(SimulatorMessage).where(SimulatorMessage.sid == sid)
        with self._database.read() as connection:
            row = connection.execute(query).first()
        if row is None:
            uri = f"{self._messages}/{sid}.json"
            message = f"The requested resource {uri} was not found"
            raise ProviderError(message, code=20404, status=404, permanent=True)
        return self.resource(row)

    def page(self, query: Mapping[str, str]) -> Mapping[str, Any]:
        """The page that a query's To, From, DateSent, PageSize, Page and PageToken ask for."""
        size = min(_whole(query.get("PageSize")) or _PAGE_SIZE, _MAX_PAGE_SIZE)
        page = _whole(query.get("Page"))
        # Who walks the pages sees the log as it was at the first one, whatever comes meanwhile.
        newest = _whole(query.get("PageToken", "").removeprefix("PA")) or self._newest()
        rows = self._search(query, newest, page * size, size + 1)
        shown = rows[:size]
        path = f"{self._messages}.json?"
        filters = {name: value for name, value in query.items() if not name.startswith("Page")}

        def address(number: int) -> str:
            place = {"PageSize": size, "Page": number} | (
                {"PageToken": f"PA{newest}"} if number else {}
            )
            return path + urlencode(filters | place)

        return {
            "messages": [self.resource(row) for row in shown],
            "page": page,
            "page_size": size,
            "start": page * size,
            "end": page * size + max(len(shown) - 1, 0),
            "uri": address(page),
            "first_page_uri": address(0),
            "previous_page_uri": address(page - 1) if page else None,
            "next_page_uri": address(page + 1) if len(rows) > size else None,
        }

    @property
    def _messages(self) -> str:
        return f"/2010-04-01/Accounts/{self._account}/Messages"

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
        for name, column in _NUMBER_FILTERS.items():
            if name in query:
                found = found.where(holds(self._database.engine.dialect, column, query[name]))
        for name, compare in _DATE_FILTERS.items():
            if name in query:
                found = found.where(compare(SimulatorMessage.created_at, _moment(query[name])))
        with self._database.read() as connection:
            return list(connection.execute(found.offset(offset).limit(limit)).all())

    def resource(self, row: Row[Any]) -> dict[str, Any]:
        """https://www.twilio.com/docs/messaging/api/message-resource, field by field."""
        uri = f"{self._messages}/{row.sid}"
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


def _on_day(sent: Any, moment: datetime) -> Any:
    day = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return sa.and_(sent >= day, sent < day + timedelta(days=1))


# In UTC: that day; up to that moment; from that moment on. A bare date is its midnight.
_NUMBER_FILTERS = {"To": SimulatorMessage.recipient, "From": SimulatorMessage.sender}
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
