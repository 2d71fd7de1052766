"""For whoever runs the gateway: is it alive, can it work, what has it done."""

from datetime import datetime

from flask import Blueprint, Response
from prometheus_client import CONTENT_TYPE_LATEST

from app.core.errors import StorageUnavailableError
from app.core.policy import utc_now
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
        note = _note_on_lost_texts(services.reconciler.watermark())
        return Response(f"ready\n{note}\n", mimetype="text/plain")

    @health.get("/metrics")
    def show_metrics() -> Response:
        shown = metrics.exposition(_age(services), _duties(services))
        return Response(shown, content_type=CONTENT_TYPE_LATEST)

    return health


def _note_on_lost_texts(watermark: datetime | None) -> str:
    if watermark is None:
        return "texts received: never compared with the provider's log (`optout reconcile`)"
    return f"texts received: complete until {watermark:%Y-%m-%dT%H:%M:%SZ}"


def _duties(services: Services) -> list[tuple[str, int, float]]:
    """Name, number, and seconds until the first is late; only those that are open."""
    try:
        duties = services.duties.quick()
    except StorageUnavailableError:
        return []
    now = services.clock()
    return [(duty.name, duty.count, (duty.by - now).total_seconds()) for duty in duties if duty.by]


def _age(services: Services) -> float | None:
    """Seconds since which texts may have been lost unseen; None where nobody can say."""
    try:
        watermark = services.reconciler.watermark()
    except StorageUnavailableError:
        return None
    return None if watermark is None else (utc_now() - watermark).total_seconds()
