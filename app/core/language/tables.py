"""The word tables: one TOML file per language, read once when the package is imported.

`common.toml` holds what is everybody's. A further language is one more file and its name in
`LANGUAGES`; nothing else changes. Tables may be written with or without accents.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from app.core.language.meaning import LANGUAGES, Intent
from app.core.language.normalise import plain, words_of

# The version of all tables and rules together. It is evidence: raise it with every change to them.
TABLES_VERSION = "2026.11.3"

Phrase = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Keyword:
    """One entry of the keyword tables.

    `everyday` words count only as the whole message. `unmistakable` ones are a request wherever
    they are a clause, `closing` ones where they are the last clause; the rest (cancel) need
    words about messages beside them. `program` is the one program that an own word ends.
    """

    intent: Intent
    language: str | None
    everyday: bool = False
    unmistakable: bool = False
    closing: bool = False
    program: str | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """One language's file, as it was written; `language` is None for the common one."""

    language: str | None
    data: Mapping[str, Any]

    def phrases(self, section: str, key: str) -> Iterator[Phrase]:
        """Yield the phrases of a comma-separated list, each as its words."""
        listed = self.data.get(section, {}).get(key, "")
        for written in listed.split(","):
            if phrase := phrase_of(written):
                yield phrase

    def words(self, section: str, key: str) -> list[str]:
        """Return the words of a space-separated list."""
        return folded(self.data.get(section, {}).get(key, "")).split()

    def typos(self) -> Iterator[tuple[str, str]]:
        """Yield each known misspelling with the word that it stands for."""
        for word in self.data.get("typos", {}):
            yield from ((typo, word) for typo in self.words("typos", word))


def folded(written: str) -> str:
    """Write a table's text as the reader sees every text: plain letters, lower case."""
    return plain(written).casefold()


def phrase_of(written: str) -> Phrase:
    """Part a table's phrase into words as a message is parted, without marks."""
    return tuple(token for token in words_of(plain(written)).tokens if token[0].isalnum())


def _read(name: str, language: str | None) -> Table:
    file = resources.files(__package__).joinpath("tables", f"{name}.toml")
    return Table(language, tomllib.loads(file.read_text(encoding="utf-8")))


TABLES = (_read("common", None), *(_read(language, language) for language in LANGUAGES))

_GRADES = {
    "opt_out": (Intent.OPT_OUT, False),
    "everyday": (Intent.OPT_OUT, True),
    "opt_in": (Intent.OPT_IN, False),
    "help": (Intent.HELP, False),
    "confirm": (Intent.CONFIRM, False),
}


def _keywords() -> dict[Phrase, Keyword]:
    found: dict[Phrase, Keyword] = {}
    for table in TABLES:
        unmistakable = set(table.phrases("keywords", "unmistakable"))
        closing = set(table.phrases("keywords", "closing"))
        for key, (intent, everyday) in _GRADES.items():
            for phrase in table.phrases("keywords", key):
                found.setdefault(
                    phrase,
                    Keyword(
                        intent,
                        table.language,
                        everyday,
                        unmistakable=phrase in unmistakable,
                        closing=phrase in closing,
                    ),
                )
    return found


def _all_phrases(section: str, key: str = "words") -> dict[Phrase, str | None]:
    found: dict[Phrase, str | None] = {}
    for table in TABLES:
        for phrase in table.phrases(section, key):
            found[phrase] = None if phrase in found else table.language
    return found


KEYWORDS = _keywords()
POSSIBLE = _all_phrases("keywords", "possible")
COURTESY = _all_phrases("courtesy")
BACK = _all_phrases("keywords", "back")
NEGATIONS = frozenset(
    phrase for table in TABLES for phrase in table.phrases("courtesy", "negation")
)
AROUND = _all_phrases("courtesy", "around")
EVERYTHING = _all_phrases("everything")
PROGRAMS = _all_phrases("program")
CODE_WORDS = _all_phrases("code")
CODE_AROUND = _all_phrases("code", "around")
TYPOS = {typo: word for table in TABLES for typo, word in table.typos()}
LAST_LETTER_LOST = {
    word[:-1]: word for table in TABLES for word in table.words("spelling", "accented_end")
}
FUZZY = tuple(word for table in TABLES for word in table.words("fuzzy", "words"))
NEVER_FUZZY = frozenset(word for table in TABLES for word in table.words("fuzzy", "never"))


def expanded(written: str) -> list[str]:
    """Spell out a list of words in which `mand(are|ate)` stands for `mandare mandate`."""
    words: list[str] = []
    for word in folded(written).split():
        words += _spelled_out(word)
    return words


def _spelled_out(word: str) -> list[str]:
    group = re.search(r"\(([^()]*)\)", word)
    if group is None:
        return [word]
    head, tail = word[: group.start()], word[group.end() :]
    return [full for ending in group[1].split("|") for full in _spelled_out(head + ending + tail)]
