"""Programs by API."""

import hashlib

import pytest


def patch(api, slug: str, **changes):
    return api._ask("PATCH", f"/programs/{slug}", json=changes)


def test_a_program_is_added_shown_listed_and_edited(api):
    """Each answer is the program as it holds now."""
    made = api.post("/programs", {"slug": "menu", "brand": "Da Gino", "join_words": ["Menù!"]})
    assert made.status_code == 201
    assert (made.json["brand"], made.json["join_words"]) == ("Da Gino", ["menu"])
    assert made.json["retention_days"] == 730

    edited = patch(api, "menu", retention_days=90, double_opt_in=False)

    assert (edited.json["retention_days"], edited.json["double_opt_in"]) == (90, False)
    assert edited.json["brand"] == "Da Gino"
    assert api.get("/programs/menu").json == edited.json
    listed = api.get("/programs").json["programs"]
    assert edited.json in listed
    assert {program["slug"] for program in listed} == {"default", "promo", "club", "menu"}


def test_null_returns_a_choice_to_the_installation(api):
    """What is null is as the settings have it; what is not named stays."""
    patch(api, "promo", brand="Da Gino", retention_days=90)

    edited = patch(api, "promo", brand=None).json

    assert edited["brand"] != "Da Gino"
    assert edited["retention_days"] == 90


def test_a_consent_text_is_followed_and_other_doors_do_not_replace_it(api):
    """A new text has the next number; a text that another door showed is not the program's."""
    first = patch(api, "promo", text="Yes to SMS.").json
    api.post(
        "/subscriptions",
        {"to": "+393331234567", "program": "promo", "source": "shop", "consent_text": "Own words"},
    )

    assert api.get("/programs/promo").json["text"] == "Yes to SMS."
    following = patch(api, "promo", text="Yes to SMS and offers.").json
    assert following["text_version"] > first["text_version"]
    assert patch(api, "promo", text="Yes to SMS.").json["text_version"] == first["text_version"]


def test_a_notice_is_followed_and_its_digest_told(api):
    """By its words or, where the owner keeps the file, by its SHA-256; each has its version."""
    words = "Informativa: chi, perché, quanto."
    first = patch(api, "promo", notice_text=words, controller_name="Gino S.r.l.").json
    second = patch(api, "promo", notice_sha256="AB" * 32).json

    assert (first["notice_version"], second["notice_version"]) == (1, 2)
    assert first["notice_sha256"] == hashlib.sha256(words.encode()).hexdigest()
    assert second["notice_sha256"] == "ab" * 32
    assert second["controller_name"] == "Gino S.r.l."
    assert patch(api, "promo", notice_text=words).json["notice_version"] == 1


def test_a_key_of_a_program_sees_its_own_and_changes_none(asker):
    """Whoever sends for a program does not decide how its consents are proven."""
    promo = asker("promo")

    assert [each["slug"] for each in promo.get("/programs").json["programs"]] == ["promo"]
    assert promo.get("/programs/promo").status_code == 200
    assert promo.get("/programs/club").status_code == 404
    assert patch(promo, "promo", double_opt_in=False).status_code == 403
    assert promo.post("/programs", {"slug": "mine"}).status_code == 403


@pytest.mark.parametrize(
    "changes",
    [
        {"slug": "Not A Slug"},
        {"slug": "promo"},
        {"retention_days": 0},
        {"language": "xx"},
        {"notice_url": "ftp://x"},
        {"yes_confirms": None},
        {"text": ""},
        {"notice_sha256": "12"},
        {"notice_text": "a", "notice_sha256": "00" * 32},
        {"colour": "red"},
    ],
)
def test_what_cant_be_a_program_is_422(api, changes):
    """No program is made of it."""
    assert api.post("/programs", {"slug": "new", **changes}).status_code == 422
    assert api.get("/programs/new").status_code == 404


def test_a_join_word_belongs_to_one_program(api):
    """Two programs can't be joined by one word."""
    patch(api, "promo", join_words=["gelato"])

    assert patch(api, "club", join_words=["GELATO"]).status_code == 422
    assert patch(api, "nowhere", brand="x").status_code == 404
