"""Numbers that are in E.164 already: the library's answer, from its own tables, many times faster.

The library reads any spelling in several passes, compares with the patterns of each kind of
number, and formats the result. Of a number in its final form only one thing is to be known: that
the library would leave it as it is, and in which region. For each country calling code its tables
become one regular expression, at the first number that has it; so it follows the library when that
is brought up to date. Whatever is not surely valid is left to the library.

What is said of the library is its phonenumberutil.py: parse, region_code_for_number, number_type.
"""

import re
from dataclasses import dataclass
from functools import cache

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE
from phonenumbers.phonemetadata import PhoneMetadata, PhoneNumberDesc

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_CODE_DIGITS = 3  # of a country calling code, at most
_NEVER = "(?!)"
# The kinds that the library tries before it takes a number for a mailbox; the others after.
_BEFORE_VOICEMAIL = ("premium_rate", "toll_free", "shared_cost", "voip", "personal_number", "pager",
                     "uan")  # fmt: skip


def region_of(number: str) -> str | None:
    """The region (ISO, or 001 for none) of a valid number in E.164.

    None for what is not surely one: the library must be asked.
    """
    if not _E164.fullmatch(number):
        return None
    plan = _plan_at(number[1 : 1 + _CODE_DIGITS])
    return plan.region_of(number) if plan else None


@dataclass(frozen=True, slots=True)
class _Plan:
    """The numbers of a country calling code.

    `start`: where the national number begins. `regions` share the code; `valid` matches numbers
    that a message can be sent to, with a group for each region. `prefix` (as 0 in Germany) the
    library takes off where what remains is `possible`.
    """

    start: int
    regions: tuple[str, ...]
    valid: re.Pattern[str]
    prefix: re.Pattern[str] | None
    possible: re.Pattern[str]

    def region_of(self, number: str) -> str | None:
        found = self.valid.match(number, self.start)
        if found is None or found.lastindex is None or not self._stays(number):
            return None
        return self.regions[found.lastindex - 1]

    def _stays(self, number: str) -> bool:
        """Whether the library surely takes no prefix off, nor rewrites anything."""
        found = self.prefix.match(number, self.start) if self.prefix else None
        if found is None:
            return True
        if found.lastindex is not None:  # a part of the prefix is put back in another place
            return False
        if found.end() == self.start:
            return True
        whole, rest = (self.possible.fullmatch(number, at) for at in (self.start, found.end()))
        return whole is not None and rest is None


@cache
def _plan_at(digits: str) -> _Plan | None:
    """The plan of the calling code that these first digits begin with."""
    codes = (int(digits[: length + 1]) for length in range(len(digits)))
    code = next((code for code in codes if code in COUNTRY_CODE_TO_REGION_CODE), None)
    return _plan_of(code) if code else None


@cache
def _plan_of(code: int) -> _Plan | None:
    """None where the tables hold what can't be put together here."""
    regions = COUNTRY_CODE_TO_REGION_CODE[code]
    found = [PhoneMetadata.metadata_for_region_or_calling_code(code, each) for each in regions]
    tables = [table for table in found if table is not None]
    general = tables[0].general_desc if tables else None
    valid = re.compile("|".join(map(_numbers, tables)))
    if general is None or not general.national_number_pattern or valid.groups != len(regions):
        return None  # with groups of their own, the patterns can't stand beside each other
    prefix = tables[0].national_prefix_for_parsing
    return _Plan(
        start=1 + len(str(code)),
        regions=regions,
        valid=valid,
        prefix=re.compile(prefix) if prefix else None,
        possible=re.compile(general.national_number_pattern),
    )


def _numbers(table: PhoneMetadata) -> str:
    """A region's valid numbers as a group; then, with no group, its others: no other region's.

    The library knows a region's numbers by how they begin, or else because they are of any kind.
    A mobile or fixed number is valid unless it is a mailbox as well.
    """
    general, mailbox = _whole(table.general_desc), _whole(table.voicemail)
    valid = f"(?={general})(?:(?!{mailbox}){_late(table)}|{_early(table)})"
    if table.leading_digits is None:
        return f"({valid})|(?={general}){mailbox}"
    begins = f"(?:{table.leading_digits})"
    return f"((?={begins}){valid})|{begins}"


def _early(table: PhoneMetadata) -> str:
    return _any(*(_whole(getattr(table, kind)) for kind in _BEFORE_VOICEMAIL))


def _late(table: PhoneMetadata) -> str:
    fixed = _whole(table.fixed_line)
    alike = table.same_mobile_and_fixed_line_pattern  # then the library looks at the fixed only
    return fixed if alike else _any(_whole(table.mobile), fixed)


def _whole(kind: PhoneNumberDesc | None) -> str:
    """A whole national number of this kind."""
    if kind is None or not kind.national_number_pattern:
        return _NEVER
    lengths = [f".{{{length}}}" for length in kind.possible_length if length > 0]
    length = _any(*lengths) if kind.possible_length else ".*"
    return rf"(?:(?={length}\Z)(?:{kind.national_number_pattern})\Z)"


def _any(*expressions: str) -> str:
    return f"(?:{'|'.join(each for each in expressions if each != _NEVER) or _NEVER})"
