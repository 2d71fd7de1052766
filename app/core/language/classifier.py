"""The one entry: a text in, its meaning out."""

from dataclasses import replace

from app.core.language.clauses import Clauses
from app.core.language.grammar import MEANT, NOT_MEANT, UNCLEAR, Grammar
from app.core.language.keywords import LEXICON
from app.core.language.meaning import Intent, Meaning
from app.core.language.normalise import Words, plain, words_of
from app.core.language.quoting import own_words
from app.core.language.spelling import Spelling
from app.core.language.tables import COURTESY, EVERYTHING, KEYWORDS, TABLES, TABLES_VERSION
from app.core.language.whole import whole_message

# Characters that are read. Twilio joins the parts of a long message up to 1,600; what stands
# behind that is not a person's answer to a text message.
READ_LIMIT = 2_000

_GRAMMARS = tuple(Grammar(table) for table in TABLES if "words" in table.data)
_KNOWN = LEXICON.words().union(*(grammar.vocabulary for grammar in _GRAMMARS))
_BESIDE_STOP = {p[0] for p in (*EVERYTHING, *COURTESY) if len(p) == 1 and len(p[0]) > 1}
# The classes of verbs that texting spells with a k.
_VERBS = ("send", "send_us", "remove_me", "remove", "want")
_SPELLING = Spelling(
    _KNOWN,
    frozenset(p[0] for p, k in KEYWORDS.items() if len(p) == 1 and k.intent is Intent.OPT_OUT),
    frozenset(_BESIDE_STOP | {"it", "this", "now", "please"}),
    frozenset(w for g in _GRAMMARS if g.language != "en" for n in _VERBS for w in g.words(n)),
)

# The rule of texts that a machine wrote: all of the text is its own then.
AUTOMATIC = "automatic"
# A language that knows less than this share of what the best one knows is not the text's.
_SHARE = 0.5
_CLAUSES = Clauses(
    frozenset().union(*(grammar.words("context") for grammar in _GRAMMARS)),
    frozenset().union(*(grammar.vocabulary for grammar in _GRAMMARS)),
    frozenset().union(*(grammar.words("things") for grammar in _GRAMMARS)),
)


def classify(text: str) -> Meaning:
    """Understand a text. Any text is answered; nothing is raised."""
    own = own_words(text[:READ_LIMIT])
    if own.reaction:
        return Meaning(Intent.NONE, "reaction", TABLES_VERSION)
    words = words_of(plain(own.text))
    words = replace(words, tokens=_SPELLING.corrected(words.tokens))
    return whole_message(words) or phrases(words)


def phrases(words: Words) -> Meaning:
    """Look for what the words ask, in the languages that know most of them first."""
    present = frozenset(words.tokens)
    review = explained = False
    for grammar in concerned(present):
        for section, rule in grammar.rules(words.tokens):
            if section == MEANT:
                return Meaning(Intent.OPT_OUT, rule, TABLES_VERSION, grammar.language)
            if rule == AUTOMATIC:
                return Meaning(Intent.NONE, rule, TABLES_VERSION, grammar.language)
            explained = explained or section == NOT_MEANT
            review = review or section == UNCLEAR
    if found := _CLAUSES.meaning(words, explained=explained):
        return found
    return Meaning(Intent.NONE, "possible" if review else "no_rule", TABLES_VERSION, review=review)


def concerned(present: frozenset[str]) -> list[Grammar]:
    """Return the languages that know most of the words, leaving out those that know few."""
    known = sorted(((g.concerns(present), n) for n, g in enumerate(_GRAMMARS)), reverse=True)
    enough = known[0][0] * _SHARE
    return [_GRAMMARS[n] for count, n in known if count and count >= enough]
