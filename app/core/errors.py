"""What can go wrong, by meaning. An error carries the fact that decides what happens next."""

from datetime import timedelta
from enum import StrEnum


class Reason(StrEnum):
    """Why a number must not get a message now: a closed list, the same at every door."""

    SUPPRESSED = "suppressed"
    NO_CONSENT = "no_consent"
    UNCONFIRMED = "unconfirmed"
    CONSENT_EXPIRED = "consent_expired"
    OTHER_CHANNEL = "other_channel"
    UNDER_REVIEW = "under_review"
    QUIET_HOURS = "quiet_hours"
    INVALID_NUMBER = "invalid_number"
    UNKNOWN_PROGRAM = "unknown_program"


class CodeFault(StrEnum):
    """Why a code did not confirm."""

    WRONG_CODE = "wrong_code"
    EXPIRED = "expired"
    TOO_MANY_ATTEMPTS = "too_many_attempts"


CODE_FAULTS: dict[CodeFault, str] = {
    CodeFault.WRONG_CODE: "this is not the code that was sent: read it again",
    CodeFault.EXPIRED: "this request is over: ask for a new code",
    CodeFault.TOO_MANY_ATTEMPTS: "too many wrong codes: ask for a new one",
}

EXPLANATIONS: dict[Reason, str] = {
    Reason.SUPPRESSED: "the person has opted out",
    Reason.NO_CONSENT: "no consent to marketing is recorded for this number",
    Reason.UNCONFIRMED: "the consent has not been confirmed by code yet",
    Reason.CONSENT_EXPIRED: "the consent has expired",
    Reason.OTHER_CHANNEL: "the person chose another channel",
    Reason.UNDER_REVIEW: "a possible opt-out waits for a person to decide",
    Reason.QUIET_HOURS: "it is too late, too early or too often for a message of this program",
    Reason.INVALID_NUMBER: "this is not a telephone number that can be texted",
    Reason.UNKNOWN_PROGRAM: "there is no such program",
}


class GatewayError(Exception):
    """The root of all errors of this product."""


class InvalidInputError(GatewayError):
    """What was given can't be used; the text says what was wrong and what to do.

    Never put a telephone number or a message text in it: it leaves the house.
    """


class InvalidNumberError(InvalidInputError):
    """Not a telephone number that can be texted."""

    reason = Reason.INVALID_NUMBER


class UnknownProgramError(InvalidInputError):
    """There is no such program."""

    reason = Reason.UNKNOWN_PROGRAM


class ForgedRequestError(GatewayError):
    """A webhook request that the provider did not send."""


class NotSentError(GatewayError):
    """The gate did not let the message through. Nothing was sent.

    `detail` explains the reason where it stands for more than one thing.
    """

    def __init__(self, reason: Reason, detail: str | None = None) -> None:
        super().__init__(f"not sent: {detail or EXPLANATIONS[reason]}")
        self.reason = reason


class IdempotencyConflictError(InvalidInputError):
    """The same idempotency key came with a different message."""


class NotFoundError(GatewayError):
    """There is no such thing, or not for this caller."""


class TooManyRequestsError(GatewayError):
    """A door was used too often; `retry_after` says when it opens again."""

    def __init__(self, retry_after: timedelta) -> None:
        super().__init__("too many requests: try again later")
        self.retry_after = retry_after


class NotAllowedHereError(GatewayError):
    """What was asked is not open to this number or caller."""


class NotNowError(GatewayError):
    """What was asked can't be done as things stand; the text says what to do first."""


class CodeRefusedError(InvalidInputError):
    """A confirmation code that does not confirm; `reason` says why."""

    def __init__(self, reason: CodeFault) -> None:
        super().__init__(CODE_FAULTS[reason])
        self.reason = reason


class StorageUnavailableError(GatewayError):
    """The database can't be reached, or is not the one it should be: try again later."""


class ProviderError(GatewayError):
    """The provider did not take the message.

    `code` is the provider's own error code, `status` its HTTP status (both 0 when there is none),
    `permanent` says whether the same message can ever be taken, `retry_after` when to try again,
    if the provider has said so.
    """

    def __init__(
        self,
        message: str,
        *,
        code: int = 0,
        status: int = 0,
        permanent: bool,
        retry_after: timedelta | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.permanent = permanent
        self.retry_after = retry_after


class ProviderOptedOutError(ProviderError):
    """The provider holds an opt-out that we did not know of (Twilio: 21610)."""

    def __init__(self, message: str, *, code: int, status: int) -> None:
        super().__init__(message, code=code, status=status, permanent=True)


class ProviderOutcomeUnknownError(ProviderError):
    """The request left and no answer came: the message may or may not be on its way."""

    def __init__(self, message: str) -> None:
        super().__init__(message, permanent=False)
