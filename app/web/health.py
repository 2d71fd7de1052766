"""For whoever runs the gateway: is it alive, can it work, what has it done."""

from flask import Blueprint, Response
from prometheus_client import CONTENT_TYPE_LATEST

from app.core.errors import StorageUnavailableError
from app.core.schema import is_current
from app.core.services import Services
from app.web import metrics


def blueprint(services: Services) -> Blueprint:
    """`/healthz`, `/readyz`, `/metrics`: public, and without anything personal in them."""
    health = Blueprint("health", __name__)

    @health.get("/healthz")
    def alive() -> Response:
        return Response("alive\n", mimetype="text/plain")

    @health.get("/readyz")
    def ready() -> Response:
        try:
            current = is_current(services.database)
        except StorageUnavailableError as error:
            return Response(f"not ready: {error}\n", status=503, mimetype="text/plain")
        if not current:
            advice = "not ready: the database has another schema: run `optout migrate`\n"
            return Response(advice, status=503, mimetype="text/plain")
        return Response("ready\n", mimetype="text/plain")

    @health.get("/metrics")
    def show_metrics() -> Response:
        return Response(metrics.exposition(), content_type=CONTENT_TYPE_LATEST)

    return health
