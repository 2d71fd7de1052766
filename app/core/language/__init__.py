"""What did the person mean? Pure functions, and the word tables as data, a file per language."""

from app.core.language.classifier import classify
from app.core.language.meaning import LANGUAGES, Intent, Meaning

__all__ = ["LANGUAGES", "Intent", "Meaning", "classify"]
