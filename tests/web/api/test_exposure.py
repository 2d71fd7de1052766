"""After a breach: whatever was read of people through the API can be told (GDPR art. 33)."""

from datetime import UTC, datetime

import pytest

from tests.making import ACCOUNT_SID, AUTH_TOKEN
from tests.web.api.conftest import NUMBER

EVER = datetime(2020, 1, 1, tzinfo=UTC)
READS = [("/suppressions", "suppressions"), ("/reviews", "reviews")]


@pytest.mark.parametrize(("path", "what"), READS)
def test_a_list_that_a_key_reads_is_written_down(api, gateway, path, what):
    """With the key that read it."""
    assert api.get(path).status_code == 200

    [touched] = gateway.services.accesses.exposure(EVER)
    (key,) = gateway.services.api_keys.all()
    assert (touched.what, touched.door, touched.who) == (what, "api", key.id)


def test_a_dossier_is_written_down_with_whose_it_is(api, gateway):
    """The number masked; where nothing was held, there is nobody to name."""
    gateway.messages.create(to=NUMBER, body="Ciao")
    assert api.post("/subscribers/export", {"to": NUMBER}).status_code == 200

    [touched] = gateway.services.accesses.exposure(EVER)
    assert (touched.what, touched.number) == ("dossier", "+39•••••••567")


def test_the_providers_log_read_through_us_is_written_down(app, gateway):
    """Twilio's list of messages shows numbers and texts: who read of how many is kept."""
    auth = (ACCOUNT_SID, AUTH_TOKEN)
    path = f"/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json"
    assert app.test_client().get(path, auth=auth).status_code == 200

    [touched] = gateway.services.accesses.exposure(EVER)
    assert (touched.what, touched.who, touched.people) == ("messages", "account", 0)
