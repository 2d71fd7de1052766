r"""Phrases: a text becomes a string, one character a word, and the grammar is written over words.

A language's file gives its word classes (`[words]`), named parts (`[parts]`) and its phrases. In a
phrase, read left to right:

    {send}   a word of that class, or the part of that name
    mi       that very word
    ~        up to five soft words: articles, courtesy, adverbs (class `soft`), commas among them
    -        the same without a comma
    _        any one word
    ;        here the clause ends, soft words aside: at a mark, a conjunction (class `and`), the end
    ^ $      the clause begins, ends, exactly here
    0 9      a number; one as long as a telephone number
    \. , \?  that very mark (in a table each backslash is written twice)
    .{0,3}   up to three of anything, words and marks
    ( | ) ? {0,3} (?! ) (?= ) (?<! )   as in regular expressions; behind (?<! one word or mark

`[aliases]` gives the short forms of texting: each is read as its word, in this language only.
`[compounds]` names the classes whose words end longer ones (werbemüll) in this language.

Every repetition is bounded, so that a search takes time in proportion to the text.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property

from app.core.language.normalise import MARKS
from app.core.language.slips import Slips
from app.core.language.tables import NEVER_FUZZY, Table, expanded

_ELEMENT = re.compile(
    r"\{(?P<name>[a-z_]+)\}|(?P<word>[a-z]+)|(?P<sign>[-~_;^$])|\((?!\?)|\s+",
)
_PART = re.compile(r"\{([a-z_]+)\}")
_OPTIONAL = re.compile(r"\s*(?:\?|\{0,)")
_FIRST_CHARACTER = 0xE000
_UNKNOWN = "x"
_SHORTEST_PART = 3
_NUMBER = "0"
# As long as a telephone number or its better part.
_LONG_NUMBER = "9"
_LONG = 6
_MARKS = "".join(sorted(MARKS)).replace("\n", r"\n").replace("?", r"\?").replace(".", r"\.")
# The sections of a language's file that hold phrases, in the order in which they are tried.
NOT_MEANT, MEANT, LOOSE, UNCLEAR = "not_meant", "phrases", "loose", "unclear"


_compiled = cache(re.compile)


@dataclass(frozen=True, slots=True)
class Pattern:
    """One phrase. A text without a word of each of the `needs` cannot hold it: no search then."""

    rule: str
    source: str
    needs: tuple[frozenset[str], ...]
    section: str

    def may_be_in(self, present: frozenset[str]) -> bool:
        """Whether a text with these characters could hold it."""
        return not any(map(present.isdisjoint, self.needs))

    @property
    def expression(self) -> re.Pattern[str]:
        """The expression; it is compiled when it is first wanted, as most of them never are."""
        return _compiled(self.source)


class Index:
    """The patterns of some sections, found by the rarest of their words that a text has."""

    def __init__(self, patterns: Iterable[Pattern], common: frozenset[str]) -> None:
        self.all = tuple(patterns)
        self._always = [n for n, pattern in enumerate(self.all) if not pattern.needs]
        self._by_character: dict[str, list[int]] = {}
        for number, pattern in enumerate(self.all):
            rarest = min(
                pattern.needs,
                key=lambda need: (len(need & common), len(need)),
                default=frozenset(),
            )
            for character in rarest:
                self._by_character.setdefault(character, []).append(number)

    def candidates(self, present: frozenset[str]) -> Iterator[Pattern]:
        """Yield, in their order, the patterns that a text with these characters could hold."""
        numbers = set(self._always)
        for character in present & self._by_character.keys():
            numbers.update(self._by_character[character])
        for number in sorted(numbers):
            pattern = self.all[number]
            if pattern.may_be_in(present):
                yield pattern


class Grammar:
    """The phrases of one language, ready to be looked for."""

    def __init__(self, table: Table) -> None:
        self.language = table.language
        self._parts: Mapping[str, str] = table.data.get("parts", {})
        self._slip_classes = table.words("fuzzy", "classes")
        aliases = {
            alias: word
            for word, written in table.data.get("aliases", {}).items()
            for alias in expanded(written)
            if alias != word
        }
        self._classes = {
            name: [word for word in expanded(written) if word not in aliases]
            for name, written in table.data.get("words", {}).items()
        }
        self._characters: dict[str, str] = {}
        for words in self._classes.values():
            for word in words:
                self._character(word)
        self._characters |= {alias: self._character(word) for alias, word in aliases.items()}
        self._heads = {
            word: self._characters[word]
            for name in table.words("compounds", "heads")
            for word in self._classes[name]
        }
        common = frozenset().union(*(self._class(name) for name in ("soft", "and", "not", "want")))
        sections = (NOT_MEANT, MEANT, LOOSE, UNCLEAR)
        self._patterns = Index(
            (p for name in sections for p in self._compiled(name, table.data.get(name, {}))),
            common,
        )

    @property
    def vocabulary(self) -> frozenset[str]:
        """Every word that a phrase or a class names."""
        return frozenset(self._characters)

    def sources(self) -> Iterator[str]:
        """Yield the expression that each phrase has become."""
        return (pattern.source for pattern in self._patterns.all)

    def words(self, name: str) -> frozenset[str]:
        """Return the words of a class; none where the language has no such class."""
        return frozenset(self._classes.get(name, ()))

    def unknown(self, tokens: tuple[str, ...]) -> int:
        """Return how many of the words no phrase of this language names."""
        return sum(token not in self._characters and token not in MARKS for token in tokens)

    def with_slips_undone(self, tokens: tuple[str, ...]) -> tuple[str, ...]:
        """Return the tokens with words of this language's phrases for slips of them."""
        return tuple(
            token
            if token in MARKS or token in self._characters or token in NEVER_FUZZY
            else self._slips.meant(token) or token
            for token in tokens
        )

    @cached_property
    def _slips(self) -> Slips:
        """Verbs that only their endings tell apart (enviaron, enviaran) are not among them."""
        return Slips(word for name in self._slip_classes for word in self._classes[name])

    def rules(self, tokens: tuple[str, ...]) -> Iterator[tuple[str, str]]:
        """Yield the phrases found as (section, rule). What is explained away is not found again."""
        text = "".join(self._encoded(token) for token in tokens)
        found = ""
        for pattern in self._patterns.candidates(frozenset(text)):
            if pattern.section == NOT_MEANT:
                text, times = pattern.expression.subn(_blank, text)
                if times:
                    yield NOT_MEANT, pattern.rule
            elif pattern.section != found and pattern.expression.search(text):
                found = pattern.section
                yield found, pattern.rule

    def _encoded(self, token: str) -> str:
        if token in MARKS:
            return token
        known = self._characters.get(token) or self._head(token)
        if known or not token.isdecimal():
            return known or _UNKNOWN
        return _NUMBER if len(token) < _LONG else _LONG_NUMBER

    def _head(self, token: str) -> str | None:
        """Return the last part of a compound: werbemüll, firmenangebote."""
        if not self._heads:
            return None
        starts = range(_SHORTEST_PART, len(token) - _SHORTEST_PART + 1)
        return next((self._heads[token[n:]] for n in starts if token[n:] in self._heads), None)

    def _character(self, word: str) -> str:
        new = chr(_FIRST_CHARACTER + len(self._characters))
        return self._characters.setdefault(word, new)

    def _compiled(self, section: str, rules: Mapping[str, str]) -> Iterator[Pattern]:
        for rule, written in rules.items():
            for line in _patterns(written):
                phrase = _PART.sub(self._part, line)
                source = _ELEMENT.sub(self._element, phrase)
                yield Pattern(rule, source, tuple(self._needs(phrase)), section)

    def _part(self, found: re.Match[str]) -> str:
        """Put a named part in place of its name; classes stay."""
        part = self._parts.get(found[1])
        return found[0] if part is None else f"({_PART.sub(self._part, part)})"

    def _element(self, found: re.Match[str]) -> str:
        if found["name"] or found["word"]:
            return f"[{''.join(sorted(self._meant_by(found)))}]"
        if sign := found["sign"]:
            return self._sign(sign)
        return "(?:" if found[0] == "(" else ""

    def _meant_by(self, found: re.Match[str]) -> frozenset[str]:
        """Return the characters of a class or of a word."""
        if found["word"]:
            return frozenset(self._character(found["word"]))
        return self._class(found["name"])

    def _class(self, name: str) -> frozenset[str]:
        return frozenset(self._characters[word] for word in self._classes[name])

    def _sign(self, sign: str) -> str:
        soft, joining = "".join(sorted(self._class("soft"))), "".join(sorted(self._class("and")))
        return {
            "~": f"[{soft},]{{0,5}}",
            "-": f"[{soft}]{{0,5}}",
            "_": f"[^{_MARKS}]",
            ";": f"(?=[{soft},]{{0,6}}(?:[{_MARKS}{joining}]|\\Z))",
            "^": f"(?<![^{_MARKS}])",
            "$": f"(?=[{_MARKS}]|\\Z)",
        }[sign]

    def _needs(self, phrase: str) -> Iterator[frozenset[str]]:
        """Yield sets of characters of each of which the phrase cannot do without one."""
        at = 0
        while at < len(phrase):
            end = _end_of_group(phrase, at) if phrase[at] == "(" else 0
            element = _ELEMENT.match(phrase, at)
            after = end or (element.end() if element else at + 1)
            if not _OPTIONAL.match(phrase, after):
                if end and not phrase.startswith("(?", at):
                    yield from self._needs_of_one(phrase[at + 1 : end - 1])
                elif element and (element["name"] or element["word"]):
                    yield self._meant_by(element)
            at = after

    def _needs_of_one(self, group: str) -> Iterator[frozenset[str]]:
        """Yield what a group needs whichever of its alternatives is there."""
        each = [list(self._needs(alternative)) for alternative in _alternatives(group)]
        if all(each):
            yield frozenset().union(*(min(needs, key=len) for needs in each))


def _blank(found: re.Match[str]) -> str:
    return _UNKNOWN * len(found[0])


def _end_of_group(phrase: str, start: int) -> int:
    depth = 0
    for at in range(start, len(phrase)):
        depth += {"(": 1, ")": -1}.get(phrase[at], 0)
        if depth == 0:
            return at + 1
    raise ValueError(f"a bracket is not closed in the phrase: {phrase}")


def _alternatives(group: str) -> list[str]:
    found = [""]
    depth = 0
    for char in group:
        depth += {"(": 1, ")": -1}.get(char, 0)
        if char == "|" and depth == 0:
            found.append("")
        else:
            found[-1] += char
    return found


def _patterns(written: str) -> Iterator[str]:
    """Yield one pattern a line; indented lines go on with it, and a `#` begins a comment."""
    lines = "\n".join(line for line in written.splitlines() if not line.startswith("#"))
    yield from re.sub(r"\n +", " ", lines).split("\n")
