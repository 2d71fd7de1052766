"""The one entry: a text in, its meaning out, and on request each step on the way."""

from dataclasses import dataclass, replace

from app.core.language.clauses import Clauses
from app.core.language.grammar import LOOSE, MEANT, NOT_MEANT, UNCLEAR, Grammar
from app.core.language.keywords import LEXICON
from app.core.language.meaning import Intent, Meaning
from app.core.language.normalise import Words, plain, words_of
from app.core.language.own_words import NO_OWN_WORDS, OwnWords
from app.core.language.quoting import OwnText, own_text
from app.core.language.spelling import Spelling
from app.core.language.tables import COURTESY, EVERYTHING, KEYWORDS, TABLES, TABLES_VERSION
from app.core.language.whole import signs_only, whole_message

# Characters that are read. Twilio joins the parts of a long message up to 1,600; what stands
# behind that is not a person's answer to a text message.
READ_LIMIT = 2_000
# The rule of texts that a machine wrote: all of the text is its own then.
AUTOMATIC = "automatic"
# A language that knows less than this share of what the best one knows is not the text's.
_SHARE = 0.5
_MOST_SLIPS = 2
_LONGEST_WITH_SLIPS = 16

_GRAMMARS = tuple(Grammar(table) for table in TABLES if "words" in table.data)
# Which languages' phrases know a word, as places in _GRAMMARS.
_SPEAKERS: dict[str, list[int]] = {}
for _place, _grammar in enumerate(_GRAMMARS):
    for _word in _grammar.vocabulary:
        _SPEAKERS.setdefault(_word, []).append(_place)
_VOCABULARY = frozenset().union(*(grammar.vocabulary for grammar in _GRAMMARS))
_BESIDE_STOP = {p[0] for p in (*EVERYTHING, *COURTESY) if len(p) == 1 and len(p[0]) > 1}
# The classes of verbs that texting spells with a k.
_VERBS = ("send", "send_us", "remove_me", "remove", "want")
_SPELLING = Spelling(
    LEXICON.words() | _VOCABULARY,
    keywords=frozenset(
        p[0] for p, k in KEYWORDS.items() if len(p) == 1 and k.intent is Intent.OPT_OUT
    ),
    beside_stop=frozenset(_BESIDE_STOP | {"it", "this", "now", "please"}),
    spelt_k=frozenset(
        w for g in _GRAMMARS if g.language != "en" for n in _VERBS for w in g.words(n)
    ),
)
_CLAUSES = Clauses(
    frozenset().union(*(grammar.words("context") for grammar in _GRAMMARS)),
    _VOCABULARY,
    frozenset().union(*(grammar.words("things") for grammar in _GRAMMARS)),
)


@dataclass(frozen=True, slots=True)
class Step:
    """One step of reading a text: its name, and what it left or found."""

    name: str
    left: str


@dataclass(frozen=True, slots=True)
class Reading:
    """A text on its way: the sender's own words, in plain letters, as words, spelt right."""

    own: OwnText
    letters: str
    typed: Words
    words: Words
    cut: bool


def classify(text: str, own_words: OwnWords = NO_OWN_WORDS) -> Meaning:
    """Understand a text. Any text is answered; nothing is raised.

    The first READ_LIMIT characters are read, so that the time is bounded. Of a longer text only
    an opt-out is believed; a person should read the rest.
    """
    return _meaning(_read(text, own_words), own_words)


def explain(text: str, own_words: OwnWords = NO_OWN_WORDS) -> tuple[Meaning, tuple[Step, ...]]:
    """Return the meaning with every step that led to it and what the step left."""
    reading = _read(text, own_words)
    meaning = _meaning(reading, own_words)
    found = (
        f"{grammar.language} {section}: {rule}"
        for grammar in _concerned(frozenset(reading.words.tokens))
        for section, rule in grammar.rules(reading.words.tokens)
    )
    return meaning, (
        Step("read", text[:READ_LIMIT]),
        Step("own words", reading.own.text),
        Step("plain letters", reading.letters),
        Step("words", " ".join(reading.typed.tokens)),
        Step("spelling", " ".join(reading.words.tokens)),
        Step("phrases", "; ".join(found)),
        Step("meaning", f"{meaning.intent} by {meaning.rule}"),
    )


def _read(text: str, own_words: OwnWords) -> Reading:
    own = own_text(text[:READ_LIMIT])
    letters = plain(own.text)
    typed = words_of(letters)
    words = replace(typed, tokens=_SPELLING.corrected(typed.tokens, own_words.words))
    return Reading(own, letters, typed, words, cut=len(text) > READ_LIMIT)


def _meaning(reading: Reading, own_words: OwnWords) -> Meaning:
    if reading.own.reaction:
        return Meaning(Intent.NONE, "reaction", TABLES_VERSION)
    if not reading.words.tokens:
        return signs_only(reading.own.text)
    meaning = whole_message(reading.words, reading.typed, own_words.lexicon) or _phrases(
        reading.words
    )
    if reading.cut and meaning.intent is not Intent.OPT_OUT:
        return Meaning(Intent.NONE, "too_long", TABLES_VERSION, meaning.language, review=True)
    return meaning


def _phrases(words: Words) -> Meaning:
    """Look for what the words ask, in the languages that know most of them first."""
    review = False
    explained: Grammar | None = None
    loose: Meaning | None = None
    for grammar in _concerned(frozenset(words.tokens)):
        for section, rule in grammar.rules(words.tokens):
            if section == MEANT:
                return Meaning(Intent.OPT_OUT, rule, TABLES_VERSION, grammar.language)
            if rule == AUTOMATIC:
                return Meaning(Intent.NONE, rule, TABLES_VERSION, grammar.language)
            if section == NOT_MEANT:
                explained = explained or grammar
            if section == LOOSE:
                loose = loose or Meaning(Intent.OPT_OUT, rule, TABLES_VERSION, grammar.language)
            # What one language explains away is no riddle because it is a word in another.
            review = review or (section == UNCLEAR and explained in {None, grammar})
    if found := _CLAUSES.meaning(words, explained=explained is not None):
        return found
    if explained is None and (found := loose or _with_slips_undone(words)):
        return found
    return Meaning(Intent.NONE, "possible" if review else "no_rule", TABLES_VERSION, review=review)


def _with_slips_undone(words: Words) -> Meaning | None:
    """Look again, with slips undone, where no more than two words of a short text are unknown."""
    if len(words.tokens) > _LONGEST_WITH_SLIPS:
        return None
    for grammar in _concerned(frozenset(words.tokens)):
        if not 0 < grammar.unknown(words.tokens) <= _MOST_SLIPS:
            continue
        undone = grammar.with_slips_undone(words.tokens)
        if undone != words.tokens:
            sections = dict(grammar.rules(undone))
            if MEANT in sections and NOT_MEANT not in sections:
                return Meaning(Intent.OPT_OUT, sections[MEANT], TABLES_VERSION, grammar.language)
    return None


def _concerned(present: frozenset[str]) -> list[Grammar]:
    """Return the languages that know most of the words, leaving out those that know few."""
    known = [0] * len(_GRAMMARS)
    for word in present:
        for number in _SPEAKERS.get(word, ()):
            known[number] += 1
    enough = max(1, max(known) * _SHARE)
    order = sorted(range(len(known)), key=known.__getitem__, reverse=True)
    return [_GRAMMARS[number] for number in order if known[number] >= enough]
