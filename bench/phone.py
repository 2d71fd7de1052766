"""Reading a number that is in E.164 already, beside the library that reads any spelling."""

import random
import time
from collections.abc import Callable, Iterator
from statistics import median
from typing import Any

import phonenumbers
from phonenumbers import PhoneNumberFormat

from app.core.e164 import region_of
from app.core.phone import PhoneReader
from bench.settings import FINGERPRINT_KEY
from bench.table import Row, microseconds, times

_ROUNDS = 5
_NUMBERS = 2000  # in each round
_AIM = "≥ 10 × faster"  # noqa: RUF001 - the sign is meant
_COUNTRIES = (
    ("mobile numbers of Italy", "+393330000000"),
    ("mobile numbers of Germany", "+4915110000000"),
    ("numbers of Canada", "+14165550000"),
)


def measure() -> Iterator[Row]:
    """CPU time of one number, ours and the library's in turn."""
    reader = PhoneReader("IT", FINGERPRINT_KEY)
    for what, first in _COUNTRIES:
        base = int(first[1:])
        numbers = [f"+{base + random.randrange(10_000)}" for _ in range(_NUMBERS)]
        assert all(_library(number) == (number, region_of(number)) for number in numbers)
        yield _row(f"E.164, validity and region, {what}", numbers, region_of, _library, _AIM)
        yield _row(
            f"the same with the fingerprint, {what}",
            numbers,
            reader.parse,
            lambda number: reader.fingerprint(_library(number)[0]),
        )


def _row(
    what: str,
    numbers: list[str],
    ours: Callable[[str], Any],
    theirs: Callable[[str], Any],
    aim: str = "",
) -> Row:
    rounds = [(_cpu_seconds(ours, numbers), _cpu_seconds(theirs, numbers)) for _ in range(_ROUNDS)]
    mine, other = (median(column) for column in zip(*rounds, strict=True))
    beside = f"{microseconds(other)}, phonenumbers"
    faster = median(theirs / ours for ours, theirs in rounds)
    return Row(what, microseconds(mine), beside, f"{times(faster)} faster", aim)


def _cpu_seconds(read: Callable[[str], Any], numbers: list[str]) -> float:
    started = time.process_time()
    for number in numbers:
        read(number)
    return (time.process_time() - started) / len(numbers)


def _library(spelling: str) -> tuple[str, str | None]:
    number = phonenumbers.parse(spelling, "IT")
    phonenumbers.number_type(number)
    e164 = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    return e164, phonenumbers.region_code_for_number(number)
