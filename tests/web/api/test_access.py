"""Who gets in, and how far."""

import pytest

from app.core.errors import StorageUnavailableError
from app.gateway import Gateway, scope
from tests.web.api.conftest import NUMBER


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer unknown",
        "Bearer :",
        "Basic dW5rbm93bjp1bmtub3du",
        "Digest username=x",
        "Bearer Bearer",
        "Bearer clé",
        "Bearer \xff\xfe",
        "\x80\xff",
        "Bearer " + "x" * 10_000,
        ":" * 500,
    ],
)
def test_without_a_key_nothing_is_answered(asker, authorization: str):
    """No, unknown, malformed or non-ASCII credentials: 401 with a challenge, as a problem."""
    answer = asker(authorization=authorization).get("/suppressions")

    assert answer.status_code == 401
    assert answer.mimetype == "application/problem+json"
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert answer.json["title"] == "Unauthorized"


def test_a_key_is_its_secret_or_its_id_and_secret(gateway: Gateway, asker):
    """`Bearer secret` and `Bearer id:secret` both open; another id with the secret does not."""
    key = gateway.services.api_keys.create("shop", scope("default", "marketing"))
    status = {
        authorization: asker(authorization=f"Bearer {authorization}").get("/reviews").status_code
        for authorization in (key.secret, f"{key.id}:{key.secret}", f"other:{key.secret}")
    }

    assert list(status.values()) == [200, 200, 401]


def test_a_revoked_key_opens_nothing(gateway: Gateway, asker):
    """Revocation counts from the next request on."""
    shop = asker()
    gateway.services.api_keys.revoke("default marketing")

    assert shop.get("/suppressions").status_code == 401


@pytest.mark.parametrize(
    ("key", "asked", "status"),
    [
        (("default", "marketing"), {}, 201),
        (("default", "marketing"), {"program": "promo"}, 201),
        (("default", "marketing"), {"purpose": "marketing"}, 201),
        (("default", "marketing"), {"purpose": "service"}, 403),
        (("default", "service"), {"purpose": "service"}, 201),
        (("default", "service"), {"purpose": "marketing"}, 201),
        (("promo", "marketing"), {"program": "promo"}, 201),
        (("promo", "marketing"), {"program": "club"}, 403),
        (("promo", "marketing"), {"program": "default"}, 403),
        (("promo", "marketing"), {"program": "*"}, 403),
        (("promo", "service"), {"program": "club", "purpose": "service"}, 403),
    ],
)
def test_a_key_sends_within_its_program_and_purpose(asker, provider, key, asked, status):
    """A request may say less than its key, never more."""
    answer = asker(*key).post("/messages", {"to": NUMBER, "body": "ciao", **asked})

    assert answer.status_code == status
    assert len(provider.sent) == (status == 201)


def test_a_key_of_a_program_sees_only_that_program(asker):
    """Checks, messages, suppressions and lifts of other programs are closed to it."""
    everything, promo = asker(), asker("promo")
    sent = everything.post("/messages", {"to": NUMBER, "body": "ciao", "program": "club"}).json
    for program in ("promo", "club", "*"):
        everything.post("/suppressions", {"to": NUMBER, "reason": "x", "program": program})
    lift = {"to": NUMBER, "evidence": "signed on 3 May"}

    listed = {row["program"] for row in promo.get("/suppressions").json["suppressions"]}
    assert listed == {"promo", "*"}
    assert promo.get(f"/messages/{sent['id']}").status_code == 404
    assert promo.post("/checks", {"to": [NUMBER], "program": "club"}).status_code == 403
    assert promo.post("/suppressions/lift", lift).status_code == 403
    assert promo.post("/suppressions/lift", lift | {"program": "club"}).status_code == 403
    assert promo.post("/suppressions/lift", lift | {"program": "promo"}).status_code == 200
    assert promo.get("/reviews").status_code == 403
    assert promo.post("/reviews/1", {"decision": "dismiss"}).status_code == 403


def test_any_key_may_stop_messages(asker):
    """A key of one program may suppress a number in all of them."""
    answer = asker("promo").post("/suppressions", {"to": NUMBER, "reason": "complaint"})

    assert (answer.status_code, answer.json["program"]) == (201, "*")


def test_when_the_keys_cannot_be_read_nobody_gets_in(gateway: Gateway, api, monkeypatch):
    """A database that can't be reached: 503, never an open door."""

    def unreachable(*_):
        raise StorageUnavailableError("the database can't be reached")

    monkeypatch.setattr(type(gateway.services.api_keys), "recognise", unreachable)

    answer = api.post("/messages", {"to": NUMBER, "body": "ciao"})

    assert (answer.status_code, answer.mimetype) == (503, "application/problem+json")
