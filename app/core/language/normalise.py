"""From a text to plain words: one spelling for the many ways to write the same."""

import html
import re
import unicodedata
from dataclasses import dataclass

# The marks that end a clause, in the order of their strength.
MARKS = frozenset("\n?.,")

# Letters of other alphabets that look like Latin ones (a choice from Unicode TS 39, confusables).
_LOOK_ALIKES = dict(
    zip(
        "АаВвСсЕеНнІіЈјКкМмОоРрЅѕТтХхУуԚԛԜԝԁҺһӀΑαΒΕεΗΙιΚκΜΝΟοΡρΤτΥυΧχΖϲ",
        "AaBbCcEeHhIiJjKkMmOoPpSsTtXxYyQqWwdHhIAaBEeHIiKkMNOoPpTtYyXxZc",
        strict=True,
    ),
)
_SMALL_CAPITALS = dict(zip("ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢ", "abcdefghijklmnoprstuvwyz", strict=True))
_OTHER_LETTERS = {"ß": "ss", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "æ": "ae", "œ": "oe", "ı": "i"}  # noqa: RUF001
_QUOTES = dict.fromkeys("’‘ʼ´`‛′ˈ", "'")  # noqa: RUF001
# Negative circled and squared letters and the flags' letters, which NFKC leaves as they are.
_ENCLOSED = {
    chr(first + i): chr(ord("A") + i) for first in (0x1F150, 0x1F170, 0x1F1E6) for i in range(26)
}
_PLAIN = str.maketrans(_LOOK_ALIKES | _SMALL_CAPITALS | _OTHER_LETTERS | _QUOTES | _ENCLOSED)

# What marks a letter that a wrong character set has lost, as in "pi\ufffd" and "d?sabonner".
LOST = "\ufffd"

# These are words by themselves: "nn scrivete +", "lose my #".
_WORD = re.compile(rf"[^\W_{LOST}]*(?:{LOST}[^\W_]*)+|[^\W_]+(?:'[^\W_]+)*|(?<!\S)[+#](?!\S)")
_LOST_INSIDE = re.compile(r"(?<=[a-zA-Z])\?(?=[a-z])")
_LITERAL_ESCAPES = re.compile(r"\\[rnt]|%20|<[^<>]{1,30}>")
# English contractions are one word (dont, im); elsewhere the apostrophe parts two (l appuntamento).
_CONTRACTION = frozenset({"t", "s", "m", "re", "ve", "ll", "d", "all"})
_MARK_OF = {
    ".": ".",
    "!": ".",
    ";": ".",
    "…": ".",
    ",": ",",
    ":": ",",
    "(": ",",
    ")": ",",
    "/": ",",
    "—": ",",
    "–": ",",  # noqa: RUF001
    "|": ",",
    "¡": ".",
    "¿": ".",
}


@dataclass(frozen=True, slots=True)
class Words:
    """The words of a text in order, with the marks (of MARKS) that part its clauses.

    `tokens` holds both, lower case and without accents; `shouted` the words in capitals, `named`
    those that begin with one.
    """

    tokens: tuple[str, ...]
    shouted: frozenset[str]
    named: frozenset[str]


def plain(text: str) -> str:
    """Write a text in plain letters, keeping their case; what is no letter or sign is a space."""
    if "&" in text:
        text = html.unescape(text)
    if "\\" in text or "%" in text or "<" in text:
        text = _LITERAL_ESCAPES.sub(_literal, text)
    if not text.isascii():
        text = _plain_letters(_repaired(text))
    return _LOST_INSIDE.sub(LOST, text) if "?" in text else text


def _literal(escape: re.Match[str]) -> str:
    return "\n" if escape[0] == "\\n" else " "


def _repaired(text: str) -> str:
    """Undo UTF-8 that was read as Latin-1 or Windows-1252 on its way ("piÃ¹")."""
    if "Ã" not in text and "â€" not in text:
        return text
    try:
        return text.encode("cp1252").decode()
    except UnicodeError:
        return text


def _plain_letters(text: str) -> str:
    # Accents go before look-alikes are read, so that an accent on a Cyrillic letter is no shield.
    parts = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", text)).translate(_PLAIN)
    return "".join(_kept(char) for char in parts)


def _kept(char: str) -> str:
    if char.isascii() or char.isalnum() or char == LOST:
        return char
    category = unicodedata.category(char)
    if category[0] == "M" or category == "Cf":
        return ""
    return char if char in _MARK_OF else " "


def words_of(text: str) -> Words:
    """Part a plain text into words and marks."""
    tokens: list[str] = []
    shouted: set[str] = set()
    named: set[str] = set()
    end = 0
    for found in _WORD.finditer(text):
        if tokens and (mark := _mark(text[end : found.start()])):
            tokens.append(mark)
        end = found.end()
        parts = _parts(found[0])
        tokens += parts
        if found[0][0].isupper():
            named.update(parts)
            shouted.update(parts if found[0].isupper() else ())
    if tokens and (mark := _mark(text[end:].rstrip())):
        tokens.append(mark)
    return Words(tuple(tokens), frozenset(shouted), frozenset(named))


def _parts(word: str) -> list[str]:
    word = word.casefold()
    if "'" not in word:
        return [word]
    head, _, tail = word.rpartition("'")
    if tail in _CONTRACTION:
        return [head.replace("'", "") + tail]
    return word.split("'")


def _mark(gap: str) -> str:
    """Return the strongest mark between two words, or nothing."""
    if gap in {" ", "", "-"}:
        return ""
    if "\n" in gap or " - " in gap or " -- " in gap:
        return "\n"
    if "?" in gap:
        return "?"
    found = {_MARK_OF.get(char, "") for char in gap}
    return "." if "." in found else "," if "," in found else ""
