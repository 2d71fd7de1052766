"""Who may use the Twilio-compatible endpoint: the account itself, and API keys."""

import base64

import pytest
import sqlalchemy as sa

from app import web
from app.core.gate import Scope
from app.core.models import OutboundMessage, Purpose
from app.core.schema import DEFAULT_PROGRAM
from tests.making import ACCOUNT_SID, AUTH_TOKEN
from tests.web.scripts import (
    ACCOUNT,
    MESSAGES,
    REACHABLE,
    send,
)


def basic(text: bytes) -> str:
    return "Basic " + base64.b64encode(text).decode()


ODD_CREDENTIALS = [
    None,
    "",
    "Basic",
    "Basic ",
    "Basic !!!",
    "Basic é",
    "Basic ÿÿÿÿ",
    "Bearer " + AUTH_TOKEN,
    basic(b"\xff\xfe:\xff"),
    basic(b"no colon"),
    basic(b":"),
    basic(f"{ACCOUNT_SID}:".encode()),
    basic(f":{AUTH_TOKEN}".encode()),
    basic(f"{ACCOUNT_SID}:{AUTH_TOKEN}x".encode()),
    basic(f"{ACCOUNT_SID.lower()}:{AUTH_TOKEN}".encode()),
    basic("è:né".encode()),
    basic(b"\0:\0"),
    basic(b"x" * 5000 + b":" + b"y" * 5000),
    'Digest username="x"',
    "Basic " + "A" * 7000,
]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_wrong_credentials_are_twilios_20003(browser, method):
    """Whatever stands in the header, the answer is 401 in Twilio's form, never a failure."""
    for header in ODD_CREDENTIALS:
        headers = {} if header is None else {"Authorization": header}
        answer = browser.open(MESSAGES, method=method, headers=headers)

        assert answer.status_code == 401, header
        assert answer.headers["WWW-Authenticate"] == 'Basic realm="Twilio API"'
        assert answer.json == {
            "code": 20003,
            "message": "Authenticate",
            "more_info": "https://www.twilio.com/docs/errors/20003",
            "status": 401,
        }


def test_an_account_without_a_token_lets_nobody_in(gateway):
    """Where no token is set, no empty one fits."""
    settings = gateway.settings.model_copy(update={"twilio_auth_token": ""})
    browser = web.create_app(settings, gateway.services, []).test_client()
    assert browser.get(MESSAGES, auth=(ACCOUNT_SID, "")).status_code == 401


def test_another_account_is_not_found(browser):
    """The account in the path must be the one that the credentials belong to."""
    path = MESSAGES.replace(ACCOUNT_SID, "AC" + "f" * 32)
    for method in ("GET", "POST"):
        answer = browser.open(path, method=method, auth=ACCOUNT)
        assert (answer.status_code, answer.json["code"]) == (404, 20404)


def test_an_api_key_sends_in_its_program_for_its_purpose(browser, gateway):
    """The key's id and secret are credentials, and what is sent is what the key is for."""
    key = gateway.services.api_keys.create("shop", Scope(DEFAULT_PROGRAM, Purpose.SERVICE))
    assert send(browser, auth=(key.id, key.secret), To=REACHABLE, Body="ok").status_code == 201

    with gateway.services.database.read() as connection:
        row = connection.execute(sa.select(OutboundMessage)).one()
    assert (row.requester, row.program, row.purpose) == (key.id, DEFAULT_PROGRAM, "service")


def test_a_key_needs_its_own_id_and_stands_until_it_is_revoked(browser, gateway):
    """A secret with another's id, or after its revocation, opens nothing."""
    scope = Scope(DEFAULT_PROGRAM, Purpose.MARKETING)
    shop = gateway.services.api_keys.create("shop", scope)
    blog = gateway.services.api_keys.create("blog", scope)
    assert browser.get(MESSAGES, auth=(shop.id, shop.secret)).status_code == 200
    assert browser.get(MESSAGES, auth=(blog.id, shop.secret)).status_code == 401

    gateway.services.api_keys.revoke("shop")
    assert browser.get(MESSAGES, auth=(shop.id, shop.secret)).status_code == 401
