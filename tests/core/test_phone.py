import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import InvalidNumberError
from app.core.phone import Phone, PhoneReader, mask, mask_numbers

ITALY = PhoneReader(default_region="IT", fingerprint_key="made up for tests")
ROME = "+393331234567"

SPELLINGS_OF_ROME = [
    "+393331234567",
    "+39 333 123 4567",
    "  +39 333 1234567\n",
    "0039 333 1234567",
    "00 39 333 1234567",
    "39 333 1234567",
    "3331234567",
    "333 123 4567",
    "333-123-4567",
    "333.123.4567",
    "333/1234567",
    "(333) 123 4567",
    "(+39) 333 123 4567",
    "+39–333–1234567",
    "tel:+39-333-123-4567",
    "TEL: +393331234567",
    "sms:+393331234567",
    "\uff0b\uff13\uff19\uff13\uff13\uff13\uff11\uff12\uff13\uff14\uff15\uff16\uff17",
    "\u0663\u0663\u0663\u0661\u0662\u0663\u0664\u0665\u0666\u0667",
    "\u207a393331234567",
    "\u202a+39\u00a0333\u2009123\u202f4567\u202c",
    "+39 333 1234567\u200b\ufeff",
    "+39333\u00ad1234567",
    "'+393331234567",
    "393331234567.0",
]

OTHERS = [
    ("+49 (0)171 1234567", "+491711234567", "DE"),
    ("+44 20 7946 0958", "+442079460958", "GB"),
    ("+1 (650) 253-0000", "+16502530000", "US"),
    ("06 6982", "+39066982", "VA"),
    ("+800 1234 5678", "+80012345678", "001"),
]

UNREADABLE = [
    "",
    " ",
    "+",
    "00",
    "STOP",
    "112",
    "40404",
    "+39112",
    "++393331234567",
    "+39+3331234567",
    "-+393331234567",
    "=+393331234567",
    "+393331234567,",
    "+39 (0)333 1234567",
    "0393331234567",
    "+3933312345670",
    "+3933312345",
    "+999 123456789",
    "3.331234567E9",
    "+39·333·1234567",
    "+393331234567 +393331234568",
    "+393331234567\n+393331234568",
    "3331234567;3331234568",
    "3331234567, 3331234568",
    "333 1234567/8",
    "+39 333 123 4567 ext 5",
    "tel:+393331234567;ext=3",
    "tel:3331234567;phone-context=+39",
    "whatsapp:+393331234567",
    "+393331234567' OR '1'='1",
    "+393331234567" + " " * 300 + "9",
    "3" * 10_000,
    "+" * 10_000,
    "\ud800+393331234567\ud800" * 9,
]

ODD_SENDERS = [
    "40404",
    "INFO",
    "My Company",
    "Caffé",
    "1234567",
    "whatsapp:+393331234567",
    "+999123",
]


@pytest.mark.parametrize("spelling", SPELLINGS_OF_ROME)
def test_every_spelling_is_one_number(spelling):
    """However a number is written, it is the same person: same E.164, same fingerprint."""
    phone = ITALY.parse(spelling)
    assert (phone.e164, phone.region) == (ROME, "IT")
    assert phone == ITALY.parse(ROME)


@pytest.mark.parametrize(("spelling", "e164", "region"), OTHERS)
def test_numbers_of_every_country_are_read(spelling, e164, region):
    """An international number is read whatever the default region is."""
    phone = ITALY.parse(spelling)
    assert (phone.e164, phone.region) == (e164, region)


@pytest.mark.parametrize("spelling", UNREADABLE)
def test_what_is_not_exactly_one_number_is_refused(spelling):
    """A doubtful spelling is refused, never guessed; and the refusal doesn't repeat it."""
    with pytest.raises(InvalidNumberError) as refused:
        ITALY.parse(spelling)
    assert not any(c.isdigit() for c in str(refused.value).replace("+39…", ""))


def test_national_numbers_are_read_by_the_default_region():
    """The same digits are another person in another country."""
    france = PhoneReader("FR", "made up for tests")
    assert france.parse("06 12 34 56 78").e164 == "+33612345678"
    assert ITALY.parse("06 12 34 56 78").e164 == "+390612345678"


@pytest.mark.parametrize("spelling", [*SPELLINGS_OF_ROME, ROME])
def test_a_sender_is_the_number_that_scripts_write_to(spelling):
    """A STOP from a number silences that number, however the provider spells it."""
    assert ITALY.read_sender(spelling) == ITALY.parse(ROME)


@pytest.mark.parametrize("sender", ODD_SENDERS)
def test_an_odd_sender_stands_for_itself(sender):
    """A short code, a name or an unknown range is a sender too, always the same one."""
    phone = ITALY.read_sender(sender)
    assert (phone.e164, phone.region) == (sender, None)
    assert phone == ITALY.read_sender(f" {sender}\u200b")
    assert len(phone.fingerprint) == 32


@given(st.text(max_size=200))
def test_reading_a_sender_never_fails(sender):
    """Whatever the provider calls a sender, its STOP can be stored."""
    phone = ITALY.read_sender(sender)
    assert len(phone.fingerprint) == 32
    assert not str(phone) or "•" in str(phone) or len(str(phone)) <= 2


@given(st.text(max_size=80) | st.from_regex(r"[+0-9 ().\-/]{0,30}"))
def test_parsing_gives_a_number_that_reads_as_itself_or_refuses(spelling):
    """There is no third way: a parsed number is in its one final form."""
    try:
        phone = ITALY.parse(spelling)
    except InvalidNumberError:
        return
    assert ITALY.parse(phone.e164) == phone
    assert ITALY.read_sender(phone.e164) == phone


def test_a_fingerprint_needs_the_key():
    """With another key the same number has another fingerprint: it can't be looked up in a list."""
    other = PhoneReader("IT", "another key, made up")
    assert other.parse(ROME).fingerprint != ITALY.parse(ROME).fingerprint
    assert len({ITALY.fingerprint(f"+39333000{n:04}") for n in range(1000)}) == 1000


@pytest.mark.parametrize(
    ("number", "masked"),
    [
        (ROME, "+39•••••••567"),
        ("+39066982", "•••••••82"),
        ("40404", "•••04"),
        ("INFO", "••FO"),
        ("", ""),
    ],
)
def test_a_mask_shows_too_little_to_call(number, masked):
    """Of a number no more than six characters show, of a short one two."""
    assert mask(number) == masked


def test_a_phone_never_shows_itself():
    """Formatting, printing or representing a number in any way gives the mask."""
    phone = ITALY.parse(ROME)
    shown = [str(phone), repr(phone), f"{phone}", f"{[phone]}", "%s" % phone]  # noqa: UP031
    assert not any("1234" in text for text in shown)
    assert "made up" not in repr(ITALY)
    assert isinstance(phone, Phone)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("to +39 333 123 4567: refused", "to +39••••••••••567: refused"),
        ("To=%2B393331234567&Body", "To=%2B393••••••567&Body"),
        ("333/1234567 is", "333•••••567 is"),
        ("error 21610 after 12345 ms", "error 21610 after 12345 ms"),
        ("SM01234567890123456789012345678901", "SM01234567890123456789012345678901"),
        ("0f" * 16, "0f" * 16),
        ("at: http://127.0.0.1:8000 (123456)", "at: http://127.0.0.1:8000 (123456)"),
        ("at: http://[::1]:8000 (123456)", "at: http://[::1]:8000 (123456)"),
        ("39.055.123.45.67", "39.••••••••••.67"),
    ],
)
def test_numbers_in_texts_are_masked_and_ids_are_not(text, masked):
    """A line of a log keeps the ids that one looks for, and no number."""
    assert mask_numbers(text) == masked


@given(st.text(alphabet="+0123456789 ().-/a\u0661", max_size=60))
def test_no_long_run_of_digits_survives_masking(text):
    """Eight digits in a row are enough for a call: none are left."""
    digits = 0
    for character in mask_numbers(text):
        digits = digits + 1 if character.isdigit() else 0
        assert digits < 8
