"""A person's own page: what it shows, what its buttons do, and that opening it does nothing."""

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from app.core.models import Base, LedgerEntry
from app.gateway import Gateway
from tests.making import PERSON, text
from tests.web.pages.conftest import HOME, joins, press, sealed_form, standing

OTHER = "+393337654321"
BUTTONS = ("/code", "/file", "/erase", "/request")


def everything(gateway: Gateway) -> dict[str, list]:
    with gateway.services.database.read() as connection:
        return {
            table.name: connection.execute(sa.select(table)).all()
            for table in Base.metadata.sorted_tables
        }


def last_entry(gateway: Gateway):
    with gateway.services.database.read() as connection:
        return connection.execute(sa.select(LedgerEntry).order_by(LedgerEntry.id.desc())).first()


def test_opening_changes_nothing_at_all(client: FlaskClient, gateway: Gateway, own: str):
    """Link previews, bots and HEAD leave every table as it was, however often they come."""
    before = everything(gateway)

    for more in (
        "",
        "/data",
        "/data?done=sent",
        "?done=stopped",
        "?language=en",
        "?act=stop&program=*",
    ):
        path = own + more
        assert client.get(path, headers={"User-Agent": "WhatsApp/2.23"}).status_code == 200
        assert client.head(path).status_code == 200
        client.options(path)
    assert {client.get(own + path).status_code for path in BUTTONS} == {405}

    assert everything(gateway) == before


def test_the_page_says_what_why_since_and_until_when(client: FlaskClient, own: str):
    """The program, the door, both dates and the agreed text stand there; the number does not."""
    page = client.get(own, headers={"Accept-Language": "en"}).text

    assert "novità e offerte" in page
    assert "Acconsento a ricevere" in page
    assert page.count("<time ") == 2
    assert "567" in page
    assert "1234567" not in page


def test_the_page_speaks_the_persons_language(client: FlaskClient, gateway: Gateway, own: str):
    """Who texts in English reads English, whatever the browser says; a choice goes before it."""
    gateway.services.inbox.receive(text("please stop texting me", message_id="SM9"))
    page = client.get(own, headers={"Accept-Language": "it"})
    assert '<html lang="en">' in page.text

    assert '<html lang="it">' in client.get(f"{own}?language=it").text
    assert '<html lang="it">' in client.get(own).text


def test_one_button_stops_everything(client: FlaskClient, gateway: Gateway, own: str):
    """After the button nothing is sent any more, and the ledger says who pressed what, where."""
    answer = press(client, own, {"User-Agent": "A browser"}, act="stop", program="*")

    assert (answer.status_code, answer.location) == (303, f"{own}?done=stopped")
    assert standing(gateway) == "suppressed"
    page = client.get(answer.location).text
    assert 'role="status"' in page
    assert "START" in page
    assert 'class="stop"' not in page
    with gateway.services.database.read() as connection:
        entry = connection.execute(sa.select(LedgerEntry).where(LedgerEntry.act == "opt_out")).one()
    assert entry.door == "web"
    assert entry.text == f"Ferma tutti i messaggi\n{HOME}\nA browser"
    assert entry.evidence == {}


def test_pressing_twice_is_pressing_once(client: FlaskClient, gateway: Gateway, own: str):
    """A double click, or a form sent again later, adds nothing to the ledger."""
    form = sealed_form(client.get(own))
    fields = {"form": form, "act": "stop", "program": "*"}
    client.post(own, data=fields)
    entry = last_entry(gateway)

    assert client.post(own, data=fields).status_code == 303
    assert last_entry(gateway) == entry


def test_a_switch_stops_one_program(client: FlaskClient, gateway: Gateway, own: str):
    """The others go on, and the switch shows it."""
    gateway.services.programs.add("pizza", {"join_words": ["PIZZA"], "purpose": "la pizza"})
    joins(gateway, "PIZZA")

    press(client, own, act="stop", program="pizza")

    assert gateway.check([PERSON], program="pizza")[0].reason == "suppressed"
    assert standing(gateway) == "None"
    page = client.get(own).text
    assert (page.count('aria-checked="true"'), page.count('aria-checked="false"')) == (1, 1)


def test_the_web_never_lets_messages_through_again(client: FlaskClient, gateway: Gateway, own: str):
    """After a stop no button brings them back: only START from the handset does."""
    press(client, own, act="stop", program="*")
    form = sealed_form(client.get(own))

    for fields in (
        {"act": "prefer", "channel": "sms"},
        {"act": "start", "program": "default"},
        {"act": "resume"},
    ):
        client.post(own, data={"form": form, **fields})
        assert standing(gateway) == "suppressed"
    gateway.services.inbox.receive(text("START", message_id="SM9"))
    assert standing(gateway) == "None"


def test_the_chosen_channel_counts(client: FlaskClient, gateway: Gateway, own: str):
    """E-mail or nothing: no SMS goes out, the consent stays; SMS again, and it does."""
    press(client, own, act="prefer", channel="email", email=" anna@example.org ")
    assert standing(gateway) == "other_channel"
    assert 'value="anna@example.org"' in client.get(own).text
    assert "anna" not in str(last_entry(gateway).evidence)

    press(client, own, act="prefer", channel="none")
    assert standing(gateway) == "other_channel"
    press(client, own, act="prefer", channel="sms")
    assert standing(gateway) == "None"
    assert "anna" not in client.get(own).text


@pytest.mark.parametrize(
    "fields",
    [
        {"channel": "email", "email": ""},
        {"channel": "email", "email": "anna at home"},
        {"channel": "email", "email": "a@b.it, c@d.it"},
        {"channel": "email", "email": f"{'x' * 300}@example.org"},
        {"channel": "pigeon"},
        {},
    ],
)
def test_what_can_not_be_chosen_is_said_at_its_field(client: FlaskClient, gateway, own, fields):
    """Nothing changes, and the page says what is wrong."""
    answer = press(client, own, act="prefer", **fields)

    assert answer.status_code == 422
    assert 'class="fault"' in answer.text
    assert standing(gateway) == "None"


@pytest.mark.parametrize("path", ["", "/data", *BUTTONS])
def test_a_form_of_another_page_does_nothing(
    client: FlaskClient, gateway: Gateway, own: str, path: str
):
    """A replayed, forged, missing or old form is refused, and the page asks to press again."""
    other = sealed_form(client.get(gateway.services.preferences.link_of(OTHER)))
    for form in (other, "", "forged", sealed_form(client.get("/join/default"))):
        answer = client.post(own + path, data={"form": form, "act": "stop", "program": "*"})
        assert answer.status_code == 403
        assert 'role="alert"' in answer.text
    assert standing(gateway) == "None"


def test_an_old_form_does_nothing(client: FlaskClient, gateway, own, monkeypatch):
    """A page that was open for days must be opened again."""
    form = sealed_form(client.get(own))
    monkeypatch.setattr("itsdangerous.timed.time.time", lambda: 4e9)

    answer = client.post(own, data={"form": form, "act": "stop", "program": "*"})

    assert (answer.status_code, standing(gateway)) == (403, "None")


def test_another_sites_page_presses_no_button(client: FlaskClient, gateway: Gateway, own: str):
    """Even a site that knows the link can't have its visitors press a button."""
    answer = press(client, own, {"Sec-Fetch-Site": "cross-site"}, act="stop", program="*")

    assert (answer.status_code, standing(gateway)) == (403, "None")


def test_a_link_that_is_not_ours_tells_nothing(client: FlaskClient, own: str):
    """Forged, shortened, odd: the same page for each, whatever is asked of it."""
    token = own.removeprefix("/u/")
    tokens = ["x", token[:-1], token + "A", token.swapcase(), "a\0b", "%00", "ü" * 300, "A" * 22]
    pages = {client.get(f"/u/{each}").text for each in tokens}
    answers = [
        client.post(f"/u/{tokens[0]}", data={"act": "stop", "program": "*"}),
        *(client.post(f"/u/{tokens[0]}{path}") for path in ("/data", *BUTTONS)),
        client.get(f"/u/{tokens[0]}/data"),
        client.get(f"/u/{tokens[0]}"),
    ]

    assert len(pages) == 1
    assert {(answer.status_code, answer.text) for answer in answers} == {(404, pages.pop())}


def test_guessing_links_comes_to_an_end_and_known_ones_still_open(client: FlaskClient, own: str):
    """Thirty unknown links an hour from an address; a person behind the same address is served."""
    statuses = [client.get(f"/u/guess{n}").status_code for n in range(32)]

    assert statuses == [404] * 30 + [429] * 2
    assert client.get(own).status_code == 200


def test_the_page_is_kept_by_nobody(client: FlaskClient, own: str):
    """No cache, no search engine, no referrer learns of it."""
    for path, status in ((own, 200), ("/u/unknown", 404)):
        answer = client.get(path)
        assert answer.status_code == status
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert "noindex" in answer.headers["X-Robots-Tag"]
    assert "<script" not in client.get(own).text


def test_a_program_that_there_is_not_can_not_be_stopped(client: FlaskClient, gateway, own):
    """A made-up program changes nothing."""
    assert press(client, own, act="stop", program="nothing").status_code == 404
    assert press(client, own, act="stop").status_code == 404
    assert standing(gateway) == "None"
