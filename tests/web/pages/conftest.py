"""Visitors of the public pages, and the telephones that the codes go to."""

import re
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app import create_app
from app.gateway import Gateway
from tests.databases import SqliteDatabases
from tests.making import PERSON, SENDER, made_settings, text

HOME = "203.0.113.7"


@pytest.fixture(scope="session")
def sqlite(tmp_path_factory: pytest.TempPathFactory) -> SqliteDatabases:
    """A page is the same on both databases; what they decide is tested in tests/core."""
    return SqliteDatabases(tmp_path_factory.mktemp("pages"))


@pytest.fixture
def client(sqlite: SqliteDatabases) -> Iterator[FlaskClient]:
    settings = made_settings(database_url=sqlite.migrated(), consent="required", twilio_from=SENDER)
    app = create_app(settings)
    client = app.test_client()
    client.environ_base["REMOTE_ADDR"] = HOME
    yield client
    app.extensions["gateway"].close()


@pytest.fixture
def gateway(client: FlaskClient) -> Gateway:
    return client.application.extensions["gateway"]


@pytest.fixture
def own(gateway: Gateway) -> str:
    """The path of the page of PERSON, who has joined."""
    link = gateway.services.preferences.link_of(PERSON)
    joins(gateway)
    return link


def joins(gateway: Gateway, message: str = "START") -> None:
    """PERSON joins from the handset: the word, then the code."""
    inbox = gateway.services.inbox
    reply = inbox.receive(text(message, message_id=f"SM{message}")).reply
    inbox.receive(text(code_in(reply), message_id=f"SM{message}code"))


def code_in(body: str | None) -> str:
    return re.search(r"\b\d{6}\b", body or "")[0]


def sent_to(gateway: Gateway, number: str = PERSON) -> list[str]:
    return [message.body for message in gateway.services.provider.conversation(number)]


def sealed_form(answer: TestResponse) -> str:
    return re.search(r'name="form" value="([^"]+)"', answer.text)[1]


def ask(client: FlaskClient, number: str = PERSON, path: str = "/join/default", **more):
    """Open the form, fill it in, send it."""
    form = sealed_form(client.get(path))
    return client.post(path, data={"form": form, "number": number, "agreed": "yes"}, **more)


def enter(client: FlaskClient, code: str, path: str = "/join/default") -> TestResponse:
    return client.post(f"{path}/code", data={"code": code})


def press(client: FlaskClient, own: str, headers=None, **fields: str) -> TestResponse:
    """Open one's own page and press a button on it."""
    form = sealed_form(client.get(own))
    return client.post(own, data={"form": form, **fields}, headers=headers)


def standing(gateway: Gateway, number: str = PERSON) -> str:
    return str(gateway.check([number])[0].reason)
