"""The one entry: a text in, its meaning out."""

from app.core.language.keywords import LEXICON
from app.core.language.meaning import Intent, Meaning
from app.core.language.normalise import Words, plain, words_of
from app.core.language.spelling import Spelling
from app.core.language.tables import COURTESY, EVERYTHING, KEYWORDS, TABLES_VERSION
from app.core.language.whole import whole_message

# Characters that are read. Twilio joins the parts of a long message up to 1,600; what stands
# behind that is not a person's answer to a text message.
READ_LIMIT = 2_000

_SINGLE = {p[0] for p in (*EVERYTHING, *COURTESY) if len(p) == 1 and len(p[0]) > 1}
_SPELLING = Spelling(
    LEXICON.words(),
    frozenset(p[0] for p, k in KEYWORDS.items() if len(p) == 1 and k.intent is Intent.OPT_OUT),
    frozenset(_SINGLE | {"it", "this", "now", "please"}),
)


def classify(text: str) -> Meaning:
    """Understand a text. Any text is answered; nothing is raised."""
    read = plain(text[:READ_LIMIT])
    words = words_of(read)
    words = Words(_SPELLING.corrected(words.tokens), words.shouted)
    found = whole_message(words)
    if found is not None:
        return found
    return Meaning(Intent.NONE, "no_rule", TABLES_VERSION)
