"""What a text can mean: the vocabulary that the rest of the house speaks."""

from dataclasses import dataclass
from enum import StrEnum

# The languages that are read and answered, the most thoroughly covered first.
LANGUAGES = ("it", "en", "es", "fr", "de", "pt")


class Intent(StrEnum):
    """What the person wants. The values are the ledger's and the API's words."""

    OPT_OUT = "opt_out"
    OPT_IN = "opt_in"
    HELP = "help"
    CONFIRM = "confirm"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Meaning:
    """What one text was understood to mean, and why.

    `rule` names the rule that decided; with `tables_version` it is evidence. `language` is one of
    LANGUAGES where the words tell it, else None (STOP is everybody's). `code` holds the digits of
    a CONFIRM, or None for a plain yes. `topic` holds the words that name one program in an
    opt-out of just that ("STOP PROMO": `promo`). `review` asks for a person to read the text
    first: it may be an opt-out, and is not certainly one.
    """

    intent: Intent
    rule: str
    tables_version: str
    language: str | None = None
    code: str | None = None
    topic: str | None = None
    review: bool = False
