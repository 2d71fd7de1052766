"""Failures in the words of HTTP, in the form that the asked part of the house speaks."""

from http import HTTPStatus
from math import ceil
from typing import Any

from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException

from app.core.errors import (
    CodeRefusedError,
    ForgedRequestError,
    GatewayError,
    IdempotencyConflictError,
    InvalidInputError,
    NotAllowedHereError,
    NotFoundError,
    NotNowError,
    NotSentError,
    ProviderError,
    ProviderOutcomeUnknownError,
    StorageUnavailableError,
    TooManyRequestsError,
)
from app.core.retries import may_be_repeated, wait_before_repeating
from app.twilio_messages import API_ROOT, bare_error, error_from
from app.web.logs import log

# An error's status; the first kind that fits counts.
_STATUSES: tuple[tuple[type[GatewayError], int], ...] = (
    (ForgedRequestError, 403),
    (NotAllowedHereError, 403),
    (NotSentError, 409),
    (NotNowError, 409),
    (TooManyRequestsError, 429),
    (IdempotencyConflictError, 422),
    (CodeRefusedError, 422),
    (InvalidInputError, 400),
    (NotFoundError, 404),
    (StorageUnavailableError, 503),
    (ProviderOutcomeUnknownError, 504),
    (ProviderError, 502),
)


def attach(app: Flask) -> None:
    """No failure leaves the house as a stack trace; what is our fault is logged with one."""
    app.register_error_handler(GatewayError, _known)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _unforeseen)


def status_of(error: GatewayError) -> int:
    """A message that may be sent again later: 429 or 503, with Retry-After."""
    if isinstance(error, ProviderError) and may_be_repeated(error):
        return 429 if error.status == HTTPStatus.TOO_MANY_REQUESTS else 503
    return next((status for kind, status in _STATUSES if isinstance(error, kind)), 500)


def note(error: GatewayError, response: Response) -> Response:
    """What every answer to a failure brings besides its words: a line in the log, Retry-After."""
    say_when_to_repeat(response, error)
    if response.status_code >= 500:  # noqa: PLR2004
        log.error("failed", error=str(error), route=_route())
    else:
        log.warning("refused", error=str(error), status=response.status_code, route=_route())
    return response


def _known(error: GatewayError) -> Response:
    return note(error, _render(status_of(error), str(error), error))


def say_when_to_repeat(response: Response, error: GatewayError) -> None:
    wait = None
    if isinstance(error, TooManyRequestsError):
        wait = error.retry_after
    elif isinstance(error, ProviderError):
        wait = wait_before_repeating(error)
    if wait is not None:
        response.headers["Retry-After"] = str(max(ceil(wait.total_seconds()), 1))


def _http(error: HTTPException) -> Response:
    if error.response is not None:  # a redirect, or an answer made elsewhere
        return error.get_response()  # type: ignore[return-value]
    response = _render(error.code or 500, error.description or error.name, error)
    for name, value in error.get_headers():
        if name.lower() not in {"content-type", "content-length"}:
            response.headers[name] = value
    return response


def _unforeseen(error: Exception) -> Response:
    log.error("unforeseen", route=_route(), exc_info=error)
    return _render(500, "something went wrong on our side", error)


def _render(status: int, detail: str, error: Exception) -> Response:
    if request.path.startswith(("/api/", "/simulator/")):
        return problem(status, detail, getattr(error, "reason", None))
    if request.path.startswith(API_ROOT):
        return _twilio(status, detail, error)
    return Response(f"{detail}\n", status=status, mimetype="text/plain")


def problem(status: int, detail: str, reason: str | None = None, **more: Any) -> Response:
    """RFC 9457; `more` are members of its own, left out where None."""
    title = HTTPStatus(status).phrase
    body: dict[str, Any] = {"type": "about:blank", "title": title, "status": status}
    body |= {"detail": detail, "reason": reason, **more}
    response = jsonify({name: value for name, value in body.items() if value is not None})
    response.status_code = status
    response.mimetype = "application/problem+json"
    return response


def _twilio(status: int, detail: str, error: Exception) -> Response:
    """Twilio's own form, for whatever went wrong wherever on a path of its API."""
    foreseen = error if isinstance(error, GatewayError) else bare_error(status, detail)
    failure = error_from(foreseen)
    response = jsonify(failure.body())
    response.status_code = failure.status
    if failure.status == HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = 'Basic realm="Twilio API"'
    return response


def _route() -> str:
    return request.url_rule.rule if request.url_rule else "unknown"
