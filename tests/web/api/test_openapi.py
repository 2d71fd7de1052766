"""The description says what is there, and the page shows it."""

import re
from html.parser import HTMLParser

import pytest
from flask import Flask

from app.core.errors import EXPLANATIONS
from tests.web.api.conftest import NUMBER


@pytest.fixture
def document(app: Flask) -> dict:
    return app.test_client().get("/openapi.json").json


def operations(document: dict):
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def test_every_request_is_described(app: Flask, document: dict):
    """The description has exactly the API's routes, each with a name of its own."""
    there = {
        (method, rule.rule.replace("<", "{").replace(">", "}"))
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith("api.")
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    described = [(method, path) for method, path, _ in operations(document)]
    names = [operation["operationId"] for *_, operation in operations(document)]

    assert set(described) == there
    assert len(set(names)) == len(described) == len(there)


def test_the_description_is_whole(document: dict):
    """Version, security, and no reference that leads nowhere."""
    references = re.findall(r"'\$ref': '#/components/schemas/(\w+)'", str(document))

    assert document["openapi"].startswith("3.1.")
    assert document["servers"] == [{"url": "https://sms.example.org"}]
    assert document["security"] == [{"apiKey": []}]
    assert set(references) == set(document["components"]["schemas"])
    for _, path, operation in operations(document):
        assert operation["summary"]
        assert operation["description"] or "{" in path
        varying = {p["name"] for p in operation["parameters"] if p["in"] == "path"}
        assert varying == set(re.findall(r"{(\w+)}", path))


def test_every_failure_is_described_as_a_problem(document: dict):
    """Each request tells how it can fail, all in one form."""
    for *_, operation in operations(document):
        failures = {s: r for s, r in operation["responses"].items() if s >= "400"}
        assert {"401", "403", "500", "503"} <= set(failures)
        assert ({"400", "413", "415", "422"} <= set(failures)) == ("requestBody" in operation)
        assert {tuple(r["content"]) for r in failures.values()} == {("application/problem+json",)}


def test_reasons_are_the_closed_list(document: dict):
    """The description has the same reasons as the code, each explained."""
    reasons = document["components"]["schemas"]["Reason"]["enum"]

    assert reasons == [str(reason) for reason in EXPLANATIONS]
    assert all(f"`{reason}`" in document["info"]["description"] for reason in reasons)


def test_the_examples_work(api, document: dict):
    """What the page shows as a request is answered as the page says."""
    for method, path, operation in operations(document):
        if "requestBody" not in operation or "{" in path:
            continue
        body = operation["requestBody"]["content"]["application/json"]
        answer = api._ask(method, path.removeprefix("/api/v1"), json=body["example"])
        assert operation["responses"][str(answer.status_code)], path
        assert answer.status_code < 300, (path, answer.text)
        shown = operation["responses"][str(answer.status_code)]["content"]["application/json"]
        assert set(answer.json) == set(shown["example"])
        api.post("/suppressions/lift", {"to": NUMBER, "evidence": "the next example starts anew"})


class _Page(HTMLParser):
    """What a page loads, and what it has inside."""

    def __init__(self, text: str):
        super().__init__()
        self.loads, self.ids, self.inline = [], set(), []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        named = dict(attributes)
        self.ids.add(named.get("id"))
        if tag in {"script", "link", "img", "iframe"}:
            self.loads.append(named.get("src") or named.get("href"))
        self.inline += [name for name in named if name == "style" or name.startswith("on")]
        if tag in {"style", "script"} and "src" not in named:
            self.inline.append(tag)


def test_the_page_shows_every_request_with_our_own_files_alone(app: Flask, document: dict):
    """/docs has each request and reason; it loads nothing from elsewhere and runs nothing."""
    client = app.test_client()
    answer = client.get("/docs")
    page = _Page(answer.text)

    assert answer.status_code == 200
    assert {operation["operationId"] for *_, operation in operations(document)} <= page.ids
    assert page.inline == []
    assert page.loads
    for address in page.loads:
        assert address.startswith("/static/")
        with client.get(address) as loaded:
            assert loaded.status_code == 200
    assert "{{" not in answer.text
