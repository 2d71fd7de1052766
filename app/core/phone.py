"""Telephone numbers: one spelling inside, any spelling at the door, masked in every log."""

import hashlib
import hmac
import re
import unicodedata
from dataclasses import dataclass

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat

from app.core.errors import InvalidNumberError

# The longest spelling that is looked at: E.164 has 15 digits, the rest is decoration.
_MAX_SPELLING = 64
_SPELLING = re.compile(r"\(?\s*\+?[\d\s().\-/]+")
_URI_SCHEME = re.compile(r"\A(?:tel|sms):", re.IGNORECASE)
_DASHES = dict.fromkeys(map(ord, "‐‑‒–—―−"), "-")  # noqa: RUF001 - dashes that people paste
_LONG_DIGITS = re.compile(r"\+?\d[\d\s().\-]{4,}\d")


@dataclass(frozen=True, slots=True)
class Phone:
    """A number as the house knows it.

    `e164` is E.164 (`+393331234567`), or for an odd sender (a short code, an alphanumeric name)
    what the provider said. `fingerprint` is its keyed hash, 32 bytes: the key of every table, so
    that a suppression outlives the erasure of the number. `region` is the ISO country, if any.
    """

    e164: str
    fingerprint: bytes
    region: str | None = None

    def __str__(self) -> str:
        return mask(self.e164)

    def __repr__(self) -> str:
        return f"Phone({self})"


@dataclass(frozen=True, slots=True, repr=False)
class PhoneReader:
    """Reads numbers; knows how national ones are meant and the key of the fingerprints."""

    default_region: str
    fingerprint_key: str

    def parse(self, spelling: str) -> Phone:
        """Read a number strictly, in any spelling (`+39 333…`, `0039…`, national, `tel:`…).

        Raises InvalidNumberError for what is not exactly one valid number.
        """
        phone = self._valid(_plain(spelling))
        if phone is None:
            raise InvalidNumberError(
                "not a valid telephone number: give it in international form, such as +39…"
            )
        return phone

    def read_sender(self, spelling: str) -> Phone:
        """Read the sender of an inbound message: never fails.

        A STOP counts from whatever the provider calls the sender, so what is no valid number
        (a short code, a name, a range newer than the tables) stands for itself.
        """
        plain = _plain(spelling)
        phone = self._valid(plain) if plain.startswith("+") else None
        return phone or Phone(plain, self.fingerprint(plain))

    def fingerprint(self, canonical: str) -> bytes:
        """HMAC-SHA256 of a canonical number: 32 bytes."""
        key = self.fingerprint_key.encode()
        return hmac.digest(key, canonical.encode("utf-8", "replace"), hashlib.sha256)

    def _valid(self, plain: str) -> Phone | None:
        if len(plain) > _MAX_SPELLING or not _SPELLING.fullmatch(plain):
            return None
        try:
            number = phonenumbers.parse(plain, self.default_region)
        except NumberParseException:
            return None
        region = phonenumbers.region_code_for_number(number)
        # The same as is_valid_number, which would look for the region once more.
        if region is None or not phonenumbers.is_valid_number_for_region(number, region):
            return None
        e164 = phonenumbers.format_number(number, PhoneNumberFormat.E164)
        return Phone(e164, self.fingerprint(e164), region)


def _plain(spelling: str) -> str:
    """The spelling without width, invisible characters, URI scheme and odd dashes."""
    text = unicodedata.normalize("NFKC", spelling[: 4 * _MAX_SPELLING]).translate(_DASHES)
    visible = "".join(c for c in text if unicodedata.category(c) not in {"Cf", "Cc", "Cs"})
    plain = _URI_SCHEME.sub("", visible.strip()).strip()
    return "+" + plain[2:].lstrip() if plain.startswith("00") else plain


def mask(number: str) -> str:
    """Enough to recognise a number by, not enough to call it: `+39•••••••567`."""
    if len(number) <= 6:  # noqa: PLR2004 - a short code or name: nothing may show
        return "•" * len(number)
    return f"{number[:3]}{'•' * (len(number) - 6)}{number[-3:]}"


def mask_numbers(text: str) -> str:
    """Mask whatever in the text looks like a telephone number (errors of others, log lines)."""
    return _LONG_DIGITS.sub(lambda found: mask(found.group()), text)
