"""The handset's code: who gets it, by which way, and that nothing else opens a person's data."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from app.core.errors import CodeRefusedError, NotSentError, TooManyRequestsError
from app.core.models import HandsetCode, RequestKind
from app.core.person_words import DATA
from app.gateway import Gateway
from tests.core.test_optin import NUMBER, Clock, Handset, code_in

HOME = "203.0.113.7"
_WRONG = "not a code"


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def gateway(settings, clock):
    with Gateway(settings, clock=clock) as gateway:
        yield gateway


@pytest.fixture
def person(gateway) -> bytes:
    """The fingerprint of who has a page."""
    gateway.services.preferences.link_of(NUMBER)
    return gateway.services.phones.parse(NUMBER).fingerprint


@pytest.fixture
def handset(gateway, person) -> Handset:
    return Handset(gateway, NUMBER)


def sent(gateway) -> list[str]:
    return [each.body for each in gateway.services.provider.conversation(NUMBER)]


def ask(gateway, person: bytes) -> str:
    gateway.services.handsets.text_code(person, HOME, "it")
    return code_in(sent(gateway)[-1])


def refused(gateway, person: bytes, code: str) -> str:
    with pytest.raises(CodeRefusedError) as caught:
        gateway.services.handsets.prove(person, code)
    return caught.value.reason


def stored(gateway) -> str:
    with gateway.services.database.read() as connection:
        tables = [HandsetCode.__table__, sa.table("outbound_messages", sa.column("body"))]
        tables.append(sa.table("inbound_messages", sa.column("reply")))
        return str([connection.execute(sa.select(table)).all() for table in tables])


def test_a_code_opens_once(gateway, person):
    """The code that was texted proves the handset, the first time and never again."""
    code = ask(gateway, person)

    gateway.services.handsets.prove(person, code)

    assert refused(gateway, person, code) == "expired"


def test_the_code_is_stored_nowhere(gateway, person, handset):
    """Neither the texted code nor the answered one stands in any table."""
    codes = [ask(gateway, person), code_in(handset.text("DATI"))]

    assert codes[0] != codes[1]
    assert not [code for code in codes if code in stored(gateway)]


def test_a_new_code_takes_the_place_of_the_last(gateway, person):
    """Of two that were sent only the later one is good."""
    first, second = ask(gateway, person), ask(gateway, person)

    assert refused(gateway, person, first) == "wrong_code"
    gateway.services.handsets.prove(person, second)


def test_a_code_is_good_for_its_minutes(gateway, person, clock):
    """Once its time has passed it opens nothing."""
    code = ask(gateway, person)
    clock.advance(seconds=gateway.services.policy.code_lifetime.total_seconds())

    assert refused(gateway, person, code) == "expired"


def test_guessing_ends_the_code_and_then_the_day(gateway, person, clock):
    """A few wrong tries spend a code, and twenty a day all of them: a link does not become one."""
    for _ in range(4):
        code = ask(gateway, person)
        faults = [refused(gateway, person, _WRONG) for _ in range(5)]
        assert faults == ["wrong_code"] * 4 + ["too_many_attempts"]
        clock.advance(hours=1)
    code = ask(gateway, person)

    with pytest.raises(TooManyRequestsError):
        gateway.services.handsets.prove(person, code)


def test_after_too_many_tries_the_right_code_is_refused_as_well(gateway, person):
    """Whoever has spent the tries can't use the code that was right."""
    code = ask(gateway, person)
    for _ in range(5):
        refused(gateway, person, _WRONG)

    assert refused(gateway, person, code) == "too_many_attempts"


def test_the_code_of_another_person_opens_nothing(gateway, person):
    """Each code is of one handset."""
    gateway.services.preferences.link_of("+393337654321")
    other = gateway.services.phones.parse("+393337654321").fingerprint
    code = ask(gateway, person)

    assert refused(gateway, other, code) == "expired"


def test_codes_to_one_number_and_from_one_address_are_few(gateway, person):
    """Whoever has somebody's link can't have them texted without end."""
    for _ in range(gateway.services.policy.code_sends):
        ask(gateway, person)

    with pytest.raises(TooManyRequestsError):
        gateway.services.handsets.text_code(person, HOME, "it")
    assert len(sent(gateway)) == gateway.services.policy.code_sends
    for n in range(10 - gateway.services.policy.code_sends - 1):
        number = f"+39333765430{n}"
        gateway.services.preferences.link_of(number)
        other = gateway.services.phones.parse(number).fingerprint
        gateway.services.handsets.text_code(other, HOME, "it")
    with pytest.raises(TooManyRequestsError):
        gateway.services.handsets.text_code(other, HOME, "it")


def test_a_suppressed_number_gets_no_code_unless_it_texts(gateway, person, handset):
    """After STOP the button sends nothing; DATI from the handset is answered, and opens."""
    handset.text("STOP")
    before = len(sent(gateway))

    assert not gateway.services.handsets.way(person).by_sms
    with pytest.raises(NotSentError):
        gateway.services.handsets.text_code(person, HOME, "it")
    assert len(sent(gateway)) == before
    gateway.services.handsets.prove(person, code_in(handset.text("DATI")))
    assert gateway.check([NUMBER])[0].reason == "suppressed"


@pytest.mark.parametrize("word", sorted(DATA))
def test_the_word_works_for_everybody_in_six_languages(gateway, handset, word):
    """Whoever texts it gets a code and the address of their page, in the word's language."""
    said = handset.text(f"{word.upper()}!")

    link = gateway.services.preferences.link_of(NUMBER)
    assert link in said
    assert code_in(said)
    with gateway.services.database.read() as connection:
        query = sa.text("SELECT language FROM subscribers")
        assert connection.execute(query).scalar() == DATA[word]


@pytest.mark.parametrize("text", ["i miei dati sono sbagliati", "send me data", "dati?? stop"])
def test_the_word_counts_only_alone(gateway, handset, text):
    """In a sentence it is no request for a code, and beside a STOP the STOP counts."""
    said = handset.text(text)

    assert "/u/" not in (said or "")


def test_who_can_not_get_a_code_waits_for_an_operator(gateway, person, clock):
    """The wish is on the register, once, with its month."""
    for _ in range(2):
        gateway.services.handsets.ask_operator(person, RequestKind.ACCESS)

    [request] = gateway.services.person_requests.waiting()
    assert (request.kind, request.door) == ("access", "web")
    [duty] = [each for each in gateway.services.duties.quick() if "access" in each.name]
    assert duty.by == request.asked_at + timedelta(days=30)


def test_unused_codes_go_after_a_day(gateway, person, clock):
    """Nothing stays of a code that nobody used."""
    ask(gateway, person)
    clock.advance(days=1, minutes=11)

    assert gateway.services.retention.prune()["codes to see one's data, deleted"] == 1


def test_an_erasure_takes_the_code(gateway, person):
    """Afterwards it opens nothing, and no row tells that it was asked for."""
    code = ask(gateway, person)
    gateway.services.privacy.erase(NUMBER, "the person", "web")

    assert refused(gateway, person, code) == "expired"
    with gateway.services.database.read() as connection:
        assert connection.execute(sa.select(HandsetCode)).first() is None
