"""Every address has its guard: a new one must be entered here before it can be served."""

import re
from collections.abc import Iterator

import pytest
from flask import Flask, request

from app import create_app
from app.core.gate import Scope
from app.core.models import Purpose
from app.web import strangers
from tests.making import made_settings
from tests.web.api.conftest import FakeProvider

PUBLIC, SIGNED, BEARER, BASIC = "public", "signed", "bearer", "basic"
SIMULATOR = "simulator only"  # there is nothing real behind it, so nobody need prove who they are

ROUTES = {
    "GET /healthz": PUBLIC,
    "GET /readyz": PUBLIC,
    "GET /metrics": PUBLIC,
    "GET /openapi.json": PUBLIC,
    "GET /docs": PUBLIC,
    "GET /static/<asked>/<path:name>": PUBLIC,
    "GET /join/<slug>": PUBLIC,
    "POST /join/<slug>": PUBLIC,
    "GET /join/<slug>/code": PUBLIC,
    "POST /join/<slug>/code": PUBLIC,
    "GET /join/<slug>/done": PUBLIC,
    "GET /u/<token>": PUBLIC,
    "POST /u/<token>": PUBLIC,
    "GET /u/<token>/data": PUBLIC,
    "POST /u/<token>/data": PUBLIC,
    "POST /u/<token>/code": PUBLIC,
    "POST /u/<token>/file": PUBLIC,
    "POST /u/<token>/erase": PUBLIC,
    "POST /u/<token>/request": PUBLIC,
    "POST /webhooks/twilio/inbound": SIGNED,
    "POST /webhooks/twilio/status": SIGNED,
    "POST /api/v1/messages": BEARER,
    "GET /api/v1/messages/<id>": BEARER,
    "POST /api/v1/checks": BEARER,
    "GET /api/v1/suppressions": BEARER,
    "POST /api/v1/suppressions": BEARER,
    "POST /api/v1/suppressions/lift": BEARER,
    "GET /api/v1/programs": BEARER,
    "POST /api/v1/programs": BEARER,
    "GET /api/v1/programs/<slug>": BEARER,
    "PATCH /api/v1/programs/<slug>": BEARER,
    "POST /api/v1/subscriptions": BEARER,
    "POST /api/v1/subscriptions/<id>/confirm": BEARER,
    "POST /api/v1/subscribers/export": BEARER,
    "POST /api/v1/subscribers/erase": BEARER,
    "POST /api/v1/campaigns": BEARER,
    "GET /api/v1/campaigns/<id>": BEARER,
    "GET /api/v1/campaigns/<id>/report": BEARER,
    "POST /api/v1/campaigns/<id>/run": BEARER,
    "POST /api/v1/campaigns/<id>/pause": BEARER,
    "POST /api/v1/campaigns/<id>/resume": BEARER,
    "GET /api/v1/reviews": BEARER,
    "POST /api/v1/reviews/<id>": BEARER,
    "POST /2010-04-01/Accounts/<account>/Messages.json": BASIC,
    "GET /2010-04-01/Accounts/<account>/Messages.json": BASIC,
    "GET /2010-04-01/Accounts/<account>/Messages/<sid>.json": BASIC,
    "GET /": SIMULATOR,
    "GET /simulator": SIMULATOR,
    "POST /simulator/state": SIMULATOR,
    "POST /simulator/text": SIMULATOR,
    "POST /simulator/send": SIMULATOR,
    "POST /simulator/own-page": SIMULATOR,
    "POST /webhooks/simulator/inbound": SIMULATOR,
    "POST /webhooks/simulator/status": SIMULATOR,
}
# What a guard answers to whoever has proved nothing.
REFUSALS = {SIGNED: 403, BEARER: 401, BASIC: 401}


def served(app: Flask) -> set[str]:
    return {
        f"{method} {rule.rule}"
        for rule in app.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }


def with_guard(*guards: str) -> list[str]:
    return [route for route, guard in ROUTES.items() if guard in guards]


FEW = 3


@pytest.fixture
def few_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is set low and the minute stands still, so that it is met at once."""
    monkeypatch.setattr(strangers, "MOST", FEW)
    monkeypatch.setattr("time.time", lambda: 1_800_000_000.0)


@pytest.fixture
def app(database_url: str) -> Iterator[Flask]:
    app = create_app(made_settings(database_url=database_url))
    yield app
    app.extensions["gateway"].close()


@pytest.fixture
def twilio_app(database_url: str) -> Iterator[Flask]:
    settings = made_settings(database_url=database_url, sms_provider="twilio")
    app = create_app(settings, FakeProvider())
    yield app
    app.extensions["gateway"].close()


def test_every_route_is_in_the_table(app: Flask):
    """What is served is exactly what the table lists: a new route is met by its guard's test."""
    assert served(app) == set(ROUTES)


def test_the_simulator_is_not_there_with_a_real_provider(twilio_app: Flask):
    """With a real provider behind it, no unguarded door to people's telephones exists."""
    assert served(twilio_app) == set(ROUTES) - set(with_guard(SIMULATOR))


@pytest.mark.parametrize("method", ["as listed", "HEAD", "OPTIONS"])
def test_who_proves_nothing_is_refused(twilio_app: Flask, method: str):
    """Every guarded route, by every method it takes, refuses before it looks at anything."""
    client = twilio_app.test_client()

    for route in with_guard(*REFUSALS):
        own, rule = route.split()
        if method == "HEAD" and own != "GET":
            continue
        path = re.sub("<[^>]+>", "0" * 32, rule)
        answer = client.open(path, method=own if method == "as listed" else method)
        assert answer.status_code == REFUSALS[ROUTES[route]], (method, route)


def test_every_blueprint_guards_the_whole_of_itself(app: Flask):
    """A guard is the blueprint's, never one view's; a blueprint has one kind of guard or none."""
    kinds: dict[str, set[str]] = {}
    for rule in app.url_map.iter_rules():
        blueprint = rule.endpoint.partition(".")[0]
        methods = rule.methods - {"HEAD", "OPTIONS"}
        kinds.setdefault(blueprint, set()).update(ROUTES[f"{m} {rule.rule}"] for m in methods)

    for blueprint, guards in kinds.items():
        assert len(guards) == 1, blueprint
        if guards & set(REFUSALS):
            assert app.before_request_funcs.get(blueprint), blueprint


@pytest.mark.usefixtures("few_a_minute")
def test_no_public_door_is_open_without_end(twilio_app: Flask):
    """Whoever proves nothing is told to come later, at every door, also at one that is not there.

    Webhooks are not counted: their signature is looked at before anything else is.
    """
    for number, route in enumerate(["GET /nothing", *with_guard(PUBLIC, BEARER, BASIC)]):
        method, rule = route.split()
        client = twilio_app.test_client()
        client.environ_base["REMOTE_ADDR"] = f"198.51.100.{number}"
        path = re.sub("<[^>]+>", "0" * 32, rule)
        answers = [client.open(path, method=method) for _ in range(FEW + 2)]
        assert answers[-1].status_code == 429, route
        assert int(answers[-1].headers["Retry-After"]) <= 60
        assert 429 not in {answer.status_code for answer in answers[: FEW - 1]}, route


@pytest.mark.usefixtures("few_a_minute")
def test_a_valid_key_is_not_counted(twilio_app: Flask):
    """A script may send as fast as it can: only what proves nothing has a limit."""
    client = twilio_app.test_client()
    services = twilio_app.extensions["gateway"].services
    key = services.api_keys.create("a script", Scope("default", Purpose.MARKETING))
    headers = {"Authorization": f"Bearer {key.secret}"}

    for _ in range(FEW + 3):
        assert client.get("/api/v1/suppressions", headers=headers).status_code == 200
        assert client.post("/webhooks/twilio/inbound").status_code == 403


@pytest.mark.parametrize("route", [r for r in ROUTES if not r.startswith("GET")])
def test_no_door_takes_a_body_without_end(app: Flask, route: str):
    """What is larger than a megabyte is refused before it is read, at every door."""
    method, rule = route.split()
    path = re.sub("<[^>]+>", "0" * 32, rule.replace("<slug>", "default"))
    body = b"x" * (1024 * 1024 + 1)
    kind = "application/json" if "simulator" in rule else "application/x-www-form-urlencoded"
    answer = app.test_client().open(path, method=method, data=body, content_type=kind)

    assert answer.status_code == (401 if ROUTES[route] in {BEARER, BASIC} else 413)
    assert app.config["MAX_CONTENT_LENGTH"] == 1024 * 1024


def test_there_are_no_sessions(app: Flask):
    """Nothing to steal or fix: no door keeps a visitor's state behind a cookie of Flask's."""
    with app.test_request_context():
        assert app.session_interface.open_session(app, request) is None


def test_no_address_has_a_place_for_a_number(app: Flask):
    """Addresses end in logs and histories: what varies in them is never a telephone number."""
    varying = {name for rule in app.url_map.iter_rules() for name in rule.arguments}

    assert varying <= {"id", "asked", "name", "account", "sid", "slug", "token"}
