"""The public form to join: what it records, what it refuses, and what it never tells."""

import re

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.core.consent import Evidence
from app.core.models import ALL_PROGRAMS, ConsentText, OptInRequest
from app.gateway import Gateway
from tests.making import PERSON, text
from tests.web.pages.conftest import HOME, ask, code_in, enter, sealed_form, sent_to, standing

OTHER = "+393337654321"


def requests(gateway: Gateway):
    with gateway.services.database.read() as connection:
        return connection.execute(sa.select(OptInRequest)).all()


def code_page(client: FlaskClient) -> str:
    """The page as anybody sees it, without what belongs to the number and the asset paths."""
    return re.sub(r"\d{3}\b", "", client.get("/join/default/code").text)


def alerts(answer: TestResponse) -> list[str]:
    return re.findall(r'role="alert">([^<]+)', answer.text)


def test_joining_takes_the_form_and_the_code(client: FlaskClient, gateway: Gateway):
    """Number and box lead to one code by SMS; typed in, it makes the consent that counts."""
    asked = ask(client, "333 123 4567")
    assert (asked.status_code, asked.location) == (303, "/join/default/code")
    assert standing(gateway) == "unconfirmed"

    entered = enter(client, code_in(sent_to(gateway)[-1]))

    assert (entered.status_code, entered.location) == (303, "/join/default/done")
    assert client.get("/join/default/done").status_code == 200
    assert standing(gateway) == "None"
    assert len(sent_to(gateway)) == 1


def test_the_request_keeps_what_proves_it(client: FlaskClient, gateway: Gateway):
    """Kept are the form's address, the exact text that was shown, browser, address, language."""
    page = client.get("/join/default", headers={"Accept-Language": "en"}).text
    ask(client, headers={"User-Agent": "A browser", "Accept-Language": "en"})

    (request,) = requests(gateway)
    assert (request.door, request.source) == ("web", "https://sms.example.org/join/default")
    assert (request.address, request.user_agent, request.language) == (HOME, "A browser", "en")
    with gateway.services.database.read() as connection:
        shown = connection.execute(
            sa.select(ConsentText.text).where(ConsentText.version == request.text_version)
        ).scalar_one()
    assert shown in page


def test_a_text_that_changed_meanwhile_is_shown_again(client: FlaskClient, gateway: Gateway):
    """Nobody is recorded as having agreed to a text that was not the one on the page."""
    form = sealed_form(client.get("/join/default"))
    gateway.services.programs.edit("default", {}, "Another text.")

    answer = client.post("/join/default", data={"form": form, "number": PERSON, "agreed": "yes"})

    assert answer.status_code == 409
    assert "Another text." in answer.text
    assert "checked" not in answer.text
    assert requests(gateway) == []


@pytest.mark.parametrize("form", ["", "forged", None])
def test_a_form_that_is_not_ours_is_refused(client: FlaskClient, gateway: Gateway, form):
    """A made-up form, or that of another program, asks for nothing."""
    gateway.services.programs.add("pizza", {})
    form = form if form is not None else sealed_form(client.get("/join/pizza"))

    answer = client.post("/join/default", data={"form": form, "number": PERSON, "agreed": "yes"})

    assert answer.status_code == 409
    assert requests(gateway) == []


@pytest.mark.parametrize(
    "headers", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://elsewhere.example"}]
)
def test_another_sites_page_cannot_send_the_form(client: FlaskClient, gateway: Gateway, headers):
    """A visitor of another site is not made to have codes sent."""
    answer = ask(client, headers=headers)

    assert answer.status_code == 403
    assert requests(gateway) == []


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "same-origin", "Origin": "null"}, {}])
def test_our_own_page_can(client: FlaskClient, headers):
    """Under our Referrer-Policy browsers hide the origin of a form even from ourselves."""
    assert ask(client, headers=headers).status_code == 303


def test_the_box_must_be_ticked_by_the_person(client: FlaskClient, gateway: Gateway):
    """The box comes unticked, and without it nothing is asked for; what was typed stays."""
    page = client.get("/join/default")
    assert "checked" not in page.text

    answer = client.post("/join/default", data={"form": sealed_form(page), "number": "333 123"})

    assert answer.status_code == 422
    assert 'value="333 123"' in answer.text
    assert requests(gateway) == []


@pytest.mark.parametrize("number", ["", "hello", "333", "+39 333 123 4567 8901", "x" * 5000])
def test_what_is_no_number_is_said_at_its_field(client: FlaskClient, number: str):
    """The form comes back with the fault beside the field that has it."""
    answer = ask(client, number)

    assert answer.status_code == 422
    assert 'aria-describedby="number-help number-fault"' in answer.text


def test_no_number_is_ever_in_an_address_or_cookie(client: FlaskClient):
    """Redirects and cookies hold no more than the last three digits."""
    answer = ask(client)

    seen = answer.location + answer.headers["Set-Cookie"]
    assert "1234567" not in seen
    assert "1234567" not in client.get("/join/default/code").text
    cookie = answer.headers["Set-Cookie"]
    assert all(each in cookie for each in ("HttpOnly", "SameSite=Lax", "Secure", "Path=/join/def"))


def test_nobody_learns_who_has_opted_out(client: FlaskClient, gateway: Gateway):
    """For a number that said STOP every page is the same as for any; only nothing is sent."""
    gateway.services.inbox.receive(text("STOP"))
    other = client.application.test_client()
    before = len(sent_to(gateway))

    assert ask(client).status_code == ask(other, OTHER).status_code == 303
    assert code_page(client) == code_page(other)
    for _ in range(7):
        guess, others = enter(client, "1"), enter(other, "1")
        assert guess.status_code == others.status_code
        assert alerts(guess) == alerts(others) != []

    assert len(sent_to(gateway)) == before
    assert "START" in client.get("/join/default/code").text
    assert standing(gateway) == "suppressed"


def test_only_the_browser_that_asked_can_enter_the_code(client: FlaskClient, gateway: Gateway):
    """Whoever merely knows the address of the code's page is sent to the form."""
    ask(client)
    code = code_in(sent_to(gateway)[-1])
    stranger = client.application.test_client()
    stranger.set_cookie("joining", "forged", path="/join/default")

    assert stranger.get("/join/default/code").location == "/join/default"
    assert stranger.get("/join/default/done").location == "/join/default"
    assert enter(stranger, code).status_code == 422
    assert standing(gateway) == "unconfirmed"


def test_a_wrong_code_says_so_and_the_right_one_still_counts(client: FlaskClient, gateway: Gateway):
    """A typing error costs nothing but an attempt; blanks in the code are none."""
    ask(client)
    code = code_in(sent_to(gateway)[-1])

    wrong = enter(client, "000000" if code != "000000" else "111111")

    assert wrong.status_code == 422
    assert 'aria-invalid="true"' in wrong.text
    assert enter(client, f" {code[:3]} {code[3:]} ").status_code == 303


def test_a_code_after_its_time_leads_back_to_the_form(
    client: FlaskClient, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
):
    """When the time is over the form comes back, and says why."""
    ask(client)
    code = code_in(sent_to(gateway)[-1])
    monkeypatch.setattr("itsdangerous.timed.time.time", lambda: 4e9)

    answer = enter(client, code)

    assert answer.status_code == 422
    assert 'name="number"' in answer.text
    assert standing(gateway) == "unconfirmed"


def test_a_form_sent_twice_asks_once(client: FlaskClient, gateway: Gateway):
    """A double click costs one SMS, and its code is good; so is a code sent in twice."""
    form = sealed_form(client.get("/join/default"))
    filled = {"form": form, "number": PERSON, "agreed": "yes"}

    assert {client.post("/join/default", data=filled).status_code for _ in range(2)} == {303}

    assert len(sent_to(gateway)) == 1
    code = code_in(sent_to(gateway)[-1])
    assert [enter(client, code).location for _ in range(2)] == ["/join/default/done"] * 2


def test_a_corrected_number_is_a_new_request(client: FlaskClient, gateway: Gateway):
    """Back to the form, another number, sent again: the code goes to that one."""
    form = sealed_form(client.get("/join/default"))
    for number in (OTHER, PERSON):
        client.post("/join/default", data={"form": form, "number": number, "agreed": "yes"})

    assert (len(sent_to(gateway, OTHER)), len(sent_to(gateway))) == (1, 1)


def test_a_code_answered_from_the_handset_ends_the_form_too(client: FlaskClient, gateway: Gateway):
    """Who answers the SMS instead of typing finds the page saying that it is done."""
    ask(client)
    gateway.services.inbox.receive(text(code_in(sent_to(gateway)[-1])))

    assert client.get("/join/default/code").location == "/join/default/done"


def test_without_a_code_it_is_done_at_once_and_still_tells_nothing(
    client: FlaskClient, gateway: Gateway
):
    """Where a program needs no code, the last page is the same for an opted-out number."""
    gateway.services.programs.edit("default", {"double_opt_in": False})
    stopped = client.application.test_client()
    gateway.services.suppressions.add(OTHER, ALL_PROGRAMS, "import", Evidence("test"))

    pages = []
    for visitor, number in ((client, PERSON), (stopped, OTHER)):
        ask(visitor, number)
        pages.append(visitor.get("/join/default/code", follow_redirects=True).text)

    assert pages[0] == pages[1]
    assert (standing(gateway), standing(gateway, OTHER)) == ("None", "suppressed")


def test_a_flood_from_one_address_sends_ten_codes_at_most(client: FlaskClient, gateway: Gateway):
    """Twenty forms a second from one address: the rest is 429, and says when to come again."""
    answers = [ask(client, f"+3933{n % 10}1{n:02d}4567") for n in range(20)]

    statuses = [answer.status_code for answer in answers]
    assert statuses == [303] * 10 + [429] * 10
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 3600
    assert len(requests(gateway)) == 10


def test_pumping_a_foreign_prefix_sends_nothing(client: FlaskClient, gateway: Gateway):
    """Codes for 200 numbers of one foreign prefix: each refused, nothing sent or kept."""
    statuses = set()
    for n in range(200):
        client.environ_base["REMOTE_ADDR"] = f"198.51.100.{n}"
        statuses.add(ask(client, f"+33612345{n:03d}").status_code)

    assert statuses == {403}
    assert requests(gateway) == []


def test_pumping_a_prefix_at_home_is_bounded(client: FlaskClient, gateway: Gateway):
    """Many addresses, one range of numbers: twenty codes an hour, then 429."""
    statuses = []
    for n in range(25):
        client.environ_base["REMOTE_ADDR"] = f"198.51.100.{n}"
        statuses.append(ask(client, f"+393331230{n:03d}").status_code)

    assert statuses == [303] * 20 + [429] * 5


def test_an_unknown_program_has_no_form(client: FlaskClient):
    """404, as a page, for a program that there is not."""
    for path in ("/join/nothing", "/join/nothing/code", "/join/nothing/done"):
        answer = client.get(path)
        assert (answer.status_code, answer.mimetype) == (404, "text/html")
