"""How many parts a text is sent, and paid, as. Source: 3GPP TS 23.038 (GSM 7-bit alphabet)."""

from dataclasses import dataclass
from math import ceil

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = frozenset("\f^{}\\[~]|€")  # each takes two places

_GSM7_SINGLE, _GSM7_PART = 160, 153
_UCS2_SINGLE, _UCS2_PART = 70, 67


@dataclass(frozen=True, slots=True)
class Segments:
    """`encoding` is GSM-7 or UCS-2, `units` its septets or 16-bit units, `count` the parts."""

    encoding: str
    units: int
    count: int


def count_segments(text: str) -> Segments:
    """Count as the networks do: one character outside the GSM alphabet makes it all UCS-2."""
    if all(c in _BASIC or c in _EXTENDED for c in text):
        units = len(text) + sum(c in _EXTENDED for c in text)
        return Segments("GSM-7", units, _parts(units, _GSM7_SINGLE, _GSM7_PART))
    units = len(text.encode("utf-16-be", "surrogatepass")) // 2
    return Segments("UCS-2", units, _parts(units, _UCS2_SINGLE, _UCS2_PART))


def _parts(units: int, single: int, part: int) -> int:
    return 1 if units <= single else ceil(units / part)
