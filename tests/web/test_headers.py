"""What every answer tells the browser, and how static files are served."""

from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from app import create_app
from app.config import Settings


@pytest.fixture
def client(settings: Settings) -> Iterator[FlaskClient]:
    app = create_app(settings)
    yield app.test_client()
    app.extensions["gateway"].close()


def asset(client: FlaskClient, name: str) -> str:
    with client.application.test_request_context():
        return client.application.jinja_env.globals["asset"](name)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/simulator", 200),
        ("GET", "/", 302),
        ("GET", "/healthz", 200),
        ("GET", "/metrics", 200),
        ("GET", "/nowhere", 404),
        ("DELETE", "/simulator", 405),
        ("GET", "/simulator?language=xx", 400),
        ("POST", "/simulator/state", 415),
        ("POST", "/webhooks/twilio/inbound", 403),
        ("GET", "/static/x/nothing.js", 404),
        ("GET", "/static/x/icon.svg", 200),
    ],
)
def test_every_answer_is_guarded(client: FlaskClient, method: str, path: str, status: int):
    """Pages, errors, files and webhooks alike: only our own files run, nobody frames them."""
    answer = client.open(path, method=method, buffered=True)

    assert answer.status_code == status
    policy = answer.headers["Content-Security-Policy"].split("; ")
    assert {"default-src 'none'", "script-src 'self'", "style-src 'self'"} <= set(policy)
    assert {"frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"} <= set(policy)
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["Referrer-Policy"] == "no-referrer"


def test_what_is_about_people_is_not_kept_by_caches(client: FlaskClient):
    """Pages and states are not stored on the way or in the browser."""
    for answer in (
        client.get("/simulator"),
        client.post("/simulator/state", json={"number": "+393331234567"}),
    ):
        assert answer.headers["Cache-Control"] == "no-store"


def test_static_files_are_kept_for_good_under_their_version(client: FlaskClient):
    """A file's address changes with its content, so that a browser never asks for it twice."""
    answer = client.get(asset(client, "simulator/main.js"), buffered=True)

    assert answer.status_code == 200
    assert answer.mimetype in {"text/javascript", "application/javascript"}
    assert answer.cache_control.immutable
    assert answer.cache_control.max_age > 30_000_000


def test_a_page_of_another_release_still_gets_its_files(client: FlaskClient):
    """While two releases run side by side an address of the other one answers, and is not kept."""
    answer = client.get("/static/0123456789ab/base.css", buffered=True)

    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize(
    "name", ["../simulator.py", "..%2fsimulator.py", "%2e%2e/__init__.py", "simulator", "a\0b", "/"]
)
def test_nothing_but_static_files_is_served(client: FlaskClient, name: str):
    """No spelling of an address leads out of the folder."""
    assert client.get(f"/static/x/{name}").status_code == 404
