"""Erasure: nothing of the person is left, and the number stays silent whoever brings it back."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import make_url

from app.core.consent import Evidence
from app.core.data_map import TABLES
from app.core.database import Database
from app.core.errors import (
    InvalidInputError,
    NotFoundError,
    NotSentError,
    ProviderError,
    StorageUnavailableError,
)
from app.core.gate import Scope
from app.core.models import (
    ALL_PROGRAMS,
    Act,
    Base,
    Channel,
    InboundMessage,
    LedgerEntry,
    Purpose,
    Subscriber,
)
from app.core.optin import Join
from app.core.services import Services
from tests.making import PERSON, draft, held, text

OTHER = "+393337654321"
WORDS = "unmistakable words of the person"
MAIL = "somebody@mail.example"
SPELLINGS = (
    *(PERSON, "0039 333 1234567", "333 123 4567", "+39-333-123-4567", "tel:+393331234567"),
    *("(+39) 333.123.4567", "'+393331234567", "3331234567.0", "+39\u200b3331234567"),
    "３３３１２３４５６７",  # digits of full width
)


@pytest.fixture
def person(services: Services, phones, provider):
    """A person in every table; and another one beside, in the same places."""
    for number in (PERSON, OTHER):
        who = number[-4:]
        join = Join(
            number, "default", "web", WORDS, WORDS, channel=Channel.EMAIL, email=MAIL, address=WORDS
        )
        services.opt_ins.request(join)
        code = re.search(r"\d{6}", provider.sent[-1].body)[0]
        services.inbox.receive(text(code, number, f"SMa{who}"))
        services.inbox.receive(text(WORDS, number, f"SMb{who}"))
        services.outbox.send(draft(number, WORDS, sender="Shop", idempotency_key=number))
        held(services, phones.parse(number))
    return phones.parse(PERSON)


def rows_of(database: Database) -> dict[str, list[dict]]:
    """Everything that is in the database, read as a dump reads it."""
    with database.read() as connection:
        return {
            table.name: [dict(row) for row in connection.execute(sa.select(table)).mappings()]
            for table in Base.metadata.sorted_tables
        }


def stored_bytes(database: Database) -> bytes:
    """The raw files of SQLite, its log among them; a dump of all tables of PostgreSQL."""
    url = make_url(str(database.engine.url))
    if url.get_backend_name() != "sqlite":
        return str(rows_of(database)).encode()
    files = Path(url.database).parent.glob(f"{Path(url.database).name}*")
    return b"".join(file.read_bytes() for file in files)


def erased(services: Services, number: str = PERSON):
    return services.privacy.erase(number, "the person, by letter", "command line")


def test_nothing_of_the_person_is_left(services: Services, person, database):
    """Number, texts, address and mail are in no table, file or log; another person's still are."""
    secrets = [each.encode() for each in (PERSON, PERSON[3:])]
    assert all(secret in stored_bytes(database) for secret in secrets)

    erased(services)
    assert not any(secret in stored_bytes(database) for secret in secrets)

    assert WORDS.encode() in stored_bytes(database)
    erased(services, OTHER)
    with database.write() as connection:  # the texts of programs stay, nobody's in particular
        connection.execute(sa.text("DELETE FROM consent_texts"))
    database.scrub()
    left = stored_bytes(database)
    assert WORDS.encode() not in left
    assert MAIL.encode() not in left


def test_erasure_does_what_the_map_says(services: Services, person, database):
    """In every table the columns that an erasure ends hold nothing of the person any more."""
    before = rows_of(database)
    filled = {name for name, rows in before.items() for row in rows if is_of(row, person)}
    assert filled >= {"consents", "opt_in_requests", "link_tokens", "review_holds"}

    erased(services)

    for name, rows in rows_of(database).items():
        goes = {c for held in TABLES[name].held if held.erased for c in held.columns.split()}
        mine = [row for row in rows if is_of(row, person)]
        assert not any(row[column] for row in mine for column in goes), name
        theirs = [row for row in before[name] if not is_of(row, person)]
        assert name in {"ledger_entries", "provider_deletions", "suppressions"} or all(
            row in rows for row in theirs
        )


def is_of(row: dict, person) -> bool:
    return person.fingerprint in row.values() or person.e164 in row.values()


def test_the_ledger_still_verifies(services: Services, person, clock, database):
    """The seal holds over the erased entries; the erasure itself is there, and says not whose."""
    clock.advance(hours=1)
    services.ledger.seal()
    certificate = erased(services)
    clock.advance(hours=1)
    services.ledger.seal()

    assert services.ledger.verify().faults == []
    [entry] = [e for e in rows_of(database)["ledger_entries"] if e["act"] == Act.ERASE]
    assert (entry["fingerprint"], entry["salt"], entry["text"]) == (None, None, None)
    assert entry["evidence"]["certificate"] == certificate.id
    assert person.fingerprint not in {e["fingerprint"] for e in rows_of(database)["ledger_entries"]}


@pytest.mark.parametrize("program", ["default", "second"])
def test_an_erased_number_is_refused_in_every_spelling(services: Services, person, program):
    """By every program and for every purpose, though it had never opted out."""
    services.programs.add("second", {})
    erased(services)

    for purpose in Purpose:
        decisions = services.gate.check(SPELLINGS, Scope(program, purpose))
        assert {decision.reason for decision in decisions} == {"suppressed"}
    for spelling in SPELLINGS:
        with pytest.raises(NotSentError, match="opted out"):
            services.outbox.send(draft(spelling, program=program))


def test_nothing_brings_an_erased_number_back(services: Services, person, database, phones):
    """Not an import, nor a form, nor a message: the number is not even stored again."""
    erased(services)

    services.suppressions.add(PERSON, "*", "imported", Evidence("import"))
    with pytest.raises(NotSentError):
        services.opt_ins.request(Join(PERSON, "default", "web", "form"))
    with pytest.raises(NotSentError):
        services.outbox.send(draft(PERSON))

    assert PERSON.encode() not in stored_bytes(database)
    [listed] = services.suppressions.of(phones.parse(PERSON))
    assert (listed.to, listed.reason) == (None, "erased")


def test_an_opt_out_outlives_the_erasure(services: Services, phones):
    """Who had opted out stays opted out since then, by their own act."""
    services.inbox.receive(text("STOP"))
    [before] = services.suppressions.of(phones.parse(PERSON))
    erased(services)

    [after] = services.suppressions.of(phones.parse(PERSON))
    assert (after.reason, after.since) == ("opt_out", before.since)


def test_a_number_never_seen_can_be_erased(services: Services, database):
    """It is silent from then on, and is stored nowhere."""
    certificate = erased(services)

    assert certificate.erased == {"ledger_entries": 1, "subscribers": 1}
    assert PERSON.encode() not in stored_bytes(database)
    with pytest.raises(NotSentError):
        services.outbox.send(draft(PERSON))


def test_start_from_the_handset_begins_afresh(services: Services, person):
    """The person alone comes back; what was erased does not."""
    erased(services)
    services.inbox.receive(text("START", PERSON, "SMz1"))

    assert services.outbox.send(draft(PERSON)).to == PERSON
    dossier = services.dossiers.export(PERSON)
    assert dossier["consent_records"] == dossier["requests"] == []
    assert [entry["act"] for entry in dossier["ledger"]] == ["opt_in"]


def test_a_text_delivered_again_brings_nobody_back(services: Services, person):
    """A START that the provider repeats after the erasure is an old one."""
    services.inbox.receive(text("START", PERSON, "SMs1"))
    erased(services)

    assert services.inbox.receive(text("START", PERSON, "SMs1")).repeated
    with pytest.raises(NotSentError):
        services.outbox.send(draft(PERSON))


def test_the_provider_is_asked_until_it_confirms(services: Services, person, provider, clock):
    """A refusal is tried again later; the state can be seen meanwhile."""
    provider.undeletable = ProviderError("not now", code=20009, status=409, permanent=False)
    certificate = erased(services)
    waiting = services.deletions.progress(certificate.id)
    assert (waiting.done, waiting.waiting) == (0, certificate.provider_copies)
    assert waiting.last_error == "not now"

    provider.undeletable = None
    services.deletions.run()
    assert provider.deleted == []  # not at once: its time has not come
    clock.advance(minutes=2)
    assert services.deletions.run().waiting == 0
    ours = {"SMa4567", "SMb4567", "SM00000000000000000000000000000001"}
    assert ours <= set(provider.deleted)
    assert not any(each.endswith("4321") for each in provider.deleted)


def test_what_the_provider_takes_meanwhile_goes_too(services: Services, provider):
    """A message that is at the provider's door during the erasure is deleted there afterwards."""
    provider.will_accept_then(lambda: erased(services))
    services.outbox.send(draft(PERSON))
    services.deletions.run()

    assert provider.deleted == ["SM00000000000000000000000000000001"]


def test_an_erasure_that_breaks_has_changed_nothing(services: Services, person, database, outage):
    """Whichever statement fails, all is as before; asked for again, it is done."""
    before = rows_of(database)
    for statement in range(2, 14):
        outage.begin(after=statement, statements=1)
        with pytest.raises(StorageUnavailableError):
            erased(services)
        outage.end()
        assert rows_of(database) == before

    erased(services)
    assert PERSON.encode() not in stored_bytes(database)


def test_the_certificate_says_what_and_not_whom(services: Services, person):
    """It counts what was erased, names what is kept and until when, and can be shown again."""
    certificate = erased(services)
    shown = str(certificate.as_json()) + certificate.as_text()

    assert certificate.erased["consents"] == 1
    assert all(word in shown for word in ("fingerprint", "until", "by letter"))
    assert PERSON[3:] not in shown
    assert person.fingerprint.hex() not in shown
    assert services.privacy.certificate(certificate.id) == certificate
    with pytest.raises(NotFoundError):
        services.privacy.certificate("another")


@pytest.mark.parametrize("wish", ["CANCELLAMI DATI", "Erase my data!", "borrar mis datos"])
def test_the_handset_asks_and_confirms(services: Services, person, database, wish):
    """Messages end at once, the data with the code; then nothing of the number is left."""
    reply = services.inbox.receive(text(wish, PERSON, "SMw1")).reply
    code = re.search(r"\d{6}", reply)[0]
    with pytest.raises(NotSentError):
        services.outbox.send(draft(PERSON))
    assert PERSON.encode() in stored_bytes(database)

    done = services.inbox.receive(text(code, PERSON, "SMw2"))
    again = services.inbox.receive(text(code, PERSON, "SMw2"))

    assert "START" in done.reply
    assert again.repeated
    assert again.reply == done.reply
    assert PERSON.encode() not in stored_bytes(database)
    assert code.encode() not in stored_bytes(database)


def test_only_the_code_in_time_erases(services: Services, person, database, clock):
    """Not a wrong code, nor a yes, nor the right one too late or after too many tries."""
    reply = services.inbox.receive(text("ERASE", PERSON, "SMe1")).reply
    code = re.search(r"\d{6}", reply)[0]
    wrong = f"{(int(code) + 1) % 10**6:06d}"
    for number, answer in enumerate([wrong, "si", *[wrong] * 3, code]):
        services.inbox.receive(text(answer, PERSON, f"SMf{number}"))
    assert PERSON.encode() in stored_bytes(database)

    late = services.inbox.receive(text("ERASE", PERSON, "SMe2")).reply
    clock.advance(minutes=11)
    services.inbox.receive(text(re.search(r"\d{6}", late)[0], PERSON, "SMg1"))
    assert PERSON.encode() in stored_bytes(database)


def test_the_person_behind_a_link_is_erased(services: Services, person, database):
    """The page knows a fingerprint alone; one that is nobody's is refused."""
    services.privacy.erase_known(person.fingerprint, "the person", "web")
    assert PERSON.encode() not in stored_bytes(database)
    with pytest.raises(NotFoundError):
        services.privacy.erase_known(b"x" * 32, "the person", "web")


def test_no_number_stays_with_who_asked(services: Services, database):
    """An operator who writes the number into the asker's name leaves it masked."""
    services.privacy.erase(PERSON, f"the owner of {PERSON}", "command line")

    with database.read() as connection:
        assert connection.execute(sa.select(Subscriber.number)).scalars().all() == [None]
        entry = connection.execute(sa.select(LedgerEntry).order_by(LedgerEntry.id.desc())).first()
        assert connection.execute(sa.select(InboundMessage.id)).all() == []
    assert PERSON[3:] not in str(entry.evidence)
    assert entry.program == ALL_PROGRAMS


def test_a_restored_backup_forgets_them_again(services: Services, person, database):
    """Who was erased after the backup is erased again, from the list."""
    erased(services)
    erased(services, OTHER)
    listed = list(services.erasure_list.lines())
    with database.write() as connection:  # the backup: one still known, the other not yet
        known = {"number": PERSON, "erased_at": None}
        mine = Subscriber.fingerprint == person.fingerprint
        connection.execute(sa.update(Subscriber).where(mine).values(known))

    done = services.erasure_list.reapply(listed, "command line")
    assert (done.erased, done.already, done.returned) == (1, 1, 0)
    assert PERSON.encode() not in stored_bytes(database)
    assert not any(PERSON in line or PERSON[3:] in line for line in listed)


def test_the_list_silences_who_the_backup_never_knew(services: Services, clock, phones):
    """Somebody seen and erased after the backup stays silent; a return is respected."""
    stranger, back = phones.parse(PERSON), phones.parse(OTHER)
    listed = [f"{each.fingerprint.hex()} {clock.now.isoformat()}" for each in (stranger, back)]
    clock.advance(hours=1)
    services.inbox.receive(text("START", OTHER, "SMback"))

    done = services.erasure_list.reapply(listed, "command line")
    assert (done.erased, done.returned) == (1, 1)
    with pytest.raises(NotSentError):
        services.outbox.send(draft(PERSON))
    assert services.outbox.send(draft(OTHER)).to == OTHER
    with pytest.raises(InvalidInputError, match="line 1"):
        services.erasure_list.reapply(["+39333"], "command line")


def test_what_was_looked_at_can_be_told(services: Services, person, clock):
    """Of any time: who took whose data, by which door; the number masked, gone once erased."""
    start = clock.now
    services.accesses.note("api", "key", "dossier", person.fingerprint)
    clock.advance(days=1)
    services.accesses.note("command line", "ada", "suppressions export", people=7)
    clock.advance(days=1)

    one, two = services.accesses.exposure(start)
    assert (one.who, one.number, two.people) == ("key", "+39•••••••567", 7)
    assert [each.what for each in services.accesses.exposure(start + timedelta(hours=1))] == [
        "suppressions export"
    ]
    erased(services)
    assert next(services.accesses.exposure(start)).number is None


def test_the_clocks_of_the_law_are_read(services: Services, person, provider, clock):
    """What waits is counted with its date; near it and past it, it says so."""
    provider.undeletable = ProviderError("no", status=500, permanent=False)
    erased(services)
    duties = {duty.name: duty for duty in services.duties.all()}
    copies = duties["copies that the provider must delete"]
    review = duties["texts held for review"]

    assert copies.count > 0
    assert copies.by == clock.now + timedelta(days=30)
    assert (review.count, review.by) == (1, clock.now + timedelta(hours=72))
    assert not copies.is_near(clock.now)
    assert review.is_near(clock.now + timedelta(hours=25))
    assert copies.is_late(clock.now + timedelta(days=30))
