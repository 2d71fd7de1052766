"""HTTP in, HTTP out."""

from collections.abc import Callable, Iterable

from flask import Flask, Request
from flask.sessions import SessionInterface

from app.config import Settings
from app.core.provider import SimulatedNetwork, WebhookDoor
from app.core.services import Services
from app.web import (
    api,
    assets,
    docs,
    errors,
    headers,
    health,
    logs,
    simulator,
    strangers,
    twilio_api,
    webhooks,
)
from app.web.pages import join, preferences

# The largest request that is read: 10,000 numbers to check, with room to spare.
_MAX_REQUEST_BYTES = 1024 * 1024


class _NoSessions(SessionInterface):
    """Nobody has a session here: pages and forms carry sealed tokens of their own."""

    def open_session(self, app: Flask, request: Request) -> None:  # noqa: ARG002
        return None


def create_app(
    settings: Settings,
    services: Services,
    doors: Iterable[WebhookDoor],
    network: SimulatedNetwork | None = None,
    start_campaign: Callable[[int], None] | None = None,
) -> Flask:
    """Every blueprint brings its own guard, attached to the whole of it.

    `network`: what is behind the page /simulator, which without it does not exist.
    `start_campaign`: hands a campaign to the workers, where there are any.
    """
    app = Flask(__name__, static_folder=None)
    app.session_interface = _NoSessions()
    app.config["SECRET_KEY"] = settings.secret_key
    app.config["MAX_CONTENT_LENGTH"] = _MAX_REQUEST_BYTES
    app.config["MAX_FORM_MEMORY_SIZE"] = _MAX_REQUEST_BYTES
    app.config["MAX_FORM_PARTS"] = 200
    logs.attach(app)
    headers.attach(app)
    errors.attach(app)
    strangers.attach(app, settings.public_url)
    assets.attach(app)
    app.register_blueprint(health.blueprint(services))
    app.register_blueprint(twilio_api.blueprint(services, settings))
    for door in doors:
        app.register_blueprint(webhooks.blueprint(door, services))
    table = api.routes(services, start_campaign)
    app.register_blueprint(api.blueprint(table, services))
    app.register_blueprint(docs.blueprint(table, settings.public_url))
    app.register_blueprint(join.blueprint(services, settings.secret_key))
    app.register_blueprint(preferences.blueprint(services, settings.secret_key))
    if network is not None:
        app.register_blueprint(webhooks.blueprint(network.door, services))
        app.register_blueprint(simulator.blueprint(network, services))
    return app
