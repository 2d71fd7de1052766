"""Telephone numbers: one spelling inside, any spelling at the door, masked in every log."""

import re
import unicodedata
from dataclasses import dataclass, field

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat, PhoneNumberType

from app.core.e164 import region_of
from app.core.errors import InvalidNumberError
from app.core.keys import FingerprintKeys

# The longest spelling that is looked at: E.164 has 15 digits, the rest is decoration.
_MAX_SPELLING = 64
_SPELLING = re.compile(r"\(?\s*\+?[\d\s().\-/]+")
_URI_SCHEME = re.compile(r"\A(?:tel|sms):", re.IGNORECASE)
_DASHES = dict.fromkeys(map(ord, "‐‑‒–—―−"), "-")  # noqa: RUF001 - dashes that people paste
# How spreadsheets write a number that they took for text ('39…) or for a fraction (39….0).
_SPREADSHEET = re.compile(r"\A'|(?<=\d{8})\.0\Z")
# Fewer digits without a country are a short code, not somebody's number.
_SHORTEST_NATIONAL = 8
_USUAL_LENGTH = 11  # of E.164 with its plus: hardly any number has less
# Ids of 32 hexadecimal digits and addresses with a port, which are not numbers and are looked for
# in logs; then numbers.
_LONG_DIGITS = re.compile(
    r"\b(?:[A-Z]{2})?[0-9a-f]{32}\b"
    r"|(?:\b\d{1,3}(?:\.\d{1,3}){3}|\]):\d{1,5}\b"
    r"|(\+?\d[\d\s().\-/]{4,}\d)"
)


@dataclass(frozen=True, slots=True)
class Phone:
    """A number as the house knows it.

    `e164` is E.164 (`+393331234567`), or for an odd sender (a short code, an alphanumeric name)
    what the provider said. `fingerprint` is its keyed hash, 32 bytes: the key of every table, so
    that a suppression outlives the erasure of the number. `region` is the ISO country, if any.
    `generation`: how many keys made the fingerprint; `former`: what it was before the last of them.
    """

    e164: str
    fingerprint: bytes
    region: str | None
    generation: int
    former: bytes | None

    def __str__(self) -> str:
        return mask(self.e164)

    def __repr__(self) -> str:
        return f"Phone({self})"


@dataclass(frozen=True, slots=True, repr=False)
class PhoneReader:
    """Reads numbers; knows how national ones are meant and the keys of the fingerprints."""

    default_region: str
    fingerprint_key: str
    former_keys: tuple[str, ...] = ()  # the oldest first
    _keys: FingerprintKeys = field(init=False)

    def __post_init__(self) -> None:
        keys = FingerprintKeys(self.fingerprint_key, self.former_keys)
        object.__setattr__(self, "_keys", keys)

    def parse(self, spelling: str) -> Phone:
        """Read a number strictly, in any spelling (`+39 333…`, `0039…`, national, `tel:`…).

        Raises InvalidNumberError for what is not exactly one valid number.
        """
        if phone := self._as_it_is(spelling):
            return phone
        is_bounded = len(spelling) <= _MAX_SPELLING
        number = self._valid(_plain(spelling)) if is_bounded else None
        if number is None:
            raise InvalidNumberError(
                "not a valid telephone number: give it in international form, such as +39…"
            )
        return self._phone(number)

    def read_sender(self, spelling: str) -> Phone:
        """Read the sender of an inbound message: never fails.

        A STOP counts from whatever the provider calls the sender, so what is no valid number
        (a short code, a name, a range newer than the tables) stands for itself.
        """
        if phone := self._as_it_is(spelling):
            return phone
        plain = _plain(spelling[:_MAX_SPELLING])
        is_short = len(plain) < _SHORTEST_NATIONAL
        number = None if is_short else self._valid(plain)
        if number is not None:
            return self._phone(number)
        return self._known_as(plain)

    def fingerprint(self, canonical: str) -> bytes:
        """HMAC-SHA256 of a canonical number: 32 bytes."""
        return self._keys.fingerprint(canonical)

    @property
    def generation(self) -> int:
        """How many keys make a fingerprint."""
        return self._keys.generation

    def advance(self, fingerprint: bytes, generation: int) -> bytes:
        """What a fingerprint that so many keys made is now."""
        return self._keys.advance(fingerprint, generation)

    def is_same(self, kept: bytes, fingerprint: bytes) -> bool:
        """Whether the kept fingerprint is this one, or was before the key last changed."""
        return fingerprint in {kept, self._keys.next_of(kept)}

    def _as_it_is(self, spelling: str) -> Phone | None:
        """What is in its final form already, without asking the library."""
        region = region_of(spelling)
        return self._known_as(spelling, region) if region else None

    def _valid(self, plain: str) -> phonenumbers.PhoneNumber | None:
        if not _SPELLING.fullmatch(plain):
            return None
        try:
            number = phonenumbers.parse(plain, self.default_region)
        except NumberParseException:
            return None
        kind = phonenumbers.number_type(number)
        # An Italian mobile number with a digit too many is a "valid" mailbox.
        unfit = {PhoneNumberType.UNKNOWN, PhoneNumberType.VOICEMAIL}
        return None if kind in unfit else number

    def _phone(self, number: phonenumbers.PhoneNumber) -> Phone:
        e164 = phonenumbers.format_number(number, PhoneNumberFormat.E164)
        region = phonenumbers.region_code_for_number(number)
        return self._known_as(e164, region)

    def _known_as(self, canonical: str, region: str | None = None) -> Phone:
        former, fingerprint = self._keys.both(canonical)
        return Phone(canonical, fingerprint, region, self._keys.generation, former)


def _plain(spelling: str) -> str:
    """The spelling without width, invisible characters, URI scheme and odd dashes."""
    text = unicodedata.normalize("NFKC", spelling).translate(_DASHES)
    visible = "".join(c for c in text if unicodedata.category(c) not in {"Cf", "Cc", "Cs"})
    plain = _SPREADSHEET.sub("", _URI_SCHEME.sub("", visible.strip()).strip())
    return "+" + plain[2:].lstrip() if plain.startswith("00") else plain


def mask(number: str) -> str:
    """Enough to recognise a number by, not enough to call it: `+39•••••••567`."""
    if len(number) < _USUAL_LENGTH:  # two digits of a short number are plenty
        return "•" * (len(number) - 2) + number[-2:]
    return f"{number[:3]}{'•' * (len(number) - 6)}{number[-3:]}"


def mask_numbers(text: str) -> str:
    """Mask whatever in the text looks like a telephone number (errors of others, log lines)."""
    return _LONG_DIGITS.sub(_mask_if_number, text)


def _mask_if_number(found: re.Match[str]) -> str:
    digits = sum(character.isdigit() for character in found[1] or "")
    return mask(found[1]) if digits >= _SHORTEST_NATIONAL - 1 else found[0]
