"""Phrases: a text becomes a string with one character a word, and the grammar is written over words.

A language's file gives its word classes (`[words]`), named parts (`[parts]`) and its phrases. In a
phrase, read left to right:

    {send}   a word of that class, or the part of that name
    mi       that very word
    ~        up to five soft words: articles, courtesy, adverbs (class `soft`), commas among them
    _        any one word
    ;        here the clause ends, soft words aside: at a mark, a conjunction (class `and`) or the end
    ^ $      the clause begins, ends, exactly here
    ( | ) ? {0,3} (?! ) (?= )   as in regular expressions

Every repetition is bounded, so that a search takes time in proportion to the text.
"""

import re
from collections.abc import Iterator, Mapping

from app.core.language.normalise import MARKS
from app.core.language.tables import Table, expanded

_ELEMENT = re.compile(r"\{(?P<name>[a-z_]+)\}|(?P<word>[a-z]+)|(?P<sign>[~_;^$])|\((?!\?)|\s+")
_FIRST_CHARACTER = 0xE000
_UNKNOWN = "x"
_NUMBER = "0"
_MARKS = "".join(sorted(MARKS)).replace("\n", r"\n").replace("?", r"\?").replace(".", r"\.")
# The sections of a language's file that hold phrases, in the order in which they are tried.
NOT_MEANT, MEANT, UNCLEAR = "not_meant", "phrases", "unclear"


class Grammar:
    """The phrases of one language, ready to be looked for."""

    def __init__(self, table: Table) -> None:
        self.language = table.language
        self._parts: Mapping[str, str] = table.data.get("parts", {})
        self._classes = {
            name: expanded(written) for name, written in table.data.get("words", {}).items()
        }
        self._characters: dict[str, str] = {}
        for words in self._classes.values():
            for word in words:
                self._character(word)
        self._searches = {
            section: self._compiled(table.data.get(section, {}))
            for section in (NOT_MEANT, MEANT, UNCLEAR)
        }
        self._telling = frozenset(self._characters).difference(self._classes["soft"])

    @property
    def vocabulary(self) -> frozenset[str]:
        """Every word that a phrase or a class names."""
        return frozenset(self._characters)

    def words(self, name: str) -> frozenset[str]:
        """Return the words of a class; none where the language has no such class."""
        return frozenset(self._classes.get(name, ()))

    def concerns(self, tokens: frozenset[str]) -> int:
        """Return how many of a text's words this language's phrases know; 0 without a telling one."""
        if self._telling.isdisjoint(tokens):
            return 0
        return sum(token in self._characters for token in tokens)

    def rules(self, tokens: tuple[str, ...]) -> Iterator[tuple[str, str]]:
        """Yield the phrases found as (section, rule). What is explained away is not found again."""
        text = "".join(self._encoded(token) for token in tokens)
        explained: list[str] = []

        def blank(found: re.Match[str]) -> str:
            explained.append(str(found.lastgroup))
            return _UNKNOWN * len(found[0])

        text = self._searches[NOT_MEANT].sub(blank, text)
        yield from ((NOT_MEANT, rule) for rule in explained)
        for section in (MEANT, UNCLEAR):
            if found := self._searches[section].search(text):
                yield section, str(found.lastgroup)

    def _encoded(self, token: str) -> str:
        if token in MARKS:
            return token
        return self._characters.get(token) or (_NUMBER if token.isdecimal() else _UNKNOWN)

    def _character(self, word: str) -> str:
        new = chr(_FIRST_CHARACTER + len(self._characters))
        return self._characters.setdefault(word, new)

    def _compiled(self, rules: Mapping[str, str]) -> re.Pattern[str]:
        alternatives = (
            f"(?P<{rule}>{'|'.join(self._expression(p) for p in _patterns(written))})"
            for rule, written in rules.items()
        )
        return re.compile("|".join(alternatives) or r"(?!)")

    def _expression(self, pattern: str) -> str:
        return _ELEMENT.sub(self._element, pattern)

    def _element(self, found: re.Match[str]) -> str:
        if name := found["name"]:
            if name in self._parts:
                return f"(?:{self._expression(self._parts[name])})"
            return f"[{self._characters_of(name)}]"
        if word := found["word"]:
            return self._character(word)
        if sign := found["sign"]:
            return self._sign(sign)
        return "(?:" if found[0] == "(" else ""

    def _sign(self, sign: str) -> str:
        soft = self._characters_of("soft")
        return {
            "~": f"[{soft},]{{0,5}}",
            "_": f"[^{_MARKS}]",
            ";": f"(?=[{soft},]{{0,6}}(?:[{_MARKS}{self._characters_of('and')}]|\\Z))",
            "^": f"(?<![^{_MARKS}])",
            "$": f"(?=[{_MARKS}]|\\Z)",
        }[sign]

    def _characters_of(self, name: str) -> str:
        return "".join(self._characters[word] for word in self._classes[name])


def _patterns(written: str) -> Iterator[str]:
    """Yield one pattern a line; a line that begins with `#` is a comment."""
    for line in written.splitlines():
        if line.strip() and not line.strip().startswith("#"):
            yield line.strip()
