"""Double opt-in: a request, a code, the code's way back; what makes a consent, and what never."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from app.config import Settings
from app.core.errors import (
    CodeFault,
    CodeRefusedError,
    NotAllowedHereError,
    NotSentError,
    TooManyRequestsError,
)
from app.core.optin import Join
from app.core.provider import InboundMessage
from app.gateway import Gateway

NUMBER = "+393331234567"


class Clock:
    def __init__(self):
        self.now = datetime(2026, 1, 1, 12, tzinfo=UTC)

    def __call__(self):
        return self.now

    def advance(self, **delta):
        self.now += timedelta(**delta)


class Handset:
    """A person with a telephone: texts the gateway, and remembers the last code it got."""

    def __init__(self, gateway: Gateway, number: str = NUMBER):
        self.gateway, self.number, self.count = gateway, number, 0

    def text(self, body: str) -> str | None:
        self.count += 1
        message = InboundMessage(
            "twilio", f"SM{self.number}{self.count}", self.number, "+393399957505", body
        )
        return self.gateway.services.inbox.receive(message).reply

    def standing(self) -> str:
        return str(self.gateway.check([self.number])[0].reason)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def gateway(settings: Settings, clock: Clock):
    settings = settings.model_copy(update={"consent": "required"})
    with Gateway(settings, clock=clock) as gateway:
        yield gateway


@pytest.fixture
def handset(gateway: Gateway):
    return Handset(gateway)


def code_in(reply: str | None) -> str:
    return re.search(r"\b\d{6}\b", reply)[0]


def ask(gateway: Gateway, number: str = NUMBER, **changes):
    join = {"to": number, "program": "default", "door": "api", "source": "shop", **changes}
    return gateway.services.opt_ins.request(Join(**join))


def sent_code(gateway: Gateway, number: str = NUMBER) -> str:
    return code_in(gateway.services.provider.conversation(number)[-1].body)


def test_marketing_needs_a_consent(handset: Handset):
    """A number that never asked gets no marketing."""
    assert handset.standing() == "no_consent"


def test_the_code_from_the_handset_makes_the_consent(gateway: Gateway, handset: Handset):
    """START leads to a code, and the code's way back to a consent; before it there is none."""
    code = code_in(handset.text("START"))

    assert handset.standing() == "unconfirmed"
    assert handset.text("000000" if code != "000000" else "111111").count("codice")
    assert handset.standing() == "unconfirmed"
    assert "STOP" in handset.text(code)
    assert handset.standing() == "None"


def test_the_code_typed_into_the_form_makes_the_consent(gateway: Gateway, handset: Handset):
    """A request by API sends a code to the number; who types it in has joined."""
    pending = ask(gateway)

    gateway.services.opt_ins.confirm(pending.id, sent_code(gateway))

    assert handset.standing() == "None"


def test_a_code_is_used_once(gateway: Gateway):
    """The second answer with the same code finds nothing to confirm."""
    pending = ask(gateway)
    code = sent_code(gateway)
    gateway.services.opt_ins.confirm(pending.id, code)

    with pytest.raises(CodeRefusedError) as refused:
        gateway.services.opt_ins.confirm(pending.id, code)

    assert refused.value.reason is CodeFault.EXPIRED


def test_wrong_codes_come_to_an_end(gateway: Gateway, handset: Handset):
    """After the last allowed attempt even the right code does not confirm."""
    pending = ask(gateway)
    code = sent_code(gateway)
    faults = []
    for _ in range(5):
        with pytest.raises(CodeRefusedError) as refused:
            gateway.services.opt_ins.confirm(pending.id, "12")
        faults.append(refused.value.reason)

    with pytest.raises(CodeRefusedError) as refused:
        gateway.services.opt_ins.confirm(pending.id, code)

    assert faults[0] is CodeFault.WRONG_CODE
    assert refused.value.reason is CodeFault.TOO_MANY_ATTEMPTS
    assert handset.standing() == "no_consent"


def test_a_code_expires(gateway: Gateway, handset: Handset, clock: Clock):
    """A code that comes back too late confirms nothing, by form or by handset."""
    pending = ask(gateway)
    code = sent_code(gateway)
    clock.advance(seconds=600)

    with pytest.raises(CodeRefusedError) as refused:
        gateway.services.opt_ins.confirm(pending.id, code)

    assert refused.value.reason is CodeFault.EXPIRED
    assert "START" in handset.text(code) or "ISCRIVIMI" in handset.text(code)
    assert handset.standing() == "unconfirmed"


def test_stop_ends_what_is_pending(gateway: Gateway, handset: Handset):
    """STOP while a request is pending: its code does not confirm any more."""
    code = code_in(handset.text("START"))
    handset.text("STOP")

    assert handset.text(code) is None
    assert handset.standing() == "suppressed"


def test_a_suppressed_number_comes_back_only_from_the_handset(gateway: Gateway, handset: Handset):
    """The web sends nothing to a suppressed number; START and a code from the handset lift."""
    handset.text("STOP")

    with pytest.raises(NotSentError):
        ask(gateway)
    handset.text(code_in(handset.text("START")))

    assert handset.standing() == "None"


def test_start_restores_what_stop_withdrew(gateway: Gateway, handset: Handset, clock: Clock):
    """Who had joined, said STOP, then START, is back without a code; an expired consent is not."""
    handset.text(code_in(handset.text("START")))
    handset.text("STOP")

    assert "START" not in handset.text("START")
    assert handset.standing() == "None"

    handset.text("STOP")
    clock.advance(days=731)
    code_in(handset.text("START"))
    assert handset.standing() == "unconfirmed"


def test_a_code_of_another_number_confirms_nothing(gateway: Gateway, handset: Handset):
    """A code counts only from the handset that it was sent to."""
    other = Handset(gateway, "+393337654321")
    code = code_in(handset.text("START"))
    code_in(other.text("START"))

    other.text(code)

    assert other.standing() == "unconfirmed"


def test_yes_confirms_only_where_the_program_allows_it(gateway: Gateway, handset: Handset):
    """A bare SI joins nobody unless the program says so and one request is pending."""
    handset.text("START")
    handset.text("SI")
    assert handset.standing() == "unconfirmed"

    gateway.services.programs.edit("default", {"yes_confirms": True})
    handset.text("SI")
    assert handset.standing() == "None"


def test_a_consent_expires(gateway: Gateway, handset: Handset, clock: Clock):
    """After the retention period the consent counts no more, that minute."""
    handset.text(code_in(handset.text("START")))

    clock.advance(days=730)

    assert handset.standing() == "consent_expired"


def test_the_code_is_nowhere_in_the_database(gateway: Gateway, handset: Handset, settings):
    """Neither the request nor the stored messages hold the code, and a repeat still answers it."""
    message = InboundMessage("twilio", "SM1", NUMBER, "+393399957505", "START")
    code = code_in(gateway.services.inbox.receive(message).reply)

    assert code_in(gateway.services.inbox.receive(message).reply) == code
    with gateway.services.database.read() as connection:
        for table in ("inbound_messages", "opt_in_requests", "ledger_entries"):
            rows = connection.exec_driver_sql(f"SELECT * FROM {table}").all()  # noqa: S608
            assert code not in str(rows)


def test_codes_are_bounded(gateway: Gateway):
    """No number gets more codes in an hour than are allowed, and none abroad gets any."""
    for _ in range(5):
        ask(gateway)
    with pytest.raises(TooManyRequestsError):
        ask(gateway)
    with pytest.raises(NotAllowedHereError):
        ask(gateway, "+33612345678")


def test_a_join_word_joins_its_program(gateway: Gateway, handset: Handset):
    """A program's own word leads to its code, and the consent is to that program alone."""
    gateway.services.programs.add("pizza", {"join_words": ["PIZZA!"], "brand": "Da Gino"})

    reply = handset.text("pizza")
    assert reply.startswith("Da Gino")
    handset.text(code_in(reply))

    assert handset.standing() == "no_consent"
    assert gateway.check([NUMBER], program="pizza")[0].allowed


def test_stop_with_a_programs_word_ends_that_one(gateway: Gateway, handset: Handset):
    """STOP PIZZA ends one program and says how to end all; STOP ends all."""
    gateway.services.programs.add("pizza", {"join_words": ["pizza"]})
    handset.text(code_in(handset.text("START")))
    handset.text(code_in(handset.text("pizza")))

    assert "STOP" in handset.text("STOP PIZZA")
    assert handset.standing() == "None"
    assert not gateway.check([NUMBER], program="pizza")[0].allowed
    handset.text("STOP")
    assert handset.standing() == "suppressed"


def test_why_tells_since_when_and_by_which_door(gateway: Gateway, handset: Handset):
    """PERCHE is answered with the date, the door and the end of the consent."""
    assert "non è iscritto" in handset.text("PERCHE")
    handset.text(code_in(handset.text("START")))

    reply = handset.text("perché?")

    assert "01/01/2026" in reply
    assert "SMS" in reply
    assert "01/01/2028" in reply or "31/12/2027" in reply
