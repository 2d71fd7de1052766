"""A person's data behind the handset's code: to read, to take, to erase; the link opens nothing."""

import csv
import io
import re

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.core.privacy import KEPT
from app.gateway import Gateway
from tests.making import PERSON, text
from tests.web.pages.conftest import code_in, press, sealed_form, sent_to, standing

OTHER = "+393337654321"
KINDS = ("html", "csv", "json")


def ask(client: FlaskClient, own: str) -> TestResponse:
    """Press the button for the code."""
    form = sealed_form(client.get(f"{own}/data"))
    return client.post(f"{own}/code", data={"form": form})


def give(client: FlaskClient, own: str, code: str) -> TestResponse:
    form = sealed_form(client.get(f"{own}/data"))
    return client.post(f"{own}/data", data={"form": form, "code": code})


def proof_in(answer: TestResponse) -> str:
    return re.search(r'name="proof" value="([^"]+)"', answer.text)[1]


@pytest.fixture
def proof(client: FlaskClient, gateway: Gateway, own: str) -> str:
    """What the page has after the right code."""
    ask(client, own)
    return proof_in(give(client, own, code_in(sent_to(gateway)[-1])))


def test_the_link_alone_opens_no_data(client: FlaskClient, gateway: Gateway, own: str):
    """Who was sent the link gets no file and erases nobody, whatever the forms of the page say."""
    form = sealed_form(client.get(f"{own}/data"))

    for path in ("/file", "/erase"):
        for seal in ("", form, "forged"):
            fields = {"form": form, "proof": seal, "kind": "json", "act": "stop"}
            answer = client.post(own + path, data=fields)
            assert answer.status_code == 403
            assert PERSON not in answer.text
    assert give(client, own, "000000").status_code == 422
    assert standing(gateway) == "None"


def test_the_code_opens_the_files(client: FlaskClient, gateway: Gateway, own: str, proof: str):
    """All three hold this person's data and nobody else's, and are not stored on the way."""
    gateway.services.inbox.receive(text("Ciao, sono un'altra persona", OTHER, "SM77"))

    answers = {
        kind: client.post(f"{own}/file", data={"proof": proof, "kind": kind}) for kind in KINDS
    }

    assert answers["json"].json["number"] == PERSON
    assert "Acconsento a ricevere" in answers["html"].text
    rows = list(csv.DictReader(io.StringIO(answers["csv"].text.removeprefix("\ufeff"))))
    assert {row["part"] for row in rows} >= {"subscriber", "requests", "ledger"}
    for kind, answer in answers.items():
        assert answer.status_code == 200
        assert OTHER not in answer.text
        assert "altra persona" not in answer.text
        assert answer.headers["Content-Disposition"] == f'attachment; filename="optout.{kind}"'
        assert answer.headers["Cache-Control"] == "no-store"


def test_the_proof_is_of_one_link_and_of_some_minutes(
    client: FlaskClient, gateway: Gateway, own: str, proof: str, monkeypatch
):
    """It opens no other person's data, and after the code's lifetime not even one's own."""
    other = gateway.services.preferences.link_of(OTHER)
    fields = {"proof": proof, "kind": "json"}
    assert client.post(f"{other}/file", data=fields).status_code == 403
    assert client.post(f"{own}/file", data=fields).status_code == 200

    monkeypatch.setattr("itsdangerous.timed.time.time", lambda: 4e9)
    assert client.post(f"{own}/file", data=fields).status_code == 403
    assert client.post(f"{own}/erase", data=fields).status_code == 403
    assert standing(gateway) == "None"


def test_a_used_code_opens_nothing(client: FlaskClient, gateway: Gateway, own: str, proof: str):
    """Sent once more, by a reload or by another, it is over."""
    answer = give(client, own, code_in(sent_to(gateway)[-1]))

    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert "proof" not in answer.text


def test_only_the_button_sends_a_code(client: FlaskClient, gateway: Gateway, own: str):
    """Opening the page texts nobody; pressing texts the number behind the link."""
    before = len(sent_to(gateway))
    client.get(f"{own}/data")
    assert len(sent_to(gateway)) == before

    answer = ask(client, own)

    assert (answer.status_code, answer.location) == (303, f"{own}/data?done=sent")
    assert len(sent_to(gateway)) == before + 1
    assert 'role="status"' in client.get(answer.location).text


def test_after_a_stop_the_page_says_to_text(client: FlaskClient, gateway: Gateway, own: str):
    """No button, no message: the word from the handset brings the code, which opens the page."""
    press(client, own, act="stop", program="*")
    before = sent_to(gateway)
    page = client.get(f"{own}/data").text

    assert "DATI" in page
    assert f'action="{own}/code"' not in page
    form = sealed_form(client.get(own))
    assert client.post(f"{own}/code", data={"form": form}).location == f"{own}/data"
    assert sent_to(gateway) == before
    reply = gateway.services.inbox.receive(text("Dati", message_id="SM8")).reply
    assert proof_in(give(client, own, code_in(reply)))


def test_where_nobody_can_be_texted_the_wish_waits(client: FlaskClient, gateway, own: str):
    """A name as the sender, and a STOP: the page takes the request, and says by when."""
    gateway.services.programs.edit("default", {"sender": "Pizzeria"})
    press(client, own, act="stop", program="*")
    page = client.get(f"{own}/data")
    assert 'name="code"' not in page.text

    for kind in ("access", "erasure"):
        fields = {"form": sealed_form(page), "kind": kind}
        answer = client.post(f"{own}/request", data=fields)
        assert 'role="status"' in client.get(answer.location).text

    waiting = gateway.services.person_requests.waiting()
    assert [(each.kind, each.door) for each in waiting] == [("access", "web"), ("erasure", "web")]
    assert client.post(f"{own}/request", data=fields | {"kind": "all"}).status_code == 400


def test_erasing_takes_the_code_too(client: FlaskClient, gateway: Gateway, own: str, proof: str):
    """With it, nothing of the person is left but the silence, and the link leads nowhere."""
    answer = client.post(f"{own}/erase", data={"proof": proof})

    assert answer.status_code == 200
    assert answer.text.count("<li>") == len(KEPT)
    assert not gateway.services.dossiers.export(PERSON)["messages_sent"][0]["body"]
    assert standing(gateway) == "suppressed"
    assert client.get(own).status_code == 404
    erasure = gateway.services.privacy.certificate(re.search(r"<code>(\w+)", answer.text)[1])
    assert erasure.requested_by == "the person"


def test_too_many_wrong_codes_close_the_day(client: FlaskClient, own: str):
    """The twenty-first is not even looked at, and the page says when to come again."""
    statuses = [give(client, own, "1").status_code for _ in range(21)]

    assert statuses == [422] * 20 + [429]


def test_a_download_answers_an_open_request(client: FlaskClient, gateway, own: str, proof: str):
    """What an operator had to do within the month is done, and the list of accesses says so."""
    person = gateway.services.phones.parse(PERSON).fingerprint
    gateway.services.handsets.ask_operator(person, "access")

    client.post(f"{own}/file", data={"proof": proof, "kind": "html"})

    assert gateway.services.person_requests.waiting() == []
