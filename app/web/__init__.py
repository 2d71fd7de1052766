"""HTTP in, HTTP out."""

from collections.abc import Iterable

from flask import Flask

from app.config import Settings
from app.core.provider import WebhookDoor
from app.core.services import Services
from app.web import errors, health, logs, twilio_api, webhooks

# The largest request that is read: 10,000 numbers to check, with room to spare.
_MAX_REQUEST_BYTES = 1024 * 1024


def create_app(settings: Settings, services: Services, doors: Iterable[WebhookDoor]) -> Flask:
    """Every blueprint brings its own guard, attached to the whole of it."""
    app = Flask(__name__, static_folder=None)
    app.config["SECRET_KEY"] = settings.secret_key
    app.config["MAX_CONTENT_LENGTH"] = _MAX_REQUEST_BYTES
    app.config["MAX_FORM_MEMORY_SIZE"] = _MAX_REQUEST_BYTES
    app.config["MAX_FORM_PARTS"] = 200
    logs.attach(app)
    errors.attach(app)
    app.register_blueprint(health.blueprint(services))
    app.register_blueprint(twilio_api.blueprint(services, settings))
    for door in doors:
        app.register_blueprint(webhooks.blueprint(door, services))
    return app
