"""The dossier: all that is held about one number, proven, and nothing of anybody else."""

import json
from datetime import UTC, datetime
from hashlib import sha256

import pytest

from app.core import dossier_check as dossier
from app.core.errors import CodeRefusedError
from app.core.notices import given_notice
from app.gateway import Gateway
from tests.core.test_optin import NUMBER, Clock, Handset, ask, code_in, sent_code
from tests.making import SENDER

OTHER = "+393337654321"


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def gateway(settings, clock):
    settings = settings.model_copy(update={"consent": "required", "twilio_from": SENDER})
    with Gateway(settings, clock=clock) as gateway:
        yield gateway


@pytest.fixture
def handset_joins(gateway):
    def join():
        handset = Handset(gateway, NUMBER)
        handset.text(code_in(handset.text("START")))

    return join


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

    told = record["processing"]
    assert "per ricevere SMS (novità e offerte) rispondi {code}" in told["consent_text"]
    assert (told["consent_text_shown_as"], "Acconsento" in told["program_text"]) == (
        "code_sms",
        True,
    )
    assert record["processing"]["collection_method"] == "sms"
    kinds = [event["event_type"] for event in record["events"]]
    assert kinds[:4] == ["requested", "code_sent", "confirmed", "given"]
    assert [entry["act"] for entry in exported["ledger"]][:3] == ["join", "code_sent", "consent"]


def test_what_was_asked_by_sms_is_shown_as_it_was_sent(exported):
    """START was answered by the code's SMS: its words are the text, sealed, without the code."""
    [request], [record] = exported["requests"], exported["consent_records"]
    first = exported["messages_received"][0]
    sent = next(entry for entry in exported["ledger"] if entry["act"] == "code_sent")

    assert record["processing"]["consent_text"] == request["prompt"] == first["reply"]
    assert sent["evidence"]["prompt_sha256"] == sha256(request["prompt"].encode()).hexdigest()
    assert "https://sms.example.org/join/default" in request["prompt"]
    request["prompt"] = record["processing"]["consent_text"] = "forged"
    assert dossier.faults_in(exported) != []


def test_the_form_showed_the_consent_text(gateway):
    """Who asked on the page had read the program's text there; the code's SMS is kept beside it."""
    pending = ask(gateway, door="web")
    code = sent_code(gateway)
    gateway.services.opt_ins.confirm(pending.id, code)

    exported = gateway.services.dossiers.export(NUMBER)

    [told] = (record["processing"] for record in exported["consent_records"])
    assert (told["consent_text_shown_as"], told["consent_text"]) == ("form", told["program_text"])
    said = gateway.services.provider.conversation(NUMBER)[-1].body
    assert exported["requests"][0]["prompt"].replace("{code}", code) == said


def test_each_consent_has_its_own_life(gateway, clock):
    """Joined, left, joined again: two consents, each with its request, events and end."""
    handset = Handset(gateway, NUMBER)
    handset.text(code_in(handset.text("START")))
    clock.advance(days=1)
    handset.text("CANCELLAMI")
    clock.advance(days=1)
    handset.text("START")
    clock.advance(days=800)
    handset.text(code_in(handset.text("START")))

    exported = gateway.services.dossiers.export(NUMBER)

    lives = [[e["event_type"] for e in r["events"]] for r in exported["consent_records"]]
    begun = ["requested", "code_sent", "confirmed", "given"]
    assert lives == [[*begun, "withdrawn", "restored", "expires"], [*begun, "expires"]]
    assert dossier.faults_in(exported) == []
    exported["consent_records"].pop(0)
    assert dossier.faults_in(exported) != []


def test_why_and_a_join_word_are_shown_as_understood(gateway):
    """PERCHE is no text that meant nothing."""
    gateway.services.programs.edit("default", {"join_words": ["menu"]})
    handset = Handset(gateway, NUMBER)
    for text in ("PERCHE", "menu", "ciao"):
        handset.text(text)

    received = gateway.services.dossiers.export(NUMBER)["messages_received"]

    assert [each["understood"] for each in received] == ["why", "join", "none"]


def test_each_message_names_its_sender(gateway, handset_joins):
    """Also one whose caller left it to the settings: no sender is hidden (art. 130 c.5)."""
    handset_joins()
    gateway.messages.create(to=NUMBER, body="Saldi")

    [sent] = gateway.services.dossiers.export(NUMBER)["messages_sent"]

    assert sent["sender"] == SENDER
    assert gateway.services.provider.conversation(NUMBER)[-1].sender == SENDER


def test_days_are_those_of_the_person(gateway, clock):
    """Given half an hour after midnight in Italy, a consent is of that day, not of UTC's."""
    clock.now = datetime(2026, 1, 1, 23, 30, tzinfo=UTC)
    handset = Handset(gateway, NUMBER)
    handset.text(code_in(handset.text("START")))

    assert "dal 02/01/2026" in handset.text("PERCHE")


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
        lambda copy: copy["ledger"].reverse(),
        withdrawal_left_out,
        proofs_left_out,
    ]
    for number, change in enumerate(changes):
        assert forged(change) != [], number


def test_each_event_has_its_own_state_and_proof(exported):
    """From asking to withdrawal: where the consent stood then, and the entry that says so."""
    events = exported["consent_records"][0]["events"]
    acts = {entry["id"]: entry["act"] for entry in exported["ledger"]}

    assert [(e["event_type"], e["event_state"], acts[e["ledger_entry"]]) for e in events] == [
        ("requested", "requested", "join"),
        ("code_sent", "code_sent", "code_sent"),
        ("confirmed", "given", "consent"),
        ("given", "given", "consent"),
        ("withdrawn", "withdrawn", "withdraw"),
    ]


def test_the_round_trip_by_sms_is_proven(exported):
    """The code went as the answer to START, and came back in a text of this very number."""
    [request] = exported["requests"]
    trip, received = request["round_trip"], exported["messages_received"]

    assert (trip["carried_by"], trip["sent_as"]) == ("reply", received[0]["provider_message_id"])
    assert (trip["returned_by"], trip["returned_as"]) == ("sms", received[1]["provider_message_id"])
    assert trip["seconds_to_return"] == 0
    exported["requests"][0]["round_trip"]["returned_by"] = "web"
    assert dossier.faults_in(exported) != []


def test_the_round_trip_by_the_form_is_proven(gateway, clock):
    """Sent, delivered, typed in: with times, spans, browser and wrong tries."""
    services = gateway.services
    pending = ask(gateway, door="web")
    clock.advance(seconds=2)
    [report] = services.provider.deliver(NUMBER)
    services.deliveries.record(report)
    clock.advance(seconds=3)
    with pytest.raises(CodeRefusedError):
        services.opt_ins.confirm(pending.id, "0")
    browser = json.dumps({"address": "203.0.113.7", "user_agent": "Firefox"})
    services.opt_ins.confirm(pending.id, sent_code(gateway), said=browser)

    exported = services.dossiers.export(NUMBER)

    trip = exported["requests"][0]["round_trip"]
    assert (trip["carried_by"], trip["returned_by"]) == ("message", "web")
    assert (trip["seconds_to_delivery"], trip["seconds_to_return"]) == (2, 5)
    assert (trip["address"], trip["user_agent"], trip["wrong_codes"]) == (
        "203.0.113.7",
        "Firefox",
        1,
    )
    assert dossier.faults_in(exported) == []


def test_the_notice_that_was_shown_is_proven(gateway, handset_joins):
    """A notice that changed later is another version; the consent keeps the one of its day."""
    first = given_notice("Informativa di oggi", None)
    gateway.services.programs.edit("default", {"notice_url": "https://x.example"}, notice=first)
    handset_joins()
    later = given_notice("Informativa di domani", None)
    gateway.services.programs.edit("default", {"notice_url": "https://y.example"}, notice=later)

    exported = gateway.services.dossiers.export(NUMBER)

    told = exported["consent_records"][0]["processing"]
    assert (told["privacy_notice"], told["privacy_notice_version"]) == ("https://x.example", 1)
    assert told["privacy_notice_text"] == "Informativa di oggi"
    entry = exported["ledger"][0]["evidence"]
    assert entry["notice_sha256"] == told["privacy_notice_sha256"] == first.digest.hex()
    for record in (exported["requests"][0], told):
        record |= {"notice_text": "other", "privacy_notice_text": "other"}
    assert dossier.faults_in(exported) != []


def test_a_code_that_did_not_go_out_is_not_recorded_as_sent(gateway):
    """START from a number whose answers are spent for the hour: asked, and no code sent."""
    handset = Handset(gateway, NUMBER)
    for _ in range(gateway.services.policy.replies_per_hour):
        handset.text("INFO")
    assert handset.text("START") is None

    exported = gateway.services.dossiers.export(NUMBER)

    assert [entry["act"] for entry in exported["ledger"]] == ["join"]
    assert exported["requests"][0]["code_sent_at"] is None


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
