"""Whole messages: a keyword, alone or with nothing beside it but courtesy, itself, or what it ends.

A message is covered from left to right by the longest known phrases. Only when nothing is left
over does it mean what its keywords mean.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum, auto

from app.core.language.meaning import Intent
from app.core.language.normalise import MARKS
from app.core.language.tables import (
    AROUND,
    BACK,
    CODE_WORDS,
    COURTESY,
    EVERYTHING,
    KEYWORDS,
    NEGATIONS,
    POSSIBLE,
    PROGRAMS,
    Keyword,
    Phrase,
)

# With more unknown words than this a message is no keyword and what stands beside it.
MOST_UNKNOWN = 4
CODE_LENGTHS = range(4, 9)
_CODE_HALVES = {(3, 3), (4, 4)}


class Role(Enum):
    """What a phrase does in a whole message."""

    COURTESY = auto()
    AROUND = auto()
    EVERYTHING = auto()
    PROGRAM = auto()
    CODE_WORD = auto()
    POSSIBLE = auto()
    BACK = auto()


Entry = Keyword | tuple[Role, str | None]


class Lexicon:
    """Finds the longest phrase that starts at a word."""

    def __init__(self, entries: Iterable[tuple[Phrase, Entry]]) -> None:
        self._entries: dict[Phrase, list[Entry]] = {}
        self._longest: dict[str, int] = {}
        for phrase, entry in entries:
            self._entries.setdefault(phrase, []).append(entry)
            self._longest[phrase[0]] = max(len(phrase), self._longest.get(phrase[0], 0))
        self._telling = {
            max(phrase, key=len) for phrase, listed in self._entries.items() if _tells(listed)
        }

    def at(self, words: Phrase, start: int) -> tuple[int, list[Entry]]:
        """Return the length in words of the longest phrase at `start`, and its entries."""
        for length in range(self._longest.get(words[start], 0), 0, -1):
            if entries := self._entries.get(words[start : start + length]):
                return length, entries
        return 1, []

    def tells_nothing(self, words: Iterable[str]) -> bool:
        """Whether no keyword and no other telling phrase can be among the words."""
        return self._telling.isdisjoint(words)

    def keyword(self, phrase: Phrase) -> Keyword | None:
        """Return the keyword that a whole phrase is, or None."""
        entries = self._entries.get(phrase, ())
        return next((entry for entry in entries if isinstance(entry, Keyword)), None)

    def with_entries(self, entries: Iterable[tuple[Phrase, Entry]]) -> "Lexicon":
        """Return a lexicon that knows these entries as well."""
        own = [(phrase, entry) for phrase, listed in self._entries.items() for entry in listed]
        return Lexicon([*own, *entries])

    def words(self) -> frozenset[str]:
        """Return every word of every phrase."""
        return frozenset(word for phrase in self._entries for word in phrase)


def _tells(entries: list[Entry]) -> bool:
    """Whether a phrase can decide what a whole message means, and is no mere company."""
    return any(isinstance(e, Keyword) or e[0] in {Role.POSSIBLE, Role.CODE_WORD} for e in entries)


def _entries() -> Iterable[tuple[Phrase, Entry]]:
    yield from KEYWORDS.items()
    for role, phrases in (
        (Role.COURTESY, COURTESY),
        (Role.AROUND, AROUND),
        (Role.EVERYTHING, EVERYTHING),
        (Role.PROGRAM, PROGRAMS),
        (Role.CODE_WORD, CODE_WORDS),
        (Role.POSSIBLE, POSSIBLE),
        (Role.BACK, BACK),
    ):
        for phrase, language in phrases.items():
            yield phrase, (role, language)


LEXICON = Lexicon(_entries())


@dataclass(slots=True)
class Cover:
    """What the words of a whole message are, once each has been looked up."""

    keywords: list[Keyword] = field(default_factory=list)
    roles: set[Role] = field(default_factory=set)
    languages: list[str] = field(default_factory=list)
    around: set[str | None] = field(default_factory=set)
    topic: list[str] = field(default_factory=list)
    negated: bool = False
    numbers: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)

    def intents(self) -> set[Intent]:
        """Return the intents of the keywords found."""
        return {keyword.intent for keyword in self.keywords}

    def language(self) -> str | None:
        """Return the language that the words tell, the keyword's first, or None."""
        own = [k.language for k in self.keywords if k.language]
        return next(iter([*own, *self.languages]), None)


def cover(tokens: Phrase, lexicon: Lexicon = LEXICON) -> Cover:
    """Look up all the words of a message."""
    words = tuple(token for token in tokens if token not in MARKS)
    found = Cover()
    start = 0
    while start < len(words) and len(found.unknown) <= MOST_UNKNOWN:
        length, entries = lexicon.at(words, start)
        _note(found, words[start : start + length], entries)
        start += length
    return found


def _note(found: Cover, phrase: Phrase, entries: list[Entry]) -> None:
    if not entries:
        (found.numbers if phrase[0].isdecimal() else found.unknown).append(phrase[0])
        return
    roles = {entry[0]: entry[1] for entry in entries if isinstance(entry, tuple)}
    keywords = [entry for entry in entries if isinstance(entry, Keyword)]
    # What is a keyword is nothing else beside it: "no", "sí" stand around STOP and answer alone.
    if phrase in NEGATIONS and not keywords:
        found.negated = True
    found.roles.update(set() if keywords else roles)
    found.languages += [language for language in roles.values() if language]
    found.keywords += keywords
    if Role.AROUND in roles and not keywords:
        found.around.add(roles[Role.AROUND])
    if Role.PROGRAM in roles:
        found.topic += phrase


def code_of(numbers: list[str]) -> str | None:
    """Return the digits of a code of 4 to 8, written whole or in two equal halves."""
    if len(numbers) == 1 and len(numbers[0]) in CODE_LENGTHS:
        return numbers[0]
    return "".join(numbers) if tuple(map(len, numbers)) in _CODE_HALVES else None
