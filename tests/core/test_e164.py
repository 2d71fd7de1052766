"""Numbers in E.164 are read without the library: its answer, to the letter, and to none other."""

import random
from itertools import product

import phonenumbers
import pytest
from phonenumbers import (
    COUNTRY_CODE_TO_REGION_CODE,
    NumberParseException,
    PhoneNumberFormat,
    PhoneNumberType,
)
from phonenumbers.phonemetadata import PhoneMetadata, PhoneNumberDesc

from app.core import e164
from app.core.e164 import region_of
from app.core.phone import PhoneReader

ITALY = PhoneReader(default_region="IT", fingerprint_key="made up for tests")
CODES = sorted(COUNTRY_CODE_TO_REGION_CODE)
RANDOM_ONES = 150  # for each calling code; with 5000 there are more than a million


def answer_of_the_library(number):
    """E.164 and region of a number that is fit for a message; None for any other."""
    try:
        parsed = phonenumbers.parse(number, "IT")
    except NumberParseException:
        return None
    if phonenumbers.number_type(parsed) in {PhoneNumberType.UNKNOWN, PhoneNumberType.VOICEMAIL}:
        return None
    spelling = phonenumbers.format_number(parsed, PhoneNumberFormat.E164)
    return spelling, phonenumbers.region_code_for_number(parsed)


def wrong_answers(numbers):
    """Where we say something and the library says something else."""
    ours = ((number, region_of(number)) for number in numbers)
    said = [(number, region) for number, region in ours if region is not None]
    return [each for each in said if answer_of_the_library(each[0]) != each]


def examples():
    """The library's own examples, of every region and kind."""
    for code, regions in COUNTRY_CODE_TO_REGION_CODE.items():
        for region in regions:
            yield from examples_of(code, region)


def examples_of(code, region):
    if region == "001":
        found = [phonenumbers.example_number_for_non_geo_entity(code)]
    else:
        kinds = PhoneNumberType.values()
        found = [phonenumbers.example_number_for_type(region, kind) for kind in kinds]
    for number in filter(None, found):
        yield phonenumbers.format_number(number, PhoneNumberFormat.E164)


def neighbours(number, chance):
    """A digit more, a digit less, another digit at each place."""
    yield number[:-1]
    yield number + chance.choice("0123456789")
    for place in range(1, len(number)):
        yield number[:place] + chance.choice("0123456789") + number[place + 1 :]


def random_ones(code, chance):
    """Half of them of any digits, half of a likely beginning."""
    examples = [each for region in COUNTRY_CODE_TO_REGION_CODE[code]
                for each in examples_of(code, region)]  # fmt: skip
    for _ in range(RANDOM_ONES // 2):
        yield f"+{code}" + "".join(chance.choices("0123456789", k=chance.randint(4, 13)))
        likely = chance.choice(examples)
        kept = chance.randint(1 + len(str(code)), len(likely))
        rest = len(likely) - kept + chance.choice((-1, 0, 0, 0, 1))
        yield likely[:kept] + "".join(chance.choices("0123456789", k=max(rest, 0)))


def test_the_examples_of_every_region_and_kind_are_read_as_by_the_library():
    """All that is valid is known for itself, but for a handful too short to be anybody's phone."""
    numbers = sorted(set(examples()))
    valid = [number for number in numbers if answer_of_the_library(number)]
    assert len(valid) > 900
    assert wrong_answers(numbers) == []
    assert [number for number in valid if not region_of(number)] == ["+989601"]


def test_neighbours_of_the_examples_are_read_as_by_the_library():
    """At the edges of the ranges: one digit more, one less, one changed."""
    chance = random.Random(1)  # noqa: S311
    assert (
        wrong_answers(n for each in sorted(set(examples())) for n in neighbours(each, chance)) == []
    )


def test_random_numbers_of_every_calling_code_are_read_as_by_the_library():
    """Ranges and lengths that no example has; most of the valid ones are known for themselves."""
    chance = random.Random(2)  # noqa: S311
    numbers = [number for code in CODES for number in random_ones(code, chance)]
    assert wrong_answers(numbers) == []
    valid = sum(answer_of_the_library(number) is not None for number in numbers)
    assert sum(region_of(number) is not None for number in numbers) > 0.97 * valid > 1000


@pytest.mark.parametrize(
    "spelling",
    [
        "393331234567",
        "+39 3331234567",
        "+393331234567\n",
        "+39333123456７",
        "+3933312345670",
        "+999123456789",
        "+0393331234567",
        "+39",
        "+",
        "",
        "+5403431512345678",
    ],
)
def test_what_is_not_surely_a_number_in_e164_is_left_to_the_library(spelling):
    """Another spelling, a mailbox, an unknown country, a prefix that must go: no guess is made."""
    assert region_of(spelling) is None


def test_a_reader_gives_the_same_phone_with_and_without_it(monkeypatch):
    """Number, fingerprint and region, whichever way a number is read."""
    numbers = [number for number in sorted(set(examples())) if region_of(number)]
    read = [(ITALY.parse(number), ITALY.read_sender(number)) for number in numbers]
    monkeypatch.setattr("app.core.phone.region_of", lambda _: None)
    assert [(ITALY.parse(number), ITALY.read_sender(number)) for number in numbers] == read


# Countries of which every rule is awkward; real ones have some of it each. Digits are 0, 1 and 8.
KIND = PhoneNumberDesc
AWKWARD = [
    {  # mobile numbers that are mailboxes too, and what begins like another region's
        "XA": {
            "mobile": KIND("1\\d{3,5}", possible_length=(4, 5)),
            "voicemail": KIND("11\\d{2,3}"),
        },
        "XB": {"leading_digits": "18", "fixed_line": KIND("188\\d*")},
        "XC": {"fixed_line": KIND("1\\d{5}"), "pager": KIND("8\\d{3}")},
    },
    {  # what looks like a prefix, and may be one
        "XA": {"fixed_line": KIND("0?[18]\\d{3}"), "national_prefix_for_parsing": "0|800"},
    },
    {  # a prefix that is rewritten, and may be nothing
        "XA": {
            "fixed_line": KIND("\\d{4,6}"),
            "national_prefix_for_parsing": "0?(?:(1)8)?",
            "national_prefix_transform_rule": "8\\1",
        },
    },
    {  # one pattern of other lengths, and a kind that comes before the mailbox
        "XA": {
            "fixed_line": KIND("0\\d+", possible_length=(4,)),
            "mobile": KIND("0\\d+", possible_length=(5,)),
            "voicemail": KIND("8\\d+"),
            "voip": KIND("81\\d+", possible_length=(-1, 6)),
        },
        "XB": {"mobile": KIND("8\\d+", possible_length=(4, 6))},
    },
]


@pytest.mark.parametrize("country", AWKWARD)
def test_an_awkward_country_is_read_as_by_the_library(country, monkeypatch):
    """Rules that no country has in this form today, or hardly any number meets."""
    monkeypatch.setitem(COUNTRY_CODE_TO_REGION_CODE, 999, tuple(country))
    for region, rules in country.items():
        general = KIND("\\d{4,6}", possible_length=(4, 5, 6))
        table = PhoneMetadata(region, general, country_code=999, register=False, **rules)
        monkeypatch.setitem(PhoneMetadata._region_metadata, region, table)
    plan = e164._plan_of.__wrapped__(999)
    monkeypatch.setattr(e164, "_plan_at", lambda _: plan)
    numbers = ["+999" + "".join(each) for n in (4, 5, 6) for each in product("018", repeat=n)]
    assert wrong_answers(numbers) == []
    assert any(region_of(number) for number in numbers)


def test_patterns_with_groups_of_their_own_are_left_to_the_library(monkeypatch):
    """Were the library's tables one day written otherwise, it would be asked as before."""
    monkeypatch.setattr(e164, "_whole", lambda _: "(3)[0-9]{9}")
    assert e164._plan_of.__wrapped__(39) is None
