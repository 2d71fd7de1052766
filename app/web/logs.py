"""One line of JSON for each request: with an id, and without a number or a text in it."""

import logging
import re
import secrets
import sys
import time
from collections.abc import MutableMapping
from typing import Any

import structlog
from flask import Flask, Response, g, request

from app.core.phone import mask_numbers
from app.web import metrics

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}\Z")

log = structlog.get_logger("optout")


def configure() -> None:
    """Structured logs on standard error; the libraries' own lines take the same way."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _masked,
    ]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.JSONRenderer(),
        ],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    # The library logs whole requests at INFO: bodies and numbers.
    logging.getLogger("twilio.http_client").setLevel(logging.WARNING)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


def attach(app: Flask) -> None:
    """Give every request an id, a line in the log and a place in the metrics."""

    @app.before_request
    def begin() -> None:
        given = request.headers.get("X-Request-Id", "")
        g.request_id = given if _REQUEST_ID.match(given) else secrets.token_hex(8)
        g.started = time.perf_counter()

    @app.after_request
    def finish(response: Response) -> Response:
        seconds = time.perf_counter() - g.started
        # The rule, not the path: what a stranger puts into a path could be somebody's number.
        route = request.url_rule.rule if request.url_rule else "unknown"
        metrics.count_request(route, response.status_code, seconds)
        response.headers["X-Request-Id"] = g.request_id
        # A page that asks every second (g.is_poll) would bury what happens.
        (log.debug if g.get("is_poll") else log.info)(
            "request",
            method=request.method,
            route=route,
            status=response.status_code,
            ms=round(seconds * 1000, 1),
            request_id=g.request_id,
        )
        return response


def _masked(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key, value in event.items():
        if isinstance(value, str) and key not in {"timestamp", "request_id", "route"}:
            event[key] = mask_numbers(value)
    return event
