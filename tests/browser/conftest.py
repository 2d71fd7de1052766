"""A real browser on a real server; without an installed Chromium, skipped by name."""

import shutil
import threading
from collections.abc import Iterator

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page, sync_playwright
from werkzeug.serving import make_server

from app import create_app
from tests.databases import SqliteDatabases
from tests.making import made_settings

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_NO_BROWSER = "no Chromium: to see the page in a browser, `apt install chromium && make test`"
_ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = next(filter(None, map(shutil.which, _NAMES)), None)
    if path is None:
        pytest.skip(_NO_BROWSER)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def sqlite(tmp_path_factory: pytest.TempPathFactory) -> SqliteDatabases:
    """A page looks the same on both databases: one is enough here."""
    return SqliteDatabases(tmp_path_factory.mktemp("browser"))


@pytest.fixture
def app(sqlite: SqliteDatabases) -> Iterator[Flask]:
    settings = made_settings(database_url=sqlite.migrated(), public_url="http://127.0.0.1:8000")
    app = create_app(settings)
    yield app
    app.extensions["gateway"].close()


@pytest.fixture
def address(app: Flask) -> Iterator[str]:
    """Where the simulator is served, on a free port."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/simulator"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """The simulator in English; a complaint of it, or a look outside, fails the test."""
    context = browser.new_context(locale="en-GB", reduced_motion="reduce")
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda line: complaints.append(line.text) if _is_fault(line.text) else None)
    page.on("request", lambda asked: complaints.append(asked.url) if outside(asked.url) else None)
    page.goto(address)
    yield page
    context.close()
    assert complaints == []


def outside(url: str) -> bool:
    return not url.startswith("http://127.0.0.1:")


def _is_fault(line: str) -> bool:
    # A refusal is an answer with an error's status, which the browser remarks on.
    return "409" not in line and "400" not in line
