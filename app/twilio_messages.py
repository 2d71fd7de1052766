"""Twilio's Messages resource as data: its create form read, its errors written. No HTTP here.

Shared by the Twilio-compatible endpoint and the drop-in client, which must not differ.
https://www.twilio.com/docs/messaging/api/message-resource#create-a-message-resource
"""

from collections.abc import Sequence
from typing import Any

from app.core.errors import (
    InvalidNumberError,
    NotSentError,
    ProviderError,
    ProviderOutcomeUnknownError,
    Reason,
)
from app.core.gate import Scope
from app.core.outbound import Draft

Form = Sequence[tuple[str, str]]

_LONGEST_BODY = 1600

# Only these fields of the create request may stand more than once.
_REPEATABLE = frozenset({"MediaUrl", "PersistentAction", "Tags"})

# The error code for each of the gate's reasons; the text is Twilio's own.
_UNSUBSCRIBED = 21610
_REFUSALS = {
    Reason.INVALID_NUMBER: (21211, "Invalid 'To' Phone Number"),
    Reason.QUIET_HOURS: (30610, "Attempt to send outside of the allowed hours"),
}


class TwilioError(Exception):
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
            400, 21617, "The concatenated message body exceeds the 1600 character limit"
        )
    return Draft(to, body, scope.program, scope.purpose, sender, requester, options=options)


def error_from(
    error: InvalidNumberError | NotSentError | ProviderError,
) -> TwilioError:
    """What Twilio would answer where sending has failed so."""
    if isinstance(error, ProviderOutcomeUnknownError):
        return TwilioError(
            504, 20504, "The provider did not answer: the message may be on its way. Look it up."
        )
    if isinstance(error, ProviderError):
        return TwilioError(error.status or 503, error.code or 20503, str(error))
    code, message = _REFUSALS.get(
        error.reason, (_UNSUBSCRIBED, "Attempt to send to unsubscribed recipient")
    )
    return TwilioError(400, code, message, error.reason)


def code_of(reason: Reason) -> int:
    """Twilio's error code for one of the gate's reasons."""
    return _REFUSALS.get(reason, (_UNSUBSCRIBED, ""))[0]


def _single_fields(form: Form) -> dict[str, str]:
    """The fields that stand once. A second `To` could be read as another number by the provider."""
    fields: dict[str, str] = {}
    for name, value in form:
        if name in _REPEATABLE:
            continue
        if name in fields or (name != "To" and name.lower() == "to"):
            raise TwilioError(400, 20001, f"The parameter {name[:40]!r} was given more than once.")
        fields[name] = value
    return fields
