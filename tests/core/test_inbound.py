"""Texts that come in: what they do, and what is answered."""

import pytest
import sqlalchemy as sa

from app.core import consent
from app.core.consent import Evidence
from app.core.database import Database
from app.core.errors import InvalidInputError, Reason
from app.core.gate import Scope
from app.core.known import Silence
from app.core.models import (
    ALL_PROGRAMS,
    InboundMessage,
    LedgerEntry,
    Purpose,
    ReviewHold,
    Subscriber,
    Suppression,
)
from app.core.services import Services
from tests.fakes import FakeClock, FakeProvider, counted_statements
from tests.making import PERSON, held, text

MARKETING = Scope("default", Purpose.MARKETING)


class Handset:
    """A telephone: each text has an id of its own, unless one is given."""

    def __init__(self, services: Services, number: str = PERSON):
        self._services, self._number, self._count = services, number, 0

    def texts(self, body: str, **more):
        self._count += 1
        more = {"message_id": f"SM{self._number}{self._count}"} | more
        return self._services.inbox.receive(text(body, self._number, **more))

    @property
    def reason(self) -> str | None:
        return next(self._services.gate.check([self._number], MARKETING)).reason


@pytest.fixture
def handset(services: Services):
    return Handset(services)


@pytest.fixture
def acts(database: Database):
    """What the ledger says was done, in its order."""

    def read() -> list[str]:
        with database.read() as connection:
            query = sa.select(LedgerEntry.act).order_by(LedgerEntry.id)
            return list(connection.execute(query).scalars())

    return read


def count(database: Database, table: type) -> int:
    with database.read() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


def test_a_stop_silences_the_number_and_is_confirmed_once(handset: Handset):
    """A STOP from a number never seen suppresses it, and one confirmation is answered."""
    first, again = handset.texts("STOP"), handset.texts("STOP")

    assert "START" in first.reply
    assert again.reply is None
    assert again.silence is Silence.CONFIRMED_ALREADY
    assert handset.reason == Reason.SUPPRESSED


def test_a_stop_on_another_day_is_confirmed_again(handset: Handset, clock: FakeClock):
    """A day after the confirmation a person may have forgotten it: a STOP is confirmed anew."""
    handset.texts("STOP")
    clock.advance(hours=23, minutes=59)
    assert handset.texts("STOP").reply is None
    clock.advance(minutes=1)
    assert handset.texts("STOP").reply


def test_a_stop_after_start_is_confirmed(handset: Handset):
    """Who has come back meanwhile is told again: it is a new opt-out."""
    handset.texts("STOP")
    handset.texts("START")
    assert handset.texts("STOP").reply
    assert handset.reason == Reason.SUPPRESSED


def test_a_repeated_message_changes_nothing(handset: Handset, acts, database: Database):
    """The same provider message id gets the stored answer, whatever happened since."""
    first = handset.texts("STOP", message_id="SM1")
    handset.texts("START")
    done, stored = acts(), count(database, InboundMessage)

    again = handset.texts("STOP", message_id="SM1")

    assert (again.reply, again.silence, again.repeated) == (first.reply, first.silence, True)
    assert again.meaning.intent is first.meaning.intent
    assert (acts(), count(database, InboundMessage)) == (done, stored)
    assert handset.reason is None


def test_equal_ids_of_two_providers_are_two_messages(services: Services, handset: Handset):
    """A provider message id is unique only together with the provider's name."""
    handset.texts("INFO", message_id="SM1")
    other = text("STOP", message_id="SM1")
    other = type(other)("simulator", "SM1", PERSON, other.recipient, "STOP")
    assert not services.inbox.receive(other).repeated
    assert handset.reason == Reason.SUPPRESSED


def test_start_lifts_what_stop_did(handset: Handset, acts):
    """START from the handset lets messages through again, and the ledger says both."""
    handset.texts("STOP")
    assert "STOP" in handset.texts("START").reply
    assert handset.reason is None
    assert acts() == ["opt_out", "opt_in"]


def test_start_makes_nothing_out_of_nothing(handset: Handset, acts):
    """START from a number that is not suppressed says so, and leaves no trace in the ledger."""
    said = handset.texts("START")
    assert "STOP" in said.reply
    assert acts() == []


def test_start_lifts_every_suppression_of_the_number_and_of_no_other(
    services: Services, handset: Handset
):
    """The person lifts what operators and programs did too, but only for the number that texts."""
    evidence = Evidence("operator")
    for number in (PERSON, "+393331234568"):
        services.suppressions.add(number, ALL_PROGRAMS, "complaint", evidence)
        services.suppressions.add(number, "default", "complaint", evidence)
    handset.texts("START")
    checks = services.gate.check([PERSON, "+393331234568"], MARKETING)
    assert [check.reason for check in checks] == [None, Reason.SUPPRESSED]


def test_other_texts_change_nothing(handset: Handset, acts):
    """Any other text after a STOP is kept, and neither answered nor taken for consent."""
    handset.texts("STOP")
    for body in ("Grazie", "SI", "YES", "ok", "1234", "", "\0", "\ud800", "🙂", "x" * 1500):
        said = handset.texts(body)
        assert (said.reply, said.silence) == (None, Silence.NOTHING_TO_SAY)
    assert acts() == ["opt_out"]
    assert handset.reason == Reason.SUPPRESSED


def test_help_is_answered_even_to_the_suppressed(handset: Handset):
    """INFO says who texts and how to stop, in every state, and changes none."""
    handset.texts("STOP")
    assert "STOP" in handset.texts("INFO").reply
    assert handset.reason == Reason.SUPPRESSED


@pytest.mark.parametrize(
    "sender",
    [
        "36105",
        "Vodafone",
        "",
        "+",
        "+39",
        "+1 555",
        "\uff36\uff2f\uff24\uff21",
        "x" * 300,
        "a\0b",
        "\ud800",
    ],
)
def test_an_odd_sender_is_suppressed_like_any_other(
    services: Services, database: Database, sender: str
):
    """A STOP counts from whatever the provider calls the sender: short code, name or nonsense."""
    assert services.inbox.receive(text("STOP", sender)).reply
    assert services.inbox.receive(text("STOP", sender, "SM2")).reply is None
    assert count(database, Suppression) == 1


@pytest.mark.parametrize("message_id", ["SM\0", "SM\ud800", "S" * 65])
def test_an_id_that_cannot_be_stored_is_the_callers_fault(
    services: Services, database: Database, message_id: str
):
    """A provider message id that no column can hold is an error of ours, and nothing is half done.

    SQLite's columns hold some of them: then it counts.
    """
    try:
        answered = bool(services.inbox.receive(text("STOP", message_id=message_id)).reply)
    except InvalidInputError:
        answered = False
    assert count(database, Suppression) == int(answered)


# --- who answers, and in which language


@pytest.mark.parametrize(("body", "kind"), [("STOP", "STOP"), ("START", "START"), ("INFO", "HELP")])
def test_what_the_provider_answered_is_not_answered_again(handset: Handset, body: str, kind: str):
    """Where the provider replies itself, the act is recorded and the house stays silent."""
    said = handset.texts(body, opt_out_type=kind, answered_by_provider=True)
    assert (said.reply, said.silence) == (None, Silence.ANSWERED_BY_PROVIDER)
    assert (handset.reason == Reason.SUPPRESSED) is (body == "STOP")


def test_an_opt_out_that_the_provider_confirmed_is_not_confirmed_again(handset: Handset):
    """Twilio answered STOP; CANCELLA just after it gets no second confirmation."""
    handset.texts("STOP", opt_out_type="STOP", answered_by_provider=True)
    again = handset.texts("CANCELLA")
    assert (again.reply, again.silence) == (None, Silence.CONFIRMED_ALREADY)


def test_the_providers_stop_counts_whatever_the_words(handset: Handset, acts):
    """Twilio has blocked the number on a word of its own: the house blocks it too."""
    handset.texts("PARAR YA MISMO", opt_out_type="STOP", answered_by_provider=True)
    assert handset.reason == Reason.SUPPRESSED
    assert acts() == ["opt_out"]


def test_the_providers_start_lifts_nothing_by_itself(handset: Handset):
    """Twilio takes YES for an opt-in; here only the person's own START is one."""
    handset.texts("STOP")
    handset.texts("YES", opt_out_type="START", answered_by_provider=True)
    assert handset.reason == Reason.SUPPRESSED


@pytest.mark.parametrize(
    ("number", "before", "body", "language_of"),
    [
        (PERSON, None, "STOP", "riceverai"),  # the country's
        ("+447400123456", None, "STOP", "you have opted out"),
        ("+4915123456789", None, "STOP", "abgemeldet"),
        ("+8613812345678", None, "STOP", "riceverai"),  # the installation's
        ("+447400123456", None, "CANCELLA", "riceverai"),  # the words'
        ("+447400123456", "AIUTO", "STOP", "riceverai"),  # the words' of an earlier text
        ("36105", None, "BAJA", "baja"),
    ],
)
def test_the_answer_is_in_the_persons_language(
    services: Services, number: str, before: str | None, body: str, language_of: str
):
    """Words tell the language, else earlier words, the number's country, the settings."""
    handset = Handset(services, number)
    if before:
        handset.texts(before)
    assert language_of in handset.texts(body).reply


def test_two_machines_do_not_talk_for_ever(handset: Handset, clock: FakeClock):
    """After ten replies in an hour a number gets no more, but its acts count."""
    answered = [handset.texts("INFO").reply for _ in range(12)]
    assert [reply is not None for reply in answered] == [True] * 10 + [False] * 2
    silent = handset.texts("STOP")
    assert (silent.reply, silent.silence) == (None, Silence.TOO_MANY_REPLIES)
    assert handset.reason == Reason.SUPPRESSED
    clock.advance(hours=1)
    assert handset.texts("INFO").reply


def test_a_budget_is_one_numbers_own(services: Services, handset: Handset):
    """Who texts too much silences nobody else."""
    for _ in range(11):
        handset.texts("INFO")
    assert Handset(services, "+393331234568").texts("INFO").reply


# --- what is remembered


def test_the_evidence_says_what_was_texted_and_how_it_was_read(
    handset: Handset, database: Database, clock: FakeClock
):
    """An opt-out's entry holds text, time, door, message id, rule and the tables' version."""
    handset.texts("Cancella!", message_id="SM7")
    with database.read() as connection:
        entry = connection.execute(sa.select(LedgerEntry)).one()
    assert (entry.text, entry.at, entry.door) == ("Cancella!", clock.now, "twilio")
    assert entry.evidence["provider_message_id"] == "SM7"
    assert entry.evidence["rule"]
    assert entry.evidence["tables_version"]


def test_a_replay_does_not_bring_an_erased_number_back(
    services: Services, handset: Handset, database: Database
):
    """An erased number stays erased when an old text is delivered again; a new one names it."""
    handset.texts("CANCELLA", message_id="SM1")
    with database.write() as connection:
        connection.execute(sa.update(Subscriber).values(number=None, language=None))

    def known() -> tuple[str | None, str | None]:
        with database.read() as connection:
            return connection.execute(sa.select(Subscriber.number, Subscriber.language)).one()

    handset.texts("CANCELLA", message_id="SM1")
    assert known() == (None, None)
    assert handset.reason == Reason.SUPPRESSED
    handset.texts("Ciao")
    assert known() == (PERSON, None)


# --- STOP beats everything (law 7)


def _nothing(services: Services, phone) -> None:
    """The number was never seen."""


def _by_operator(services: Services, phone) -> None:
    services.suppressions.add(PERSON, ALL_PROGRAMS, "complaint", Evidence("operator"))


def _in_one_program(services: Services, phone) -> None:
    services.suppressions.add(PERSON, "default", "complaint", Evidence("operator"))


def _by_provider(services: Services, phone) -> None:
    _by_reason(services, phone, consent.PROVIDER_OPT_OUT)


def _by_person(services: Services, phone) -> None:
    services.inbox.receive(text("STOP", message_id="SM-before"))


def _came_back(services: Services, phone) -> None:
    services.inbox.receive(text("STOP", message_id="SM-before"))
    services.inbox.receive(text("START", message_id="SM-back"))


def _under_review(services: Services, phone) -> None:
    services.inbox.receive(text("boh", message_id="SM-before"))
    held(services, phone)


def _erased(services: Services, phone) -> None:
    services.inbox.receive(text("ciao", message_id="SM-before"))
    with services.database.write() as connection:
        connection.execute(sa.update(Subscriber).values(number=None, language=None))


def _machine_that_talks(services: Services, phone) -> None:
    for i in range(12):
        services.inbox.receive(text("INFO", message_id=f"SM-before{i}"))


def _by_reason(services: Services, phone, reason: str) -> None:
    services.suppressions.add(PERSON, ALL_PROGRAMS, reason, Evidence("provider"))


@pytest.mark.parametrize(
    "state",
    [
        _nothing,
        _by_operator,
        _in_one_program,
        _by_provider,
        _by_person,
        _came_back,
        _under_review,
        _erased,
        _machine_that_talks,
    ],
)
def test_a_stop_counts_in_any_state(services: Services, phones, database: Database, state):
    """Opting out is one step: after one STOP no program may text, and the person asked for it."""
    phone = phones.parse(PERSON)
    state(services, phone)

    services.inbox.receive(text("STOP", message_id="SM-stop"))

    with database.read() as connection:
        query = sa.select(Suppression.reason).where(
            Suppression.fingerprint == phone.fingerprint, Suppression.program == ALL_PROGRAMS
        )
        assert connection.execute(query).scalar_one() == consent.OPT_OUT
        waiting = sa.select(ReviewHold).where(ReviewHold.decided_at.is_(None))
        assert connection.execute(waiting).all() == []
    for purpose in Purpose:
        [decision] = services.gate.check([PERSON], Scope("default", purpose))
        assert decision.reason == Reason.SUPPRESSED


def test_start_ends_a_review_and_the_ledger_says_so(
    services: Services, handset: Handset, phones, acts
):
    """The person's START settles what was unclear; that a hold was dismissed is on record."""
    handset.texts("boh")
    held(services, phones.parse(PERSON))
    assert handset.reason == Reason.UNDER_REVIEW
    handset.texts("START")
    assert handset.reason is None
    assert acts() == ["hold", "hold_dismissed"]


# --- what it costs


@pytest.mark.parametrize(
    ("body", "most"), [("STOP", 6), ("START", 6), ("INFO", 3), ("Ciao", 5), ("CANCELLA", 7)]
)
def test_a_text_costs_few_statements(
    services: Services, database: Database, handset: Handset, body: str, most: int
):
    """The lock included: the webhook's time is mostly round trips to the database."""
    handset.texts("INFO")  # the number is known, its connection open
    with counted_statements(database.engine) as statements:
        handset.texts(body)
    assert len(statements) <= most, "\n".join(statements)


def test_a_repeated_text_costs_three_statements(
    database: Database, handset: Handset, provider: FakeProvider
):
    """The lock, one look, and the first answer."""
    handset.texts("STOP", message_id="SM1")
    with counted_statements(database.engine) as statements:
        handset.texts("STOP", message_id="SM1")
    assert len(statements) == 3
