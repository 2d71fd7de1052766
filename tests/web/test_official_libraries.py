"""Twilio's own libraries, unmodified except for the base URL, over a real connection."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client
from werkzeug.serving import make_server

from app import web
from app.core.consent import Evidence
from app.core.gate import Scope
from app.core.models import ALL_PROGRAMS, Purpose
from app.core.schema import DEFAULT_PROGRAM
from app.gateway import Gateway
from tests.making import ACCOUNT_SID, AUTH_TOKEN

SENDER, REACHABLE, SUPPRESSED = "+393399957505", "+393401234567", "+393331234567"

NODE = Path(__file__).parents[1] / "node"
needs_node = pytest.mark.skipif(
    shutil.which("node") is None or not (NODE / "node_modules/twilio").is_dir(),
    reason="Node.js's Twilio library is not here: install Node.js, then "
    "`npm install --prefix tests/node`",
)


@pytest.fixture
def address(gateway: Gateway) -> Iterator[str]:
    """A running gateway with one suppressed number."""
    gateway.services.suppressions.add(SUPPRESSED, ALL_PROGRAMS, "import", Evidence("test"))
    app = web.create_app(gateway.settings, gateway.services, [])
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def python_client(address: str) -> Iterator[Client]:
    transport = TwilioHttpClient()
    client = Client(ACCOUNT_SID, AUTH_TOKEN, http_client=transport)
    client.api.base_url = address
    yield client
    transport.session.close()


def test_python_sends(python_client):
    """A sent message has what scripts read of it."""
    message = python_client.messages.create(to="340 123 4567", from_=SENDER, body="ciao")
    assert (message.to, message.from_, message.status) == (REACHABLE, SENDER, "queued")
    assert message.body.startswith("ciao")
    assert message.sid.startswith("SM")
    assert message.date_created.tzinfo is not None
    assert message.error_code is None


def test_python_is_refused_with_21610(python_client):
    """The library's own exception, with the reason in its details."""
    with pytest.raises(TwilioRestException) as caught:
        python_client.messages.create(to=SUPPRESSED, from_=SENDER, body="ciao")
    assert (caught.value.status, caught.value.code) == (400, 21610)
    assert caught.value.details == {"reason": "suppressed"}
    text = "Unable to create record: Attempt to send to unsubscribed recipient"
    assert caught.value.msg == text


def test_python_fetches_lists_and_pages(python_client):
    """Lists walk over pages by themselves; limits and filters hold."""
    sids = [
        python_client.messages.create(to=REACHABLE, from_=SENDER, body=str(each)).sid
        for each in range(5)
    ]
    assert python_client.messages(sids[0]).fetch().body.startswith("0")
    assert [each.sid for each in python_client.messages.list(page_size=2)] == sids[::-1]
    assert len(list(python_client.messages.stream(limit=3, page_size=2))) == 3
    today = python_client.messages(sids[0]).fetch().date_sent
    assert len(python_client.messages.list(to=REACHABLE, date_sent=today)) == 5
    assert python_client.messages.list(to=SUPPRESSED) == []
    page = python_client.messages.page(page_size=2)
    assert [each.sid for each in page.next_page()] == sids[1:3][::-1]
    assert page.next_page().previous_page() is not None


def test_python_is_told_what_is_not_there(python_client):
    """20404, as for a message that Twilio does not have."""
    with pytest.raises(TwilioRestException) as caught:
        python_client.messages("SM" + "0" * 32).fetch()
    assert (caught.value.status, caught.value.code) == (404, 20404)


def test_python_with_an_api_key(python_client, gateway, address):
    """A key's id and secret with the account's SID, as the library takes them."""
    key = gateway.services.api_keys.create("shop", Scope(DEFAULT_PROGRAM, Purpose.SERVICE))
    python_client.username, python_client.password = python_client.auth = key.id, key.secret
    message = python_client.messages.create(to=REACHABLE, from_=SENDER, body="ciao")
    assert message.body == "ciao"


def test_python_with_wrong_credentials(python_client):
    """20003, in the exception that scripts catch."""
    python_client.auth = (ACCOUNT_SID, "wrong")
    with pytest.raises(TwilioRestException) as caught:
        python_client.messages.create(to=REACHABLE, from_=SENDER, body="ciao")
    assert (caught.value.status, caught.value.code) == (401, 20003)
    with pytest.raises(TwilioException):
        python_client.messages.list()


@needs_node
def test_node_does_all_of_it(address):
    """The Node library sends, is refused with 21610, fetches, walks pages and is told 20003."""
    ran = subprocess.run(
        ["node", NODE / "try_gateway.js", address, ACCOUNT_SID, AUTH_TOKEN],  # noqa: S607
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    seen = json.loads(ran.stdout)
    assert seen["sent"]["to"] == REACHABLE
    assert seen["sent"]["status"] == "queued"
    assert seen["refused"] == {"status": 400, "code": 21610, "details": {"reason": "suppressed"}}
    assert seen["unauthenticated"] == {"status": 401, "code": 20003}
    assert seen["missing"] == {"status": 404, "code": 20404}
    assert seen["fetched"] == seen["sent"]["sid"]
    assert seen["listed"] == seen["created"][::-1]
    assert seen["walked"] == seen["listed"]
    assert seen["limited"] == seen["listed"][:3]
