"""What a script asks of the Twilio-compatible endpoint."""

from flask.testing import FlaskClient

from app.gateway import Gateway
from tests.making import ACCOUNT_SID, AUTH_TOKEN

MESSAGES = f"/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json"
ACCOUNT = (ACCOUNT_SID, AUTH_TOKEN)
SENDER = "+393399957505"
UNREACHABLE = "postgresql://nobody@127.0.0.1:1/nothing"
REACHABLE, SUPPRESSED = "+393401234567", "+393331234567"


def send(browser: FlaskClient, auth=ACCOUNT, **fields):
    return browser.post(MESSAGES, data={"From": SENDER, **fields}, auth=auth)


def sent(gateway: Gateway) -> list[dict]:
    return gateway.services.provider.list_messages({})["messages"]
