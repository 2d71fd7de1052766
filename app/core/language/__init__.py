"""What did the person mean? Pure functions, and the word tables as data, a file per language."""

from app.core.language.classifier import classify
from app.core.language.meaning import LANGUAGES, Intent, Meaning
from app.core.language.tables import phrase_of

__all__ = ["LANGUAGES", "Intent", "Meaning", "classify", "words"]


def words(text: str) -> str:
    """A text's words as they are compared: one spelling for case, accents, width and marks."""
    return " ".join(phrase_of(text))
