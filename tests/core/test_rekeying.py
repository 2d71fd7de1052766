"""The key of the fingerprints is changed: meanwhile, and after it, what was shut stays shut."""

import io
import json
import re
import threading
from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa
from twilio.base.exceptions import TwilioRestException

from app import Client, web
from app.config import Settings
from app.core import rekeying, wayout
from app.core.campaigns import NewCampaign
from app.core.campaigns.plan import Listed
from app.core.consent import Evidence
from app.core.database import KEYS_TRUSTED, Database
from app.core.dossier_check import check
from app.core.errors import (
    InvalidInputError,
    NotNowError,
    NotSentError,
    StorageUnavailableError,
)
from app.core.filters import filter_rows
from app.core.gate import Scope
from app.core.imports import ImportDefaults, SuppressionImport
from app.core.keys import FingerprintKeys
from app.core.models import (
    ALL_PROGRAMS,
    Act,
    Base,
    FormerFingerprint,
    LedgerEntry,
    OutboundMessage,
    Purpose,
    Subscriber,
)
from app.core.number_tables import NumberTable
from app.core.optin import Join
from app.core.phone import PhoneReader
from app.core.preferences import Visit
from app.core.services import Services
from app.gateway import Gateway
from tests.databases import FINGERPRINT_KEY
from tests.fakes import LONG, FakeClock, FakeProvider, FakeSleep
from tests.making import ACCOUNT_SID, AUTH_TOKEN, SENDER, draft, made_settings, text
from tests.providers.scripts import RecordingTransport

STOPPED, ERASED, IMPORTED, FREE = (f"+39333123450{place}" for place in range(1, 5))
SHUT = (STOPPED, ERASED, IMPORTED)
NEW_KEY = "made up for tests: the second key"
SCOPE = Scope("default", Purpose.MARKETING)
KEYS = FingerprintKeys(NEW_KEY, [FINGERPRINT_KEY])


@pytest.fixture
def provider() -> FakeProvider:
    return FakeProvider()


@pytest.fixture
def old(settings: Settings, provider: FakeProvider) -> Iterator[Gateway]:
    """The installation before the change, in which people have done what they do."""
    with Gateway(settings, provider, FakeClock()) as gateway:
        services = gateway.services
        for place, number in enumerate((STOPPED, ERASED), 1):
            services.outbox.send(draft(number))
            services.inbox.receive(text("STOP", number, f"SM{place}"))
        services.suppressions.add(IMPORTED, ALL_PROGRAMS, "import", Evidence("import"))
        services.outbox.send(draft(FREE, idempotency_key="spring-42"))
        services.preferences.link_of(FREE)
        services.privacy.erase(ERASED, "the person", "web")
        provider.sent.clear()
        yield gateway


@pytest.fixture
def changed(settings: Settings) -> Settings:
    return made_settings(
        database_url=settings.database_url,
        fingerprint_key=NEW_KEY,
        fingerprint_key_old=FINGERPRINT_KEY,
        sms_provider="twilio",
    )


@pytest.fixture
def new(old: Gateway, changed: Settings, provider: FakeProvider) -> Iterator[Gateway]:
    """The installation from the moment at which the change has begun and nobody is moved yet."""
    rekeying.begin(changed.database_url, KEYS, lambda _: None)
    with Gateway(changed, provider, FakeClock()) as gateway:
        yield gateway


def killed_half_way(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rekeying, "_BATCH", 2)
    next(gateway.services.rekeying.run())


def complete(gateway: Gateway, _: pytest.MonkeyPatch) -> None:
    list(gateway.services.rekeying.run())


STAGES = {"begun": lambda *_: None, "half": killed_half_way, "complete": complete}


def sends(gateway: Gateway, number: str) -> bool:
    try:
        gateway.services.outbox.send(draft(number))
    except NotSentError:
        return False
    return True


def checks(gateway: Gateway, number: str) -> bool:
    return gateway.check([number])[0].allowed


def filters(gateway: Gateway, number: str) -> bool:
    table = NumberTable(io.BytesIO(f"telefono\n{number}\n".encode()), gateway.services.phones)
    allowed = io.StringIO()
    list(filter_rows(table, table, gateway.services.gate, SCOPE, allowed, io.StringIO()))
    return number in allowed.getvalue()


def campaigns(gateway: Gateway, number: str) -> bool:
    job = gateway.services.campaigns
    new = NewCampaign("spring", "Ciao", SCOPE, SENDER, rate=0)
    campaign_id = job.create(new, (), [Listed(1, number)])
    job.start(campaign_id)
    while job._sender.turn(campaign_id):
        pass
    return bool(gateway.services.provider.sent)


def asks_the_api(gateway: Gateway, number: str) -> bool:
    key = gateway.services.api_keys.create(f"script {number[-1]}", SCOPE)
    client = web.create_app(gateway.settings, gateway.services, []).test_client()
    said = client.post(
        "/api/v1/messages",
        json={"to": number, "body": "Ciao"},
        headers={"Authorization": f"Bearer {key.secret}"},
    )
    assert said.status_code in {201, 409}
    return said.status_code == 201


def asks_as_twilio(gateway: Gateway, number: str) -> bool:
    client = web.create_app(gateway.settings, gateway.services, []).test_client()
    said = client.post(
        f"/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json",
        data={"To": number, "From": SENDER, "Body": "Ciao"},
        auth=(ACCOUNT_SID, AUTH_TOKEN),
    )
    assert said.status_code == 201 or said.json["code"] == 21610
    return said.status_code == 201


def uses_the_client(gateway: Gateway, number: str) -> bool:
    accepted = json.dumps({"sid": "SM" + number[-4:] * 8, "status": "queued"})
    transport = RecordingTransport(body=accepted)
    client = Client(gateway=gateway, http_client=transport)
    try:
        client.messages.create(to=number, from_=SENDER, body="Ciao")
    except TwilioRestException as refused:
        if refused.code != 21610:
            raise
    return bool(transport.requests)


def imports_and_sends(gateway: Gateway, number: str) -> bool:
    """An import adds, and lifts nothing."""
    services = gateway.services
    job = SuppressionImport(
        services.suppressions, services.phones, ImportDefaults("default", "import", {"by": "Ada"})
    )
    table = NumberTable(io.BytesIO(f"telefono\n{number}\n".encode()), services.phones)
    assert list(job.run(table, table)) == []
    return sends(gateway, number)


DOORS: dict[str, Callable[[Gateway, str], bool]] = {
    "send": sends,
    "check": checks,
    "filter": filters,
    "campaign": campaigns,
    "api": asks_the_api,
    "twilio": asks_as_twilio,
    "client": uses_the_client,
    "import": imports_and_sends,
}


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("door", DOORS)
def test_no_door_opens(new: Gateway, door: str, stage: str, monkeypatch):
    """Stopped, erased and imported before the change: refused by every door at every stage."""
    STAGES[stage](new, monkeypatch)

    assert [number for number in SHUT if DOORS[door](new, number)] == []
    assert new.services.provider.sent == []
    assert not new.check(SHUT)[0].allowed


@pytest.mark.parametrize("door", DOORS)
def test_the_doors_still_open(new: Gateway, door: str, monkeypatch):
    """Who was never refused is not refused: the doors do look at the person."""
    killed_half_way(new, monkeypatch)
    assert DOORS[door](new, FREE) == (door != "import")


@pytest.mark.parametrize("stage", STAGES)
def test_an_erased_handset_begins_afresh(new: Gateway, stage: str, monkeypatch):
    """START from a handset erased under the former key lifts the suppression, and no more."""
    STAGES[stage](new, monkeypatch)
    new.services.inbox.receive(text("START", ERASED, "SM9"))

    assert checks(new, ERASED)
    assert not checks(new, STOPPED)


@pytest.mark.parametrize("stage", STAGES)
def test_the_dossier_is_whole_and_verifies(new: Gateway, old: Gateway, stage: str, monkeypatch):
    """Entries from before the change are in the person's dossier, sealed as they were."""
    old.services.clock.advance(hours=1)
    old_head = old.services.ledger.seal() and old.services.ledger.verify().head
    STAGES[stage](new, monkeypatch)
    new.services.clock.advance(hours=2)
    new.services.inbox.receive(text("START", STOPPED, "SM9"))
    new.services.ledger.seal()

    dossier = new.services.dossiers.export(STOPPED)
    assert [entry["act"] for entry in dossier["ledger"]][:1] == [Act.OPT_OUT]
    assert dossier["ledger"][-1]["act"] == Act.OPT_IN
    assert check(dossier).faults == []
    assert new.services.ledger.verify(old_head).faults == []
    phone = new.services.phones.parse(STOPPED)
    assert len(new.services.histories.of(phone).ledger) == len(dossier["ledger"])


def test_an_erasure_reaches_the_older_entries(new: Gateway, database_url: str):
    """Whoever is erased after the change is in no entry any more, under neither fingerprint."""
    complete(new, None)
    new.services.privacy.erase(STOPPED, "the person", "web")

    former, current = KEYS.both(STOPPED)
    with new.services.database.read() as connection:
        entries = sa.select(LedgerEntry.id).where(LedgerEntry.fingerprint.in_((former, current)))
        assert connection.execute(entries).all() == []
        assert connection.execute(sa.select(FormerFingerprint)).all() != []  # others' stay
        mine = sa.select(FormerFingerprint).where(FormerFingerprint.fingerprint == current)
        assert connection.execute(mine).all() == []


def test_nothing_stays_under_the_former_key(new: Gateway, old: Gateway):
    """After the change no table but the ledger knows anybody by the former fingerprint."""
    old.services.database.close()
    complete(new, None)

    former = [KEYS.both(number)[0] for number in (*SHUT, FREE)]
    with new.services.database.read() as connection:
        for table in Base.metadata.sorted_tables:
            if "fingerprint" in table.c and table.name != "ledger_entries":
                found = sa.select(table).where(table.c.fingerprint.in_(former))
                assert connection.execute(found).all() == [], table.name
        people = connection.execute(sa.select(sa.func.count()).select_from(Subscriber)).scalar()
    assert people == 4
    assert not new.services.database.is_rekeying or complete(new, None) is None


def test_who_was_pruned_is_found_again(new: Gateway):
    """A person whose row has passed its period, but not yet their entries, keeps the proof."""
    former, _ = KEYS.both(IMPORTED)
    with new.services.database.engine.begin() as connection:
        for name in ("suppressions", "subscribers"):
            table = Base.metadata.tables[name]
            connection.execute(table.delete().where(table.c.fingerprint == former))
    complete(new, None)

    assert len(new.services.dossiers.export(IMPORTED)["ledger"]) == 1


def test_a_change_can_be_followed_by_another(new: Gateway, changed: Settings):
    """With a third key: refused as ever, and the dossier still has the entries of the first."""
    complete(new, None)
    third = {
        "fingerprint_key": "made up for tests: the third key",
        "fingerprint_key_old": f"{FINGERPRINT_KEY},{NEW_KEY}",
    }
    settings = changed.model_copy(update=third)
    keys = FingerprintKeys(settings.fingerprint_key, settings.former_keys())
    assert rekeying.begin(settings.database_url, keys, lambda _: None)
    with Gateway(settings, FakeProvider(), FakeClock()) as gateway:
        assert not any(checks(gateway, number) for number in SHUT)
        complete(gateway, None)
        assert not any(checks(gateway, number) for number in SHUT)
        dossier = gateway.services.dossiers.export(STOPPED)
    assert dossier["ledger"][0]["act"] == Act.OPT_OUT
    assert check(dossier).faults == []


# --- who may work on the database when


def test_a_process_with_the_former_key_is_shut_out(old: Gateway, changed: Settings):
    """One that runs when the change begins notices in time, and so does one with both keys."""
    now = [0.0]
    late = Database(changed.database_url, FINGERPRINT_KEY, steady=lambda: now[0])
    with late.read():
        pass

    def while_it_waits(seconds: float) -> None:
        assert seconds >= 2 * KEYS_TRUSTED
        with (
            pytest.raises(StorageUnavailableError, match="being changed"),
            Gateway(changed) as early,
        ):
            early.check([FREE])
        with late.read():
            pass  # it still relies on what it read
        now[0] += KEYS_TRUSTED
        for door in (late.read, late.write):
            with pytest.raises(StorageUnavailableError, match="FINGERPRINT_KEY_OLD"), door():
                pytest.fail("it was let in")

    assert rekeying.begin(changed.database_url, KEYS, while_it_waits)
    late.close()


def test_both_keys_do_not_open_before_the_change(old: Gateway, changed: Settings):
    """Nobody works under the new key before all have been told."""
    with (
        pytest.raises(StorageUnavailableError, match="optout key rotate"),
        Gateway(changed) as gateway,
    ):
        gateway.check([FREE])


def test_a_change_from_another_key_is_refused(old: Gateway, changed: Settings):
    """Keys that do not lead from the database's own to the new one change nothing."""
    wrong = FingerprintKeys(NEW_KEY, ["made up for tests: some other"])
    with pytest.raises(InvalidInputError, match="FINGERPRINT_KEY_OLD"):
        rekeying.begin(changed.database_url, wrong, lambda _: None)
    assert not checks(old, STOPPED)


def test_a_second_change_waits_for_the_first(new: Gateway, changed: Settings):
    """A third key before all people are under the second would lose some: it is refused."""
    keys = FingerprintKeys("made up for tests: the third key", [FINGERPRINT_KEY, NEW_KEY])
    with pytest.raises(StorageUnavailableError, match="not complete"):
        rekeying.begin(changed.database_url, keys, lambda _: None)


def test_begun_twice_goes_on(new: Gateway, changed: Settings):
    """Run again it goes on, and once all is done it says so."""
    assert rekeying.begin(changed.database_url, KEYS, lambda _: pytest.fail("it waited again"))
    complete(new, None)
    assert not rekeying.begin(changed.database_url, KEYS, lambda _: pytest.fail("it waited"))


# --- the barrier, and what comes in between


def test_a_stop_waits_for_a_message_of_before(new: Gateway, old: Gateway):
    """A message claimed under the former key is seen, moved, by the STOP that comes later."""
    former, current = KEYS.both(FREE)
    with new.services.database.engine.begin() as connection:
        claimed = sa.update(OutboundMessage).where(OutboundMessage.fingerprint == former)
        connection.execute(claimed.values(status="claimed", claimed_at=new.services.clock()))
    parts = new.services
    sleep = FakeSleep()
    services = Services.build(
        parts.database, parts.phones, parts.policy, parts.provider, parts.clock, sleep
    )
    services.inbox.receive(text("STOP", FREE, "SM9"))

    assert sleep.slept
    with services.database.read() as connection:
        late = sa.select(LedgerEntry).where(LedgerEntry.act == Act.LATE_MESSAGE)
        assert connection.execute(late).one().fingerprint == current


def test_opposite_hands_move_a_person_once(new: Gateway, database_url: str):
    """The change, sends, STOPs and checks at one moment: no error, no message after the STOP."""
    services = new.services
    faults: list[BaseException] = []

    def guarded(act: Callable[[], object]) -> threading.Thread:
        def run() -> None:
            try:
                act()
            except NotSentError:
                pass
            except BaseException as fault:  # noqa: BLE001 - shown by the test
                faults.append(fault)

        return threading.Thread(target=run)

    acts: list[Callable[[], object]] = [lambda: list(services.rekeying.run())] * 2
    for number in (FREE, *SHUT):
        acts += [lambda n=number: sends(new, n), lambda n=number: checks(new, n)]
    acts.append(lambda: services.inbox.receive(text("STOP", FREE, "SM9")))
    threads = [guarded(act) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONG)

    assert faults == []
    assert not any(checks(new, number) for number in (FREE, *SHUT))


@pytest.mark.parametrize("stage", STAGES)
def test_a_link_of_before_leads_to_the_person(new: Gateway, old: Gateway, stage: str, monkeypatch):
    """A personal page's address that is in an older text still stops, and is the same person's."""
    token = wayout.token_of(old.services.phones, old.services.phones.parse(FREE))
    STAGES[stage](new, monkeypatch)
    visit = Visit("Stop", "192.0.2.1", "a browser")
    new.services.preferences.stop(token, ALL_PROGRAMS, visit)

    assert not checks(new, FREE)


def test_the_same_idempotency_key_is_the_same_message(new: Gateway, provider: FakeProvider):
    """What was sent before the change is not sent again after it."""
    again = new.services.outbox.send(draft(FREE, idempotency_key="spring-42"))

    assert again.to == FREE
    assert provider.sent == []


def test_a_list_of_erasures_from_before_still_counts(new: Gateway, old: Gateway):
    """A restored backup's people are erased by a list that was written under the former key."""
    listed = [f"{KEYS.both(FREE)[0].hex()} 2026-11-24T12:00:00+00:00"]
    with pytest.raises(NotNowError):
        new.services.erasure_list.reapply(listed, "command line")
    complete(new, None)

    assert new.services.erasure_list.reapply(listed, "command line").erased == 1
    assert not checks(new, FREE)


def test_the_list_can_not_be_read_in_pages_meanwhile(new: Gateway):
    """Somebody who moves could be missing in an export that others rely on."""
    with pytest.raises(StorageUnavailableError, match="key rotate"):
        new.services.suppressions.page(None, 10)
    complete(new, None)
    assert len(new.services.suppressions.page(None, 10).suppressions) == 3


def test_consents_hold_across_the_change(changed: Settings, settings: Settings, databases):
    """Who consented before is let through after, and the proof of it outlasts the pruning."""
    required = settings.model_copy(update={"consent": "required"})
    with Gateway(required, FakeProvider(), FakeClock()) as before:
        before.services.opt_ins.request(Join(FREE, "default", "web", "form"))
        code = re.search(r"\d{6}", before.services.provider.sent[-1].body)[0]
        before.services.inbox.receive(text(code, FREE, "SM1"))
        assert checks(before, FREE)
    rekeying.begin(settings.database_url, KEYS, lambda _: None)
    after_settings = changed.model_copy(update={"consent": "required"})
    with Gateway(after_settings, FakeProvider(), FakeClock()) as after:
        complete(after, None)
        assert checks(after, FREE)
        assert not checks(after, STOPPED)
        after.services.retention.prune()
        assert check(after.services.dossiers.export(FREE)).faults == []


def test_the_former_key_alone_tells_nothing():
    """A fingerprint of now can't be computed with the key that leaked."""
    former, current = KEYS.both(FREE)

    assert former == PhoneReader("IT", FINGERPRINT_KEY).parse(FREE).fingerprint
    assert current == PhoneReader("IT", NEW_KEY, (FINGERPRINT_KEY,)).parse(FREE).fingerprint
    assert current != PhoneReader("IT", NEW_KEY).parse(FREE).fingerprint
    assert KEYS.next_of(former) == current
