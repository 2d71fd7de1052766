"""The API with a provider that only remembers, and keys to ask it with."""

from collections.abc import Iterator

import pytest
from flask import Flask

from app import web
from app.config import Settings
from app.core.models import DeliveryStatus
from app.core.provider import Acceptance, OutgoingMessage
from app.gateway import Gateway, scope

NUMBER = "+393331234567"
OTHER = "+393337654321"


class FakeProvider:
    """Remembers what it was given; `failure` is raised instead, `meanwhile` happens on the way."""

    name = "fake"
    deleted = 0

    def __init__(self):
        self.sent: list[OutgoingMessage] = []
        self.failure: Exception | None = None
        self.meanwhile = lambda: None

    def send(self, message: OutgoingMessage) -> Acceptance:
        self.sent.append(message)
        self.meanwhile()
        if self.failure:
            raise self.failure
        return Acceptance(f"SM{len(self.sent):032d}", DeliveryStatus.QUEUED, {})

    def list_messages(self, query):
        return {"messages": []}

    def delete(self, provider_message_id: str) -> None:
        self.deleted += 1


class Asker:
    """Asks as the holder of one key."""

    def __init__(self, app: Flask, authorization: str | None):
        self._app = app
        self._headers = {"Authorization": authorization} if authorization else {}

    @property
    def headers(self):
        return dict(self._headers)

    def post(self, path: str, json=None, **more):
        return self._ask("POST", path, json=json, **more)

    def get(self, path: str):
        return self._ask("GET", path)

    def _ask(self, method: str, path: str, **more):
        return self._app.test_client().open(
            "/api/v1" + path, method=method, headers=self._headers, **more
        )


@pytest.fixture
def provider() -> FakeProvider:
    return FakeProvider()


@pytest.fixture
def gateway(settings: Settings, provider: FakeProvider) -> Iterator[Gateway]:
    with Gateway(settings, provider) as gateway:
        gateway.services.programs.add("promo", {})
        gateway.services.programs.add("club", {})
        yield gateway


@pytest.fixture
def app(gateway: Gateway) -> Flask:
    return web.create_app(gateway.settings, gateway.services, [])


@pytest.fixture
def asker(app: Flask, gateway: Gateway):
    """Make an asker: with a key of its own, or whatever `authorization` says."""

    def make(program: str = "default", purpose: str = "marketing", authorization=None) -> Asker:
        if authorization is None:
            key = gateway.services.api_keys.create(f"{program} {purpose}", scope(program, purpose))
            authorization = f"Bearer {key.secret}"
        return Asker(app, authorization)

    return make


@pytest.fixture
def api(asker) -> Asker:
    """Asks with a key as they are made: of the default program, for marketing."""
    return asker()
