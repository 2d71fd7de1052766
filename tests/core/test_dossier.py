"""The dossier: all that is held about one number, proven, and nothing of anybody else."""

import json

import pytest

from app.core import dossier_check as dossier
from app.gateway import Gateway
from tests.core.test_optin import NUMBER, Clock, Handset, code_in

OTHER = "+393337654321"


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def gateway(settings, clock):
    settings = settings.model_copy(update={"consent": "required"})
    with Gateway(settings, clock=clock) as gateway:
        yield gateway


@pytest.fixture
def exported(gateway, clock):
    """Two people join, one leaves; the one's dossier, as it goes over the wire."""
    for number in (OTHER, NUMBER):
        handset = Handset(gateway, number)
        handset.text(code_in(handset.text("START")))
        gateway.messages.create(to=number, body=f"Saldi per {number}")
    handset.text("STOP")
    clock.advance(minutes=5)
    gateway.services.ledger.seal()
    return json.loads(json.dumps(gateway.services.dossiers.export(NUMBER)))


def test_the_dossier_proves_the_consent(exported):
    """It holds the text that was shown, the door, and the code's round trip with its times."""
    [record] = exported["consent_records"]

    assert "Acconsento a ricevere da Demo" in record["processing"]["consent_text"]
    assert record["processing"]["collection_method"] == "sms"
    kinds = [event["event_type"] for event in record["events"]]
    assert kinds[:4] == ["requested", "code_sent", "confirmed", "given"]
    assert [entry["act"] for entry in exported["ledger"]][:3] == ["join", "code_sent", "consent"]


def test_the_dossier_holds_nobody_else(exported):
    """Nothing of another person is in it."""
    text = json.dumps(exported)

    assert OTHER not in text
    assert NUMBER in text


def test_the_dossier_verifies_without_the_database(exported):
    """Every entry leads to a seal, and any change to an entry or a seal is found."""
    assert dossier.faults_in(exported) == []
    assert all(entry["proof"] for entry in exported["ledger"])
    for change in ("act", "door", "text", "at"):
        forged = json.loads(json.dumps(exported))
        entry = next(entry for entry in forged["ledger"] if entry["text"])
        entry[change] = "2020-01-01T00:00:00+00:00" if change == "at" else "forged"
        assert dossier.faults_in(forged) != [], change
    forged = json.loads(json.dumps(exported))
    forged["seals"][0]["root"] = "00" * 32
    assert dossier.faults_in(forged) != []
    assert dossier.faults_in({"ledger": 7}) != []


def test_what_the_dossier_tells_is_what_its_ledger_says(exported):
    """A text, a door, a time or a withdrawal that was changed where people read it is found."""

    def forged(change):
        copy = json.loads(json.dumps(exported))
        change(copy)
        return dossier.faults_in(copy)

    def withdrawal_left_out(copy):
        events = copy["consent_records"][0]["events"]
        copy["consent_records"][0]["events"] = [
            event for event in events if event["event_type"] != "withdrawn"
        ]

    def proofs_left_out(copy):
        for entry in copy["ledger"]:
            entry["proof"] = None

    changes = [
        lambda copy: copy["requests"][0].update(text="forged"),
        lambda copy: copy["requests"][0].update(door="web"),
        lambda copy: copy["requests"][0].update(created_at="2020-01-01T00:00:00+00:00"),
        lambda copy: copy["requests"][0].update(confirmed_at=None),
        lambda copy: copy["requests"].clear(),
        lambda copy: copy["consent_records"][0]["processing"].update(consent_text="forged"),
        lambda copy: copy["consent_records"][0]["processing"].update(collection_source="forged"),
        lambda copy: copy["consent_records"][0]["events"][3].update(event_time="2020-01-01"),
        lambda copy: copy["ledger"].pop(2),
        lambda copy: copy.update(fingerprint="00" * 32),
        withdrawal_left_out,
        proofs_left_out,
    ]
    for number, change in enumerate(changes):
        assert forged(change) != [], number


def test_a_renewal_is_proven_as_well(gateway, clock):
    """Asked to renew, and then renewed by the code: the dossier agrees with its ledger."""
    handset = Handset(gateway, NUMBER)
    handset.text(code_in(handset.text("START")))
    clock.advance(days=715)
    gateway.services.renewals.ask_all("default")
    asked = gateway.services.dossiers.export(NUMBER)

    handset.text(code_in(gateway.services.provider.conversation(NUMBER)[-1].body))

    renewed = gateway.services.dossiers.export(NUMBER)
    assert [each["status"] for each in asked["requests"]] == ["active", "pending"]
    assert [each["status"] for each in renewed["requests"]] == ["active", "active"]
    assert dossier.faults_in(asked) == dossier.faults_in(renewed) == []


def test_a_number_never_seen_has_an_empty_dossier(gateway):
    """To ask is answered for everybody; nothing is held about a stranger."""
    exported = gateway.services.dossiers.export("+393330000000")

    assert not exported["known"]
    assert exported["ledger"] == exported["messages_received"] == []
