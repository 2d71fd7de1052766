"""Twilio's Messages resource as data: its create form read, its errors written. No HTTP here.

Shared by the Twilio-compatible endpoint and the drop-in client, which must not differ.
https://www.twilio.com/docs/messaging/api/message-resource#create-a-message-resource
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from app.core.errors import (
    GatewayError,
    InvalidInputError,
    InvalidNumberError,
    NotFoundError,
    NotSentError,
    ProviderError,
    ProviderOutcomeUnknownError,
    Reason,
    StorageUnavailableError,
    TooManyRequestsError,
)
from app.core.gate import Scope
from app.core.outbound import Draft

Form = Sequence[tuple[str, str]]

# The root of every path of this API.
API_ROOT = "/2010-04-01"

_LONGEST_BODY = 1600

# Only these fields of the create request may stand more than once.
_REPEATABLE = frozenset({"MediaUrl", "PersistentAction"})

# Every field of the create request. What is not here is refused and never passed on: no spelling
# of a field's name can carry a second recipient past the gate.
FIELDS = _REPEATABLE | {
    "AddressRetention",
    "ApplicationSid",
    "Attempt",
    "Body",
    "ContentRetention",
    "ContentSid",
    "ContentVariables",
    "FallbackFrom",
    "ForceDelivery",
    "From",
    "MaxPrice",
    "MessageIntent",
    "MessagingServiceSid",
    "ProvideFeedback",
    "RiskCheck",
    "ScheduleType",
    "SendAsMms",
    "SendAt",
    "ShortenUrls",
    "SmartEncoded",
    "StatusCallback",
    "Tags",
    "To",
    "TrafficType",
    "ValidityPeriod",
}

# The error code for each of the gate's reasons; the text is Twilio's own.
_UNSUBSCRIBED = (21610, "Attempt to send to unsubscribed recipient")
_REFUSALS = {
    Reason.INVALID_NUMBER: (21211, "Invalid 'To' Phone Number"),
    Reason.QUIET_HOURS: (30610, "Attempt to send outside of the allowed hours"),
}

# https://www.twilio.com/docs/api/errors: the general codes repeat the HTTP status; these do not.
_UNKNOWN_PARAMETERS = 20001
_CODES_OF_STATUSES = {400: _UNKNOWN_PARAMETERS, 401: 20003, 403: 20003, 405: 20004}
_TEXTS_OF_STATUSES = {404: "The requested resource was not found", 405: "Method not allowed"}


class TwilioError(GatewayError):
    """An error as Twilio would answer it: HTTP status, its code, its message."""

    def __init__(self, status: int, code: int, message: str, reason: Reason | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.reason = reason

    def body(self) -> dict[str, Any]:
        """The error's JSON. Never `type` or `title`: with them the libraries raise another."""
        body: dict[str, Any] = {
            "code": self.code,
            "message": self.message,
            "more_info": f"https://www.twilio.com/docs/errors/{self.code}",
            "status": self.status,
        }
        if self.reason is not None:
            body["details"] = {"reason": self.reason}
        return body


def draft_from(form: Form, scope: Scope, requester: str, default_sender: str | None) -> Draft:
    """Read a create request. Raises TwilioError, with the code that Twilio has for the fault."""
    fields = _single_fields(form)
    to = fields.pop("To", "")
    body = fields.pop("Body", None)
    sender = fields.pop("From", "") or fields.pop("MessagingServiceSid", "") or default_sender
    options = [(name, value) for name, value in form if name in _REPEATABLE]
    options += list(fields.items())
    if not to.strip():
        raise TwilioError(400, 21604, "A 'To' phone number is required.")
    if not sender:
        raise TwilioError(400, 21603, "A 'From' phone number is required.")
    if not body and not any(name in {"MediaUrl", "ContentSid"} for name, _ in options):
        raise TwilioError(400, 21602, "Message body is required.")
    if body and len(body) > _LONGEST_BODY:
        raise TwilioError(
            400, 21617, "The concatenated message body exceeds the 1600 character limit."
        )
    send_at = _moment(fields.get("SendAt", ""))
    return Draft(
        to,
        body,
        scope.program,
        scope.purpose,
        sender,
        requester,
        options=options,
        send_at=send_at,
    )


def _moment(text: str) -> datetime | None:
    """What is no time is refused by the provider, in its own words."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at


def error_from(error: GatewayError) -> TwilioError:
    """What Twilio would answer where something has failed so."""
    if isinstance(error, TwilioError):
        return error
    if isinstance(error, NotSentError | InvalidNumberError):
        return TwilioError(400, *_REFUSALS.get(error.reason, _UNSUBSCRIBED), error.reason)
    if isinstance(error, ProviderError):
        return _provider_error(error)
    status = next((status for kind, status in _STATUSES if isinstance(error, kind)), 500)
    return TwilioError(status, code_of_status(status), str(error))


_STATUSES: tuple[tuple[type[GatewayError], int], ...] = (
    (StorageUnavailableError, 503),
    (TooManyRequestsError, 429),
    (NotFoundError, 404),
    (InvalidInputError, 400),
)


def _provider_error(error: ProviderError) -> TwilioError:
    if isinstance(error, ProviderOutcomeUnknownError):
        advice = "The provider did not answer: the message may be on its way. Look it up."
        return TwilioError(504, code_of_status(504), advice)
    status = error.status or (400 if error.code else 503)
    return TwilioError(status, error.code or code_of_status(status), str(error))


def code_of_status(status: int) -> int:
    """Twilio's error code for a bare HTTP status."""
    return _CODES_OF_STATUSES.get(status, 20000 + status)


def bare_error(status: int, detail: str = "") -> TwilioError:
    """An error of HTTP itself; `detail` is said where Twilio has no text of its own."""
    return TwilioError(status, code_of_status(status), _TEXTS_OF_STATUSES.get(status, detail))


def _single_fields(form: Form) -> dict[str, str]:
    """The fields that stand once. A second `To` could be read as another number by the provider."""
    fields: dict[str, str] = {}
    for name, value in form:
        if name not in FIELDS:
            raise TwilioError(400, _UNKNOWN_PARAMETERS, f"{_shown(name)} is no parameter of this.")
        if name in _REPEATABLE:
            continue
        if name in fields:
            raise TwilioError(400, _UNKNOWN_PARAMETERS, f"{name} was given more than once.")
        fields[name] = value
    return fields


def _shown(name: str) -> str:
    """A name is repeated to the caller only where it can't be somebody's number."""
    return repr(name) if name.isascii() and name.isalpha() else "What was given"
