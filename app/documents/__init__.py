"""Documents for people to read, print and hand over: from what the core gives, by every door."""

from app.documents.dossier import LANGUAGES, render_dossier, verifier
from app.documents.table import table_of

__all__ = ["LANGUAGES", "render_dossier", "table_of", "verifier"]
