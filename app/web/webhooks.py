"""The provider's webhooks: verify, parse, hand on; a failure is always said with its own status."""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, request

from app.core.errors import InvalidInputError
from app.core.provider import WebhookDoor, WebhookRequest
from app.core.services import Services
from app.web import metrics


def blueprint(door: WebhookDoor, services: Services) -> Blueprint:
    """`/webhooks/<provider>/inbound` and `/status`, behind the provider's signature."""
    hooks = Blueprint(f"{door.name}_webhooks", __name__, url_prefix=f"/webhooks/{door.name}")

    @hooks.before_request
    def authenticate() -> None:
        door.authenticate(WebhookRequest(_raw_path(), request.headers, request.form))

    @hooks.post("/inbound")
    def inbound() -> Response:
        return Response(take_text(door, services, _fields(door)), mimetype="text/xml")

    @hooks.post("/status")
    def status() -> Response:
        services.deliveries.record(door.parse_delivery(_fields(door)))
        return Response(status=204)

    return hooks


def take_text(door: WebhookDoor, services: Services, fields: Mapping[str, Any]) -> str:
    """The one way of a person's text through the house; the door's answer, as XML."""
    message = door.parse_inbound(fields)
    outcome = services.inbox.receive(message)
    metrics.count_inbound(outcome)
    return door.answer(message, outcome.reply)


def _raw_path() -> str:
    """Path and query as they came over the wire: decoding would change what was signed."""
    return str(request.environ.get("RAW_URI") or request.environ["REQUEST_URI"])


def _fields(door: WebhookDoor) -> Mapping[str, Any]:
    if not (door.takes_json and request.is_json):
        return request.form
    fields = request.get_json()
    if not isinstance(fields, dict):
        raise InvalidInputError("the JSON body must be an object")
    return fields
