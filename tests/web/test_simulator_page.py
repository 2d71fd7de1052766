"""The page /simulator as it is served."""

from collections.abc import Iterator
from html.parser import HTMLParser

import pytest
from flask.testing import FlaskClient

from app import create_app
from app.config import Settings
from tests.making import made_settings


@pytest.fixture
def client(settings: Settings) -> Iterator[FlaskClient]:
    app = create_app(settings)
    yield app.test_client()
    app.extensions["gateway"].close()


@pytest.mark.parametrize(
    ("accepted", "chosen", "language"),
    [
        ("it-IT,it;q=0.9,en;q=0.8", None, "it"),
        ("en-GB,en;q=0.9", None, "en"),
        ("xx", None, "it"),
        ("\x7f;;q=z,,", None, "it"),
        ("", None, "it"),
        ("it", "en", "en"),
        ("en", "klingon", "en"),
    ],
)
def test_the_page_speaks_the_visitors_language(
    client: FlaskClient, accepted: str, chosen: str | None, language: str
):
    """A choice made earlier counts first, then the browser's language, then the house's."""
    if chosen:
        client.set_cookie("language", chosen)
    page = client.get("/simulator", headers={"Accept-Language": accepted})

    assert f'<html lang="{language}">' in page.text
    assert {"Accept-Language", "Cookie"} <= set(page.vary)


def test_a_chosen_language_is_remembered(client: FlaskClient):
    """`?language=` speaks it now and from then on."""
    assert '<html lang="en">' in client.get("/simulator?language=en").text
    assert '<html lang="en">' in client.get("/simulator", headers={"Accept-Language": "it"}).text


@pytest.mark.parametrize("language", ["xx", "", "../../etc/passwd", "it\0"])
def test_an_unknown_language_is_400(client: FlaskClient, language: str):
    """The answer names the languages there are."""
    answer = client.get("/simulator", query_string={"language": language})

    assert answer.status_code == 400
    assert "it, en" in answer.text


class _Tags(HTMLParser):
    """Collects the tags of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


@pytest.mark.parametrize("language", ["it", "en"])
def test_the_page_is_whole_without_inline_code_or_the_outside(client: FlaskClient, language: str):
    """No inline script, style or handler; every address is the gateway's own and answers."""
    parser = _Tags()
    parser.feed(client.get(f"/simulator?language={language}").text)

    addresses = set()
    for tag, attributes in parser.tags:
        assert tag != "style"
        assert tag != "script" or attributes.get("src")
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
        addresses |= {attributes[name] for name in ("src", "href", "action") if name in attributes}
    for address in addresses - {"#say"}:
        assert address.startswith("/")
        assert client.get(address, buffered=True).status_code == 200, address


def test_a_brand_is_shown_as_text(database_url: str):
    """A brand name with markup or quotes stays a name."""
    app = create_app(made_settings(database_url=database_url, brand_name='<i>"B\'&B"</i>'))
    page = app.test_client().get("/simulator").text
    app.extensions["gateway"].close()

    assert "<i>" not in page
    assert "&lt;i&gt;" in page
