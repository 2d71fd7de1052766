"""An SMS opt-out gateway. Importing does nothing; here the parts meet."""

import functools
from collections.abc import Callable
from typing import Any

from flask import Flask

from app import tasks, web
from app.config import Settings
from app.core.policy import utc_now
from app.core.provider import Provider, SimulatedNetwork, WebhookDoor
from app.core.schema import DEFAULT_PROGRAM
from app.gateway import MARKETING, Gateway, scope
from app.providers import simulator, twilio_client
from app.providers.twilio import TwilioWebhooks
from app.providers.twilio_client import RecipientRefused

__all__ = ["Client", "Gateway", "RecipientRefused", "create_app"]


class Client(twilio_client.Client):
    """A `twilio.rest.Client` that cannot reach a suppressed number; arguments as Twilio's.

    `gateway`, `program` and `purpose` may be given besides. Without a gateway the environment
    describes one; without credentials its account sends.
    """

    def __init__(
        self,
        username: str | None = None,
        password: str | None = None,
        *args: Any,
        gateway: Gateway | None = None,
        program: str = DEFAULT_PROGRAM,
        purpose: str = MARKETING,
        **kwargs: Any,
    ) -> None:
        gateway = gateway or Gateway.from_env()
        super().__init__(
            username or gateway.settings.twilio_account_sid,
            password or gateway.settings.twilio_auth_token,
            *args,
            services=gateway.services,
            scope=scope(program, purpose),
            **kwargs,
        )
        self.api.base_url = gateway.settings.twilio_api_base_url


def create_app(settings: Settings | None = None, provider: Provider | None = None) -> Flask:
    """The web application; by default as the environment says. Raises SettingsError."""
    gateway = Gateway(settings or Settings.from_env(), provider)
    doors = [_twilio_door(gateway.settings)]
    network = _simulated_network(gateway)
    starter = _campaign_starter(gateway.settings)
    application = web.create_app(gateway.settings, gateway.services, doors, network, starter)
    application.extensions["gateway"] = gateway  # for whoever must close it: tests do
    return application


def _twilio_door(settings: Settings) -> WebhookDoor:
    return TwilioWebhooks(
        settings.twilio_auth_token,
        settings.public_url,
        provider_replies=settings.opt_out_replies == "provider",
    )


def _campaign_starter(settings: Settings) -> Callable[[int], None] | None:
    """How the web side hands a campaign to the workers, where a broker connects them."""
    if not settings.broker_url:
        return None
    return functools.partial(tasks.start_campaign, tasks.make_celery(settings.broker_url))


def _simulated_network(gateway: Gateway) -> SimulatedNetwork | None:
    """The handsets behind /simulator, only where nothing real is behind the gateway."""
    settings = gateway.settings
    if settings.sms_provider != simulator.NAME:
        return None
    database = gateway.services.database
    return simulator.SimulatorProvider(database, settings.twilio_account_sid, utc_now)
