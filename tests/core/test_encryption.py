"""Encrypted at rest: who has a copy of the database and not the key reads no number, no text."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from sqlalchemy.engine import make_url

from app import web
from app.config import Settings
from app.core import reencrypting, schema, subscribers
from app.core.campaigns import NewCampaign
from app.core.campaigns.plan import Listed
from app.core.consent import Evidence
from app.core.database import KEYS_TRUSTED, Database, make_engine
from app.core.encrypted import as_stored
from app.core.encryption import Cipher
from app.core.errors import InvalidInputError, StorageUnavailableError
from app.core.gate import Scope
from app.core.models import (
    ALL_PROGRAMS,
    Base,
    Campaign,
    CampaignRecipient,
    InboundMessage,
    Purpose,
    Subscriber,
)
from app.core.optin import Join
from app.core.phone import PhoneReader
from app.core.reencrypting import Reencrypting
from app.core.schema import migrate
from app.gateway import Gateway
from app.providers.twilio import TwilioWebhooks
from tests.databases import BRAND, FINGERPRINT_KEY
from tests.fakes import START, FakeClock
from tests.making import AUTH_TOKEN, SENDER, draft, made_settings, text
from tests.web.twilio_requests import INBOUND, TEXT, post

KEY = "made up for tests: encryption"
NEW_KEY = "made up for tests: encryption, anew"
NUMBERS = [f"+39333987650{place}" for place in range(6)]
WORDS = "non scrivetemi mai piu"


@pytest.fixture
def encrypted(databases) -> Settings:
    """The settings of a database that was encrypted from the beginning."""
    url = databases.empty()
    migrate(url, FINGERPRINT_KEY, BRAND, cipher=Cipher(KEY))
    return made_settings(database_url=url, encryption_key=KEY)


@pytest.fixture
def gateway(encrypted: Settings) -> Iterator[Gateway]:
    with Gateway(encrypted, clock=FakeClock()) as gateway:
        yield gateway


def traffic(gateway: Gateway) -> None:
    """Something by every door, with a number in the words as well."""
    services = gateway.services
    services.inbox.receive(text("STOP", NUMBERS[0], "SM0"))
    services.inbox.receive(text(f"{WORDS} al {NUMBERS[1]}", NUMBERS[1], "SM1"))
    services.outbox.send(draft(NUMBERS[2], f"Ciao, richiami {NUMBERS[2]}"))
    services.suppressions.add(NUMBERS[3], ALL_PROGRAMS, "import", Evidence("import"))
    join = Join(NUMBERS[4], "default", "web", "form", address="192.0.2.77", user_agent="a browser")
    services.opt_ins.request(join)
    code = re.search(r"\d{6}", services.provider.conversation(NUMBERS[4])[-1].body)[0]
    services.inbox.receive(text(code, NUMBERS[4], "SM2"))
    services.preferences.link_of(NUMBERS[5])
    gateway.check(NUMBERS)
    by_http(gateway)
    listed = [Listed(1, NUMBERS[5], {"name": "Annamaria"})]
    new = NewCampaign("spring", "Ciao {name}", Scope("default", Purpose.MARKETING))
    services.campaigns.create(new, ["name"], listed)


def by_http(gateway: Gateway) -> None:
    """What comes by the webhook and the API of messages, through the whole web application."""
    services, settings = gateway.services, gateway.settings
    door = TwilioWebhooks(AUTH_TOKEN, settings.public_url, provider_replies=False)
    browser = web.create_app(settings, services, [door]).test_client()
    words = TEXT | {"From": NUMBERS[3], "Body": WORDS}
    assert post(browser, INBOUND, words).status_code == 200
    form = {"To": NUMBERS[2], "From": SENDER, "Body": f"Chiami {NUMBERS[2]}"}
    login = (settings.twilio_account_sid, settings.twilio_auth_token)
    path = f"/2010-04-01/Accounts/{settings.twilio_account_sid}/Messages.json"
    assert browser.post(path, data=form, auth=login).status_code == 201


def dumped(url: str) -> str:
    """All that a thief would have: SQLite's files as bytes, PostgreSQL's rows as text."""
    if url.startswith("sqlite"):
        file = Path(make_url(url).database)
        return "".join(
            each.read_bytes().decode("latin-1") for each in file.parent.glob(f"{file.name}*")
        )
    engine = make_engine(url)
    with engine.connect() as connection:
        rows = [
            str(connection.exec_driver_sql(f'SELECT t.*::text FROM "{table}" t').all())  # noqa: S608
            for table in Base.metadata.tables
        ]
    engine.dispose()
    return "".join(rows)


def shown_in(dump: str) -> list[str]:
    """What of the people stands in a dump, numbers in any of their parts."""
    known = [number[3:] for number in NUMBERS] + ["scrivetemi", "192.0.2.77", "a browser"]
    known.append("Annamaria")
    return [each for each in known if each in dump]


def test_each_engine_encrypts_with_its_own_key(databases):
    """Statements that are compiled once for all engines use the key of the one they run on."""
    phone = PhoneReader("IT", FINGERPRINT_KEY).parse(NUMBERS[0])
    stored = []
    for cipher in (Cipher(KEY), None, Cipher(NEW_KEY)):
        url = databases.empty()
        migrate(url, FINGERPRINT_KEY, BRAND, cipher=cipher)
        database = Database(url, FINGERPRINT_KEY, cipher=cipher)
        with database.write() as connection:
            subscribers.lock(connection, phone, START)
            stored.append(connection.execute(sa.select(as_stored(Subscriber.number))).scalar())
        database.close()
    assert stored == [
        Cipher(KEY).encrypt("subscribers.number", NUMBERS[0]),
        NUMBERS[0],
        Cipher(NEW_KEY).encrypt("subscribers.number", NUMBERS[0]),
    ]


def test_a_dump_shows_nobody(gateway: Gateway):
    """After traffic by every door neither numbers nor texts stand in the raw database."""
    traffic(gateway)

    assert shown_in(dumped(gateway.settings.database_url)) == []
    dossier = gateway.services.dossiers.export(NUMBERS[1])
    assert WORDS in dossier["messages_received"][0]["body"]
    assert not gateway.check([NUMBERS[0]])[0].allowed


def test_without_a_key_it_is_stored_as_it_is(settings: Settings):
    """The measure can fail: an installation that sets no key has them in the clear."""
    with Gateway(settings, clock=FakeClock()) as gateway:
        traffic(gateway)
        assert len(shown_in(dumped(settings.database_url))) > len(NUMBERS)


def test_what_was_stored_before_is_encrypted_by_the_command(settings: Settings):
    """Killed after each batch and run again, all is encrypted and reads as before."""
    with Gateway(settings, clock=FakeClock()) as gateway:
        traffic(gateway)
    keyed = settings.model_copy(update={"encryption_key": KEY})
    with (
        pytest.raises(StorageUnavailableError, match="optout key encrypt"),
        Gateway(keyed) as early,
    ):
        early.check(NUMBERS)
    reencrypting.begin(settings.database_url, Cipher(KEY), lambda _: None)
    with Gateway(keyed, clock=FakeClock()) as gateway:
        before = gateway.services.dossiers.export(NUMBERS[1])["messages_received"]
        assert not gateway.check([NUMBERS[0]])[0].allowed
        database = gateway.services.database
        for batches in range(3):
            run = Reencrypting(database, Cipher(KEY)).run()
            for _ in range(batches):
                next(run)
        assert sum(Reencrypting(database, Cipher(KEY)).run())
        assert gateway.services.dossiers.export(NUMBERS[1])["messages_received"] == before
        assert gateway.services.ledger.verify().faults == []
        in_ledger = gateway.services.dossiers.export(NUMBERS[1])["ledger"][0]["text"]
    dump = dumped(settings.database_url)
    # Entries of the ledger from before are never written to again, and stay as they were.
    assert set(shown_in(dump.replace(in_ledger, ""))) <= {"scrivetemi", "192.0.2.77", "a browser"}
    assert in_ledger


def test_until_all_is_encrypted_either_form_is_found(settings: Settings):
    """Between the beginning and the end of the change a look-up by number misses nothing."""
    with Gateway(settings, clock=FakeClock()) as gateway:
        traffic(gateway)
        before = gateway.services.provider.conversation(NUMBERS[4])
    assert before
    reencrypting.begin(settings.database_url, Cipher(KEY), lambda _: None)
    keyed = settings.model_copy(update={"encryption_key": KEY})
    with Gateway(keyed, clock=FakeClock()) as gateway:
        gateway.services.outbox.send(draft(NUMBERS[4], purpose=Purpose.SERVICE))
        now = gateway.services.provider.conversation(NUMBERS[4])
        assert now[:-1] == before
        gateway.services.privacy.erase(NUMBERS[4], "the person", "web")
        assert gateway.services.provider.conversation(NUMBERS[4]) == []


def test_after_the_loss_of_the_key_what_remains_is_of_use(gateway: Gateway, encrypted: Settings):
    """Who opted out stays refused and the ledger is whole; what can't be read is gone."""
    traffic(gateway)
    new = Cipher(NEW_KEY)
    assert reencrypting.count_lost(encrypted.database_url, Cipher(NEW_KEY, [KEY])) == {}
    assert reencrypting.count_lost(encrypted.database_url, new)["subscribers"] == len(NUMBERS)

    reencrypting.give_up(encrypted.database_url, new)

    assert reencrypting.count_lost(encrypted.database_url, new) == {}
    clock = FakeClock()
    clock.advance(days=1)
    keyed = encrypted.model_copy(update={"encryption_key": NEW_KEY})
    with Gateway(keyed, clock=clock) as after:
        assert [each.allowed for each in after.check(NUMBERS[:2])] == [False, False]
        assert after.services.ledger.seal()
        assert after.services.ledger.verify().faults == []
        assert after.services.dossiers.export(NUMBERS[1])["messages_received"][0]["body"] is None
        after.services.inbox.receive(text("START", NUMBERS[0], "SM9"))
        with after.services.database.read() as connection:
            numbers = connection.execute(sa.select(Subscriber.number)).scalars().all()
        assert set(numbers) == {None, NUMBERS[0]}
        after.services.privacy.erase(NUMBERS[4], "the person", "web")
        spring = NewCampaign("again", "Ciao", Scope("default", Purpose.MARKETING))
        listed = [Listed(place, number) for place, number in enumerate(NUMBERS[3:])]
        after.services.campaigns.create(spring, [], listed)
        with after.services.database.read() as connection:
            numbers = connection.execute(sa.select(Subscriber.number)).scalars().all()
        assert set(numbers) == {None, NUMBERS[0], NUMBERS[3], NUMBERS[5]}


RECIPIENT = {"campaign_id": 1, "position": 1, "fingerprint": b"1" * 32, "fields": None}
RECIPIENT |= {"status": "waiting", "attempt": 0, "due_at": sa.func.current_timestamp()}
OLD_FIELDS = sa.literal({"name": "Zoë"}, sa.JSON())


def test_fields_of_campaigns_survive_the_migration(databases):
    """What stood in a column of JSON before is read as it was."""
    url = databases.empty()
    engine = make_engine(url)
    with engine.begin() as connection:
        config = schema._alembic()
        config.attributes["connection"] = connection
        command.upgrade(config, "0006")
        schema._make_first_program(connection, BRAND, "it")
        connection.execute(sa.insert(Subscriber).values(fingerprint=b"1" * 32, first_seen_at=START))
        campaign = {"name": "spring", "program": "default", "purpose": "marketing", "body": "Ciao"}
        campaign |= {"status": "ready", "rate": 1, "plan": {}, "created_at": START}
        campaign |= {"max_opt_out_share": 0, "max_failure_share": 0}
        connection.execute(sa.insert(Campaign).values(id=1, **campaign))
        old = sa.table("campaign_recipients", *map(sa.column, RECIPIENT))
        connection.execute(sa.insert(old).values(RECIPIENT | {"fields": OLD_FIELDS}))
    migrate(url, FINGERPRINT_KEY, BRAND)
    with engine.connect() as connection:
        assert connection.execute(sa.select(CampaignRecipient.fields)).scalars().all() == [
            {"name": "Zoë"}
        ]
    engine.dispose()


def test_a_new_key_takes_the_place_of_the_old(gateway: Gateway, encrypted: Settings):
    """After the change all but the ledger is under the new key, and the old one reads nothing."""
    traffic(gateway)
    both = encrypted.model_copy(update={"encryption_key": NEW_KEY, "encryption_key_old": KEY})
    with pytest.raises(InvalidInputError, match="ENCRYPTION_KEY_OLD"):
        reencrypting.begin(encrypted.database_url, Cipher(NEW_KEY), lambda _: None)
    reencrypting.begin(encrypted.database_url, Cipher(NEW_KEY, [KEY]), lambda _: None)
    with Gateway(both, clock=FakeClock()) as after:
        list(Reencrypting(after.services.database, both.cipher()).run())
        assert WORDS in after.services.dossiers.export(NUMBERS[1])["ledger"][0]["text"]
    alone = both.model_copy(update={"encryption_key_old": ""})
    with Gateway(alone, clock=FakeClock()) as after:
        assert WORDS in after.services.dossiers.export(NUMBERS[1])["messages_received"][0]["body"]


@pytest.mark.parametrize("key", ["", "made up for tests: another one"])
def test_a_lost_or_wrong_key_opens_nothing(encrypted: Settings, key: str):
    """It is refused at once, in words that say which setting it is."""
    with (
        pytest.raises(StorageUnavailableError, match="ENCRYPTION_KEY"),
        Gateway(encrypted.model_copy(update={"encryption_key": key})) as gateway,
    ):
        gateway.check(NUMBERS)


def test_a_process_without_the_key_is_shut_out(settings: Settings):
    """One that runs when encryption begins would store in the clear: it notices in time."""
    now = [0.0]
    late = Database(settings.database_url, FINGERPRINT_KEY, steady=lambda: now[0])
    with late.read():
        pass

    def while_it_waits(seconds: float) -> None:
        assert seconds >= 2 * KEYS_TRUSTED
        now[0] += KEYS_TRUSTED
        with pytest.raises(StorageUnavailableError), late.write():
            pytest.fail("it was let in")

    reencrypting.begin(settings.database_url, Cipher(KEY), while_it_waits)
    late.close()


def test_an_erasure_in_between_is_not_undone(settings: Settings, monkeypatch):
    """Somebody is erased while their row is being encrypted: the number does not come back."""
    with Gateway(settings, clock=FakeClock()) as gateway:
        traffic(gateway)
    reencrypting.begin(settings.database_url, Cipher(KEY), lambda _: None)
    keyed = settings.model_copy(update={"encryption_key": KEY})
    with Gateway(keyed, clock=FakeClock()) as gateway:
        database = gateway.services.database
        work = Reencrypting(database, Cipher(KEY))
        with database.write() as connection:
            table = Base.metadata.tables["subscribers"]
            stored = as_stored(table.c.number)
            row = connection.execute(sa.select(table.c.fingerprint, stored)).first()
            connection.execute(sa.update(Subscriber).values(number=None))
            work._encrypt(connection, table, row)
            assert connection.execute(sa.select(Subscriber.number)).scalars().all() == [None] * len(
                NUMBERS
            )


def test_what_is_moved_to_another_column_is_not_read(gateway: Gateway, encrypted: Settings):
    """Ciphertext belongs to its column; what does not fit stays what it is, and is no number."""
    cipher = Cipher(KEY)
    number = cipher.encrypt("subscribers.number", NUMBERS[0])

    assert cipher.decrypt("subscribers.number", number) == NUMBERS[0]
    assert cipher.decrypt("inbound_messages.body", number) == number
    assert cipher.decrypt("subscribers.number", number[:-4] + "AAA=") != NUMBERS[0]
    assert cipher.decrypt("inbound_messages.body", "aes-siv:hello") == "aes-siv:hello"
    assert (
        cipher.decrypt("inbound_messages.body", cipher.encrypt("inbound_messages.body", "")) == ""
    )


def test_texts_that_look_encrypted_come_back_as_they_were(gateway: Gateway):
    """Whatever people text, with or without our mark, empty or long, is read back as it was."""
    words = ["", "aes-siv:", Cipher(KEY).encrypt("inbound_messages.body", "x"), "è" * 2000]
    for place, body in enumerate(words):
        gateway.services.inbox.receive(text(body, NUMBERS[0], f"SM{place}"))

    with gateway.services.database.read() as connection:
        query = sa.select(InboundMessage.body).order_by(InboundMessage.id)
        assert connection.execute(query).scalars().all() == words
