"""Erasing by the API: it is done, certified, and only for keys that may."""

from tests.web.api.conftest import NUMBER

ASKED = {"to": NUMBER, "requested_by": "the person, by e-mail"}


def test_an_erased_number_is_refused(api):
    """The certificate says what went and what is kept; the number is refused from then on."""
    api.post("/messages", {"to": NUMBER, "body": "Ciao"})
    answer = api.post("/subscribers/erase", ASKED)

    assert answer.status_code == 200
    assert answer.json["erased"]["subscribers"] == 1
    assert answer.json["kept"]
    assert NUMBER[3:] not in answer.text
    refused = api.post("/messages", {"to": "333 123 4567", "body": "Ciao"})
    assert (refused.status_code, refused.json["reason"]) == (409, "suppressed")


def test_a_key_of_one_program_may_not(asker):
    """An erasure is about all programs."""
    assert asker("promo").post("/subscribers/erase", ASKED).status_code == 403


def test_who_asked_must_be_said(api):
    """An erasure that nobody asked for is refused, and the number is in no error."""
    for requested_by in ("", " ", "x" * 101, None):
        answer = api.post("/subscribers/erase", {"to": NUMBER, "requested_by": requested_by})
        assert answer.status_code == 422
        assert NUMBER[3:] not in answer.text
