"""The one entry: a text in, its meaning out."""

from app.core.language.meaning import Intent, Meaning

TABLES_VERSION = "2026.11"

_WORDS = {
    "stop": (Intent.OPT_OUT, None),
    "cancella": (Intent.OPT_OUT, "it"),
    "start": (Intent.OPT_IN, None),
    "help": (Intent.HELP, "en"),
    "aiuto": (Intent.HELP, "it"),
    "info": (Intent.HELP, None),
}


def classify(text: str) -> Meaning:
    """Understand a text. Any text is answered; nothing is raised."""
    intent, language = _WORDS.get(text.strip().casefold(), (Intent.NONE, None))
    rule = "keyword" if intent is not Intent.NONE else "no_rule"
    return Meaning(intent, rule, TABLES_VERSION, language)
