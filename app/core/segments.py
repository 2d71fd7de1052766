"""How many parts a text is sent, and paid, as.

Sources: 3GPP TS 23.038 (the GSM 7-bit alphabet), TS 23.040 9.2.3.24.1 (a character is never split
between two parts).
"""

from collections.abc import Sequence
from dataclasses import dataclass

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = frozenset("\f^{}\\[~]|€")  # each takes two places

_GSM7_SINGLE, _GSM7_PART = 160, 153
_LAST_OF_ONE_UNIT = 0xFFFF  # what comes after it is a surrogate pair
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
        widths = [1 + (c in _EXTENDED) for c in text]
        return Segments("GSM-7", sum(widths), _parts(widths, _GSM7_SINGLE, _GSM7_PART))
    widths = [1 + (ord(c) > _LAST_OF_ONE_UNIT) for c in text]
    return Segments("UCS-2", sum(widths), _parts(widths, _UCS2_SINGLE, _UCS2_PART))


def _parts(widths: Sequence[int], single: int, part: int) -> int:
    if sum(widths) <= single:
        return 1
    parts, free = 1, part
    for width in widths:
        if width > free:
            parts, free = parts + 1, part
        free -= width
    return parts
