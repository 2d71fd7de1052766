"""Twilio: sending, webhooks and its words for things.

https://www.twilio.com/docs/messaging
"""

import hmac
import json
import ssl
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode
from xml.sax.saxutils import escape

import requests
import urllib3.exceptions
from twilio.http import HttpClient
from twilio.http.response import Response
from twilio.request_validator import RequestValidator, get_signature_algorithm
from twilio.rest import Client

from app.core.errors import (
    ForgedRequestError,
    InvalidInputError,
    ProviderError,
    ProviderOptedOutError,
    ProviderOutcomeUnknownError,
)
from app.core.models import DeliveryStatus
from app.core.phone import mask_numbers
from app.core.provider import (
    Acceptance,
    DeliveryReport,
    InboundMessage,
    LoggedMessage,
    OutgoingMessage,
    WebhookRequest,
)
from app.providers import message_log
from app.providers.twilio_transport import Transport

NAME = "twilio"
OPTED_OUT = 21610  # https://www.twilio.com/docs/api/errors/21610

# Unreachable, unknown or landline handset. https://www.twilio.com/docs/api/errors/30003
_UNREACHABLE = frozenset({30003, 30005, 30006})

# https://www.twilio.com/docs/messaging/api/message-resource#message-status-values
_STATUSES = {
    "accepted": DeliveryStatus.QUEUED,
    "scheduled": DeliveryStatus.SCHEDULED,
    "queued": DeliveryStatus.QUEUED,
    "sending": DeliveryStatus.QUEUED,
    "sent": DeliveryStatus.SENT,
    "delivered": DeliveryStatus.DELIVERED,
    "partially_delivered": DeliveryStatus.DELIVERED,
    "read": DeliveryStatus.READ,
    "undelivered": DeliveryStatus.UNDELIVERED,
    "failed": DeliveryStatus.FAILED,
    "canceled": DeliveryStatus.CANCELED,
}

# The words to which Twilio itself replies on numbers with its default filtering: the whole text,
# in any case. https://help.twilio.com/articles/223134027
_ANSWERED_WORDS = {
    "STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT",
    "START", "YES", "UNSTOP", "HELP", "INFO",
}  # fmt: skip

_CHANNELS = ("whatsapp:", "rcs:", "messenger:")

# Cancelling comes before the answer to a STOP, which has no time for a slow provider.
_TIMEOUT_OF_CANCEL = 4.0

# As long as an id may be where it is stored; Twilio's own have 34 characters.
_LONGEST_ID = 64


class TwilioProvider:
    """Sends through Twilio's REST API, or whatever speaks it at `base_url`."""

    name = NAME

    def __init__(
        self,
        account_sid: str,
        auth_token: str,
        base_url: str,
        status_callback: str | None = None,
        http_client: HttpClient | None = None,
        *,
        provider_replies: bool = False,
    ) -> None:
        self._provider_replies = provider_replies
        self._client = Client(account_sid, auth_token, http_client=http_client or Transport())
        # The library would bend the address to TWILIO_REGION and TWILIO_EDGE.
        self._client.region = self._client.edge = None
        self._messages = f"{base_url}/2010-04-01/Accounts/{account_sid}/Messages"
        self._status_callback = status_callback

    def send(self, message: OutgoingMessage) -> Acceptance:
        return accepted(self._request("POST", ".json", data=form(message, self._status_callback)))

    def fetch(self, provider_message_id: str) -> Mapping[str, Any]:
        return _resource(self._request("GET", f"/{provider_message_id}.json"))

    def list_messages(self, query: Mapping[str, str]) -> Mapping[str, Any]:
        return _resource(self._request("GET", f".json?{urlencode(query)}" if query else ".json"))

    def delete(self, provider_message_id: str) -> None:
        # https://www.twilio.com/docs/messaging/api/message-resource#delete-a-message-resource
        response = self._request("DELETE", f"/{provider_message_id}.json")
        if not response.ok:
            raise _refusal(response.status_code, _json(response), response.headers or {})

    def log(
        self, since: datetime, until: datetime | None = None, to: str | None = None
    ) -> Iterator[LoggedMessage]:
        for message in message_log.walk(self.list_messages, since, until, to, status_of):
            sender = _without_channel(message.sender)
            answered = answers_itself(message.body, provider_replies=self._provider_replies)
            yield replace(message, sender=sender, answered_by_provider=answered)

    def cancel(self, provider_message_id: str) -> None:
        # https://www.twilio.com/docs/messaging/features/message-scheduling
        path, data = f"/{provider_message_id}.json", {"Status": "canceled"}
        _resource(self._request("POST", path, data, timeout=_TIMEOUT_OF_CANCEL))

    def _request(
        self, method: str, path: str, data: Any = None, timeout: float | None = None
    ) -> Response:
        address = self._messages + path
        return exchange(lambda: self._client.request(method, address, data=data, timeout=timeout))


def form(message: OutgoingMessage, status_callback: str | None = None) -> dict[str, Any]:
    """The message in the fields of Twilio's create request; repeated fields become lists."""
    fields: dict[str, Any] = {"To": message.to.e164}
    if message.body is not None:
        fields["Body"] = message.body
    if message.sender is not None:
        is_service = message.sender.startswith("MG")
        fields["MessagingServiceSid" if is_service else "From"] = message.sender
    options: dict[str, list[str]] = {}
    for name, value in message.options:
        options.setdefault(name, []).append(value)
    callback = {"StatusCallback": status_callback} if status_callback else {}
    return {**callback, **options, **fields}


def exchange(call: Callable[[], Response]) -> Response:
    """Make a request; translate what the network did to it.

    Raises ProviderError where the request surely never left, ProviderOutcomeUnknownError where it
    may have.
    """
    try:
        return call()
    except requests.Timeout as error:
        if isinstance(error, requests.ConnectTimeout):
            raise ProviderError("the provider can't be reached", permanent=False) from error
        raise ProviderOutcomeUnknownError("the provider did not answer in time") from error
    except Exception as error:
        # A script's own HTTP client may raise anything, and then nobody knows.
        if _never_left(error):
            raise ProviderError("the provider can't be reached", permanent=False) from error
        raise ProviderOutcomeUnknownError("the connection to the provider broke") from error


def _never_left(error: Exception) -> bool:
    if isinstance(error, requests.RequestException) and isinstance(error, ValueError):
        return True  # an address or a header that can't be used
    cause = getattr(error.args[0] if error.args else None, "reason", None)
    if isinstance(cause, urllib3.exceptions.SSLError):
        return isinstance(cause.args[0], ssl.SSLCertVerificationError)
    return isinstance(cause, urllib3.exceptions.NewConnectionError | urllib3.exceptions.ProxyError)


def accepted(response: Response) -> Acceptance:
    """Read the answer to a create request.

    Raises ProviderError and its kinds. A 2xx that names no message is an unknown outcome: the
    message may be on its way.
    """
    resource = _resource(response)
    sid = resource.get("sid")
    if not isinstance(sid, str) or not 0 < len(sid) <= _LONGEST_ID:
        raise ProviderOutcomeUnknownError("the provider's answer names no message")
    return Acceptance(sid, status_of(str(resource.get("status"))), resource)


def status_of(word: str) -> DeliveryStatus:
    """What a message's status is where Twilio has it; a new word of theirs is one on its way."""
    return _STATUSES.get(word, DeliveryStatus.QUEUED)


def _resource(response: Response) -> Mapping[str, Any]:
    body = _json(response)
    status = response.status_code
    if status >= 500:  # noqa: PLR2004
        raise ProviderOutcomeUnknownError(f"the provider failed with status {status}")
    if status >= 400:  # noqa: PLR2004
        raise _refusal(status, body, response.headers or {})
    if body is None:
        raise ProviderOutcomeUnknownError("the provider's answer can't be read")
    return body


def _refusal(
    status: int, body: Mapping[str, Any] | None, headers: Mapping[str, str]
) -> ProviderError:
    code = (body or {}).get("code")
    code = code if isinstance(code, int) else status
    # Twilio repeats the number in some of its texts.
    message = mask_numbers(str((body or {}).get("message") or f"the provider answered {status}"))
    if code == OPTED_OUT:
        return ProviderOptedOutError(message, code=code, status=status)
    if status != requests.codes.too_many_requests:
        return ProviderError(message, code=code, status=status, permanent=True)
    wait = _retry_after({name.lower(): value for name, value in headers.items()})
    return ProviderError(message, code=code, status=status, permanent=False, retry_after=wait)


def _retry_after(headers: Mapping[str, str]) -> timedelta | None:
    """Seconds or a date: RFC 9110, section 10.2.3."""
    value = headers.get("retry-after", "").strip()
    try:
        if value.isascii() and value.isdigit():
            return timedelta(seconds=int(value))
        wait = parsedate_to_datetime(value) - datetime.now(UTC)
    except (ValueError, TypeError, OverflowError):
        return None
    return max(wait, timedelta())


def _json(response: Response) -> Mapping[str, Any] | None:
    try:
        body = json.loads(response.text)
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


class TwilioWebhooks:
    """Recognises, reads and answers Twilio's webhooks."""

    name = NAME
    takes_json = False

    def __init__(self, auth_token: str, public_url: str, *, provider_replies: bool) -> None:
        self._validator = RequestValidator(auth_token)
        self._public_url = public_url
        self._provider_replies = provider_replies

    def authenticate(self, request: WebhookRequest) -> None:
        # The address comes from the settings and the undecoded path: what the request itself says
        # of host and scheme is the proxy's word, and decoding would change what was signed.
        signature = request.headers.get("X-Twilio-Signature", "")
        settings = request.headers.get("X-Twilio-Webhooks-Signature-Settings")
        address = self._public_url + request.path
        algorithm = get_signature_algorithm(settings)
        try:
            # What is signed is nearly always the very address. The library tries it with a port
            # and without one, each time: that is for the others.
            expected = self._validator.compute_signature(address, request.fields, algorithm)
            genuine = hmac.compare_digest(expected.encode(), signature.encode())
            if not genuine:
                genuine = self._validator.validate(address, request.fields, signature, algorithm)
        except ValueError as error:  # an address, an algorithm or a text that can't be read
            raise ForgedRequestError("the request can't be verified") from error
        if not genuine:
            raise ForgedRequestError("the signature is missing or wrong")

    def parse_inbound(self, fields: Mapping[str, str]) -> InboundMessage:
        opt_out_type = fields.get("OptOutType", "").upper() or None
        body = fields.get("Body", "")
        return InboundMessage(
            provider=NAME,
            provider_message_id=_message_id(fields),
            sender=_without_channel(_needed(fields, "From")),
            recipient=fields.get("To", ""),
            body=body,
            opt_out_type=opt_out_type,
            answered_by_provider=bool(opt_out_type)
            or answers_itself(body, provider_replies=self._provider_replies),
        )

    def parse_delivery(self, fields: Mapping[str, str]) -> DeliveryReport:
        status = fields.get("MessageStatus") or _needed(fields, "SmsStatus")
        error_code = fields.get("ErrorCode", "")
        code = int(error_code) if error_code.isascii() and error_code.isdigit() else None
        return DeliveryReport(
            provider=NAME,
            provider_message_id=_message_id(fields),
            status=_STATUSES.get(status.lower(), DeliveryStatus.UNKNOWN),
            to=_without_channel(fields.get("To", "")) or None,
            error_code=code if code is not None and code < 2**31 else None,
            opted_out=code == OPTED_OUT,
            unreachable=code in _UNREACHABLE,
        )

    def answer(self, message: InboundMessage, reply: str | None) -> str:  # noqa: ARG002
        return twiml(reply)


def answers_itself(body: str, *, provider_replies: bool) -> bool:
    """Whether Twilio has replied to this text, where it replies (OPT_OUT_REPLIES=provider)."""
    return provider_replies and body.strip().upper() in _ANSWERED_WORDS


def twiml(reply: str | None) -> str:
    """The webhook's answer: one message to the person who texted, or none."""
    # The library's own builder takes longer than the rest of the answer together.
    message = "" if reply is None else f"<Message>{escape(reply)}</Message>"
    return f'<?xml version="1.0" encoding="UTF-8"?><Response>{message}</Response>'


def _message_id(fields: Mapping[str, str]) -> str:
    message_id = _needed(fields, "MessageSid")
    if len(message_id) > _LONGEST_ID or not (message_id.isascii() and message_id.isalnum()):
        raise InvalidInputError("MessageSid is not an id of Twilio's")
    return message_id


def _needed(fields: Mapping[str, str], name: str) -> str:
    value = fields.get(name, "").strip()
    if not value:
        raise InvalidInputError(f"{name} is missing")
    return value


def _without_channel(address: str) -> str:
    """A STOP by WhatsApp or RCS counts for the number, whichever way it came."""
    for channel in _CHANNELS:
        if address.startswith(channel):
            return address.removeprefix(channel)
    return address
