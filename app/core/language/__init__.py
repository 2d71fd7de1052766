"""What did the person mean? Pure functions, and the word tables as data, a file per language."""

from app.core.language.classifier import READ_LIMIT, Step, classify, explain
from app.core.language.meaning import LANGUAGES, Intent, Meaning
from app.core.language.own_words import (
    NO_OWN_WORDS,
    OwnWords,
    OwnWordsError,
    parse_own_words,
)
from app.core.language.tables import phrase_of

__all__ = [
    "LANGUAGES",
    "NO_OWN_WORDS",
    "READ_LIMIT",
    "Intent",
    "Meaning",
    "OwnWords",
    "OwnWordsError",
    "Step",
    "classify",
    "explain",
    "parse_own_words",
    "words",
]


def words(text: str) -> str:
    """A text's words as they are compared: one spelling for case, accents, width and marks."""
    return " ".join(phrase_of(text))
