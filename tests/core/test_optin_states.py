"""Every way through joining and leaving: docs/consent-states.md as a test."""

import re
from itertools import count
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.config import Settings
from app.core.consent import Evidence
from app.core.errors import CodeRefusedError, NotSentError
from app.core.models import ALL_PROGRAMS, LedgerEntry
from app.gateway import Gateway
from tests.core.test_optin import NUMBER, Clock, Handset, ask, code_in, sent_code
from tests.threads import together

DOCUMENT = Path(__file__).parents[2] / "docs" / "consent-states.md"
JOINED = "STOP per non riceverli più"  # what only the confirmation says


class Person(Handset):
    """A person somewhere on the way: with the code of the last request, and its id if by API."""

    code = "000000"
    request = ""

    def start(self) -> None:
        reply = self.text("START") or ""
        if found := re.search(r"\b\d{6}\b", reply):
            self.code = found[0]
            self.request = self.last_request()

    def last_request(self) -> str:
        return self.gateway.services.dossiers.export(self.number)["requests"][-1]["id"]

    def join(self) -> None:
        self.start()
        self.text(self.code)


def stranger(_: Person, __: Clock) -> None:
    """Nobody has ever asked for this number."""


def pending(person: Person, _: Clock) -> None:
    person.start()


def late(person: Person, clock: Clock) -> None:
    person.start()
    clock.advance(seconds=600)


def exhausted(person: Person, _: Clock) -> None:
    person.start()
    for _attempt in range(5):
        person.text(wrong(person))


def declined(person: Person, _: Clock) -> None:
    person.start()
    person.text("STOP")


def joined(person: Person, _: Clock) -> None:
    person.join()


def left(person: Person, _: Clock) -> None:
    person.join()
    person.text("STOP")


def lapsed(person: Person, clock: Clock) -> None:
    person.join()
    clock.advance(days=730)


def wrong(person: Person) -> str:
    return "111111" if person.code != "111111" else "222222"


def from_elsewhere(person: Person) -> None:
    """The person's code, but from another handset."""
    Handset(person.gateway, "+393339999999").text(person.code)


def by_api(person: Person) -> None:
    try:
        ask(person.gateway, person.number)
    except NotSentError:
        assert person.standing() == "suppressed"


def typed_in(person: Person) -> None:
    try:
        person.gateway.services.opt_ins.confirm(person.request, person.code)
    except CodeRefusedError:
        return


STATES = [stranger, pending, late, exhausted, declined, joined, left, lapsed]
EVENTS = {
    "STOP": lambda person: person.text("STOP"),
    "START": lambda person: person.start(),
    "right code": lambda person: person.text(person.code),
    "wrong code": lambda person: person.text(wrong(person)),
    "SI": lambda person: person.text("SI"),
    "code from another number": from_elsewhere,
    "asked by web or API": by_api,
    "code typed in": typed_in,
}


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def gateway(settings: Settings, clock: Clock):
    settings = settings.model_copy(update={"consent": "required"})
    with Gateway(settings, clock=clock) as gateway:
        yield gateway


@pytest.fixture
def person(gateway: Gateway):
    return Person(gateway)


def documented() -> dict[tuple[str, str], str]:
    """The table in the document: what the gate says after an event, by state and event."""
    rows = [
        [cell.strip(" `") for cell in line.strip("|\n").split("|")]
        for line in DOCUMENT.read_text("utf-8").splitlines()
        if line.startswith("|")
    ]
    start = next(place for place, row in enumerate(rows) if row[0] == "state")
    events = rows[start][2:]
    table = {}
    for state, _, *cells in rows[start + 2 : start + 2 + len(STATES)]:
        table |= {(state, event): cell for event, cell in zip(events, cells, strict=True)}
    return table


def test_every_transition_is_as_documented(gateway: Gateway, clock: Clock):
    """From every state, every event leads where the table says; forbidden ones change nothing."""
    numbers, found = count(3331000000), {}
    for state in STATES:
        for name, event in EVENTS.items():
            clock.advance(hours=1)
            person = Person(gateway, f"+39{next(numbers)}")
            state(person, clock)
            if name == "code typed in" and not person.request:
                found[state.__name__, name] = "—"  # nothing was asked, so there is no form
                continue
            event(person)
            found[state.__name__, name] = person.standing().replace("None", "allowed")

    assert found == documented()


def test_two_equal_codes_at_once_make_one_consent(gateway: Gateway):
    """Of two answers that arrive together one confirms, the other finds nothing to confirm."""
    person = Person(gateway)
    person.start()
    first, second = Handset(gateway), Handset(gateway)
    first.count, second.count = 100, 200

    replies = together(lambda: first.text(person.code), lambda: second.text(person.code))

    assert sum(JOINED in (reply or "") for reply in replies) == 1
    with gateway.services.database.read() as connection:
        consents = sa.select(sa.func.count()).where(LedgerEntry.act == "consent")
        assert connection.execute(consents).scalar_one() == 1


def test_a_code_from_the_handset_and_one_typed_in_at_once_make_one_consent(gateway: Gateway):
    """Both doors wait for the same lock."""
    pending = ask(gateway)
    code = sent_code(gateway)

    def type_in():
        try:
            gateway.services.opt_ins.confirm(pending.id, code)
        except CodeRefusedError:
            return ""
        return JOINED

    said = together(type_in, lambda: Handset(gateway).text(code) or "")

    assert sum(JOINED in each for each in said) == 1


def test_a_new_request_ends_the_old_one(person: Person):
    """The code of a superseded request is a wrong one."""
    person.start()
    old = person.code
    person.start()
    assert JOINED not in (person.text(old) or "")
    assert person.standing() == "unconfirmed"

    assert JOINED in person.text(person.code)


def test_start_and_then_yes_is_no_confirmation(gateway: Gateway, person: Person):
    """SI counts only where the program says so, and with two pending not even there."""
    gateway.services.programs.add("pizza", {"join_words": ["pizza"], "yes_confirms": True})
    gateway.services.programs.edit("default", {"yes_confirms": True})
    person.start()
    code_in(person.text("pizza"))

    person.text("SI")
    assert person.standing() == "unconfirmed"
    assert not gateway.check([NUMBER], program="pizza")[0].allowed

    person.text(person.code)
    assert JOINED in person.text("SI")
    assert gateway.check([NUMBER], program="pizza")[0].allowed


def test_a_late_yes_is_no_confirmation(gateway: Gateway, person: Person, clock: Clock):
    """A yes has the code's time and no more."""
    gateway.services.programs.edit("default", {"yes_confirms": True})
    late(person, clock)

    person.text("SI")

    assert person.standing() == "unconfirmed"


def test_stop_ends_what_is_pending_in_every_program(gateway: Gateway, person: Person):
    """One STOP, and no code of any program confirms any more."""
    gateway.services.programs.add("pizza", {"join_words": ["pizza"]})
    person.start()
    pizza = code_in(person.text("pizza"))

    person.text("STOP")

    for code in (person.code, pizza):
        person.text(code)
    assert person.standing() == "suppressed"
    assert not gateway.check([NUMBER], program="pizza")[0].allowed


def test_a_suppressed_number_joins_one_program_by_its_word_and_code(
    gateway: Gateway, person: Person
):
    """The word alone lifts nothing; the code does, for that program, and the others stay silent."""
    gateway.services.programs.add("pizza", {"join_words": ["pizza"]})
    person.text("STOP")
    code = code_in(person.text("pizza"))
    assert not gateway.check([NUMBER], program="pizza")[0].allowed

    person.text(code)

    assert gateway.check([NUMBER], program="pizza")[0].allowed
    assert person.standing() == "suppressed"


def test_without_double_opt_in_asking_is_joining(gateway: Gateway, person: Person):
    """START joins at once; a suppressed number can't be joined by API even so."""
    gateway.services.programs.edit("default", {"double_opt_in": False})
    person.text("START")
    assert person.standing() == "None"
    person.text("STOP")

    with pytest.raises(NotSentError):
        ask(gateway)
    assert person.standing() == "suppressed"


def test_a_code_typed_in_lifts_nothing(gateway: Gateway, person: Person):
    """What an operator suppressed meanwhile stays so: only the handset's own word lifts."""
    pending = ask(gateway)
    evidence = Evidence("command line", "a complaint")
    gateway.services.suppressions.add(NUMBER, ALL_PROGRAMS, "operator", evidence)

    gateway.services.opt_ins.confirm(pending.id, sent_code(gateway))

    assert person.standing() == "suppressed"
