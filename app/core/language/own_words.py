"""An installation's own words: one TOML file, checked when it is read.

```toml
[it]                                # a language: one of LANGUAGES
opt_out = ["fuori", "non mi va"]
opt_in = ["voglio le offerte"]
help = ["orari"]

[programs.promo]                    # a program, by its slug
opt_out = ["nopromo"]               # ends this program alone; the topic of the meaning is `promo`
names = ["volantino"]               # STOP VOLANTINO: the topic of the meaning is `volantino`

[brand]
names = ["Ottica Blu"]              # STOP OTTICA BLU names everything
```

Own words count only as the whole message, courtesy beside them aside, and an opt-in only bare.
"""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from app.core.errors import InvalidInputError
from app.core.language.keywords import CODE_LENGTHS, LEXICON, Entry, Lexicon, Role
from app.core.language.meaning import LANGUAGES, Intent
from app.core.language.tables import BACK, KEYWORDS, POSSIBLE, Keyword, Phrase, phrase_of

_INTENTS = {"opt_out": Intent.OPT_OUT, "opt_in": Intent.OPT_IN, "help": Intent.HELP}
_LONGEST_WORDS = 4
_NAMES = "names"


class OwnWordsError(InvalidInputError):
    """The file of own words can't be used; the text lists every problem with its reason."""


@dataclass(frozen=True, slots=True)
class OwnWords:
    """Checked own words. `warnings` say what is allowed and not wise, one sentence each."""

    lexicon: Lexicon = LEXICON
    words: frozenset[str] = frozenset()
    warnings: tuple[str, ...] = ()


NO_OWN_WORDS = OwnWords()


@dataclass(slots=True)
class _Check:
    """Gathers entries and what is wrong with them."""

    entries: dict[Phrase, Entry] = field(default_factory=dict)
    places: dict[Phrase, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def parse_own_words(toml: str) -> OwnWords:
    """Read and check a file's text.

    Raises OwnWordsError, which lists all problems at once: a word that asks to come in as well, a
    yes, something that looks like a code, a word in two places, a section that is not known.
    """
    try:
        data = tomllib.loads(toml)
    except tomllib.TOMLDecodeError as error:
        raise OwnWordsError(f"the file of own words is no valid TOML: {error}") from None
    check = _Check()
    for place, key, language, program, written in _listed(data, check):
        _enter(check, place, key, language, program, written)
    if check.problems:
        listed = "".join(f"\n- {problem}" for problem in check.problems)
        raise OwnWordsError(f"the own words can't be used; correct these and start again:{listed}")
    return OwnWords(
        LEXICON.with_entries(check.entries.items()),
        frozenset(word for phrase in check.entries for word in phrase),
        tuple(check.warnings),
    )


_Listed = tuple[str, str, str | None, str | None, str]


def _listed(data: dict[str, Any], check: _Check) -> Iterator[_Listed]:
    """Yield place, key, language, program and word for each word of the file."""
    programs = data.pop("programs", {})
    brand = data.pop("brand", {})
    sections: list[tuple[str, str | None, str | None, dict[str, Any]]] = [
        (f"[programs.{slug}]", None, slug, section) for slug, section in programs.items()
    ]
    sections.append(("[brand]", None, None, brand))
    for name, section in data.items():
        if name in LANGUAGES and isinstance(section, dict):
            sections.append((f"[{name}]", name, None, section))
        else:
            check.problems.append(f"[{name}] is no language; use one of {', '.join(LANGUAGES)}")
    for place, language, program, section in sections:
        for key, words in section.items():
            if _allowed(key, place) and isinstance(words, list):
                yield from ((place, key, language, program, str(word)) for word in words)
            else:
                check.problems.append(f"{place} {key}: not known here, or not a list of words")


def _allowed(key: str, place: str) -> bool:
    if place == "[brand]":
        return key == _NAMES
    return key in ({"opt_out", _NAMES} if place.startswith("[programs.") else _INTENTS)


def _enter(
    check: _Check, place: str, key: str, language: str | None, program: str | None, written: str
) -> None:
    phrase = phrase_of(written)
    label = f'{place} "{written}"'
    if problem := _problem(phrase, key, check):
        check.problems.append(f"{label}: {problem}")
        return
    if warning := _warning(phrase, key):
        check.warnings.append(f"{label}: {warning}")
    check.places[phrase] = place
    if key == _NAMES:
        role = Role.PROGRAM if program else Role.EVERYTHING
        check.entries[phrase] = (role, None)
    else:
        check.entries[phrase] = Keyword(_INTENTS[key], language, program=program)


def _problem(phrase: Phrase, key: str, check: _Check) -> str | None:
    """Return why this word must not be used so, or None."""
    known = KEYWORDS.get(phrase)
    intent = _INTENTS.get(key)
    is_code = len(phrase) == 1 and phrase[0].isdecimal() and len(phrase[0]) in CODE_LENGTHS
    reasons = (
        (not 0 < len(phrase) <= _LONGEST_WORDS, f"needs one to {_LONGEST_WORDS} words"),
        (
            phrase in check.places,
            f"stands in {check.places.get(phrase)} already, and a word has one meaning",
        ),
        (is_code, "looks like a confirmation code"),
        (
            known and known.intent is Intent.CONFIRM,
            "is a yes, which answers anything and must stay one",
        ),
        (
            known and intent and known.intent is not intent,
            f"means {known and known.intent} already",
        ),
        (
            intent is Intent.OPT_IN and (phrase in BACK or phrase in POSSIBLE),
            "is an everyday word: consent must not hang on it",
        ),
        (intent is Intent.OPT_OUT and phrase in BACK, "asks to come in, or back"),
        (key == _NAMES and known, f"can't be a name: it means {known and known.intent}"),
    )
    return next((reason for wrong, reason in reasons if wrong), None)


def _warning(phrase: Phrase, key: str) -> str | None:
    """Return what speaks against this word without forbidding it, or None."""
    if phrase in KEYWORDS:
        return "is known already, and need not be listed"
    if key == "opt_out" and phrase in POSSIBLE:
        return "is an everyday answer: some who send it only refuse an offer or answer a question"
    return None
