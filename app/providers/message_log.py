"""A provider's message log, walked page by page and read into our words.

https://www.twilio.com/docs/messaging/api/message-resource#read-multiple-message-resources
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from app.core.models import DeliveryStatus
from app.core.provider import LoggedMessage

_PAGE_SIZE = "1000"  # the most that Twilio gives

Page = Callable[[Mapping[str, str]], Mapping[str, Any]]


def walk(
    page_of: Page,
    since: datetime,
    until: datetime | None,
    to: str | None,
    status_of: Callable[[str], DeliveryStatus],
) -> Iterator[LoggedMessage]:
    """Every message of that time. Raises ProviderError."""
    query = {"PageSize": _PAGE_SIZE}
    if to is None:
        latest = (until or datetime.now(UTC)) + timedelta(seconds=1)
        query |= {"DateSent>": _written(since), "DateSent<": _written(latest)}
    else:
        query |= {"To": to}  # one number's few messages, those included that are not sent yet
    while True:
        page = page_of(query)
        for resource in page.get("messages") or []:
            message = _read(resource, status_of)
            if since <= message.at and (until is None or message.at <= until):
                yield message
        following = page.get("next_page_uri")
        if not following:
            return
        query = dict(parse_qsl(urlsplit(str(following)).query))


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _read(resource: Mapping[str, Any], status_of: Callable[[str], DeliveryStatus]) -> LoggedMessage:
    code = resource.get("error_code")
    return LoggedMessage(
        provider_message_id=str(resource.get("sid")),
        is_inbound=str(resource.get("direction")) == "inbound",
        sender=str(resource.get("from") or ""),
        recipient=str(resource.get("to") or ""),
        body=str(resource.get("body") or ""),
        status=status_of(str(resource.get("status"))),
        at=_moment(resource),
        service=resource.get("messaging_service_sid"),
        error_code=code if isinstance(code, int) else None,
    )


def _moment(resource: Mapping[str, Any]) -> datetime:
    text = resource.get("date_created") or resource.get("date_sent")
    try:
        return parsedate_to_datetime(str(text)).astimezone(UTC)
    except (TypeError, ValueError):
        return datetime.now(UTC)  # an entry without a time is one of this moment
