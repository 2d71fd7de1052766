"""How many parts a text is paid as. Sources: 3GPP TS 23.038 and 23.040."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.segments import Segments, count_segments

EMOJI = "\N{GRINNING FACE}"


@pytest.mark.parametrize(
    ("text", "encoding", "units", "parts"),
    [
        ("", "GSM-7", 0, 1),
        ("a" * 160, "GSM-7", 160, 1),
        ("a" * 161, "GSM-7", 161, 2),
        ("a" * 306, "GSM-7", 306, 2),
        ("a" * 307, "GSM-7", 307, 3),
        ("@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ¤¡ÄÖÑÜ§¿äöñüà", "GSM-7", 44, 1),
        ("€" * 80, "GSM-7", 160, 1),
        ("€" * 81, "GSM-7", 162, 2),
        ("\f^{}\\[~]|€", "GSM-7", 20, 1),
        # An extended character is never split: here it would fall on the border of two parts.
        ("a" * 152 + "€" + "a" * 152, "GSM-7", 306, 3),
        ("a" * 153 + "€" + "a" * 151, "GSM-7", 306, 2),
        ("€" * 153, "GSM-7", 306, 3),
        ("ç" + "a" * 69, "UCS-2", 70, 1),
        ("ç" + "a" * 70, "UCS-2", 71, 2),
        ("ç" + "a" * 133, "UCS-2", 134, 2),
        ("ç" + "a" * 134, "UCS-2", 135, 3),
        (EMOJI * 35, "UCS-2", 70, 1),
        ("a" + EMOJI * 35, "UCS-2", 71, 2),
        # Neither is a surrogate pair: 33 to a part.
        (EMOJI * 66, "UCS-2", 132, 2),
        (EMOJI * 67, "UCS-2", 134, 3),
        ("\ud83d", "UCS-2", 1, 1),
        ("`", "UCS-2", 1, 1),
        ("\t", "UCS-2", 1, 1),
        ("\x1b", "UCS-2", 1, 1),
    ],
)
def test_parts_are_counted_as_the_networks_do(text: str, encoding: str, units: int, parts: int):
    """One character outside the GSM alphabet makes it all UCS-2; parts lose room for a header."""
    assert count_segments(text) == Segments(encoding, units, parts)


@given(st.text(max_size=700))
def test_any_text_is_counted(text: str):
    """Whatever the text, its parts hold it and are not more than they need to be."""
    found = count_segments(text)
    room = 153 if found.encoding == "GSM-7" else 67
    single = 160 if found.encoding == "GSM-7" else 70
    assert found.units >= len(text)
    assert (found.count == 1) == (found.units <= single)
    assert found.units <= max(single, found.count * room)
    assert (found.count - 1) * (room - 1) < found.units or found.count == 1
