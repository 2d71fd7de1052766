"""Requests as Twilio makes them, and a look at what they left behind."""

from typing import Any

import sqlalchemy as sa
from flask.testing import FlaskClient
from twilio.request_validator import RequestValidator
from werkzeug.datastructures import MultiDict

from app.gateway import Gateway
from tests.making import AUTH_TOKEN

HOME = "https://sms.example.org"
INBOUND, STATUS = "/webhooks/twilio/inbound", "/webhooks/twilio/status"
PERSON, SENDER = "+393331234567", "+393399957505"
FORM = "application/x-www-form-urlencoded"
UNREACHABLE = "postgresql://nobody@127.0.0.1:1/nothing"

SID = "SM" + "0123456789abcdef" * 2
TEXT = {"MessageSid": SID, "AccountSid": "AC1", "From": PERSON, "To": SENDER, "Body": "STOP"}


def signed(fields: dict[str, Any], path: str, home: str = HOME, token: str = AUTH_TOKEN) -> str:
    return RequestValidator(token).compute_signature(home + path, MultiDict(fields))


def post(browser: FlaskClient, path: str, fields: dict[str, Any], signature: str | None = None):
    headers = {"X-Twilio-Signature": signature or signed(fields, path.partition("#")[0])}
    return browser.post(path, data=fields, headers=headers)


def stored(gateway: Gateway, model: type) -> list[Any]:
    with gateway.services.database.read() as connection:
        return list(connection.execute(sa.select(model)).all())


def is_suppressed(gateway: Gateway, number: str = PERSON) -> bool:
    return not gateway.check([number], purpose="service")[0].allowed
