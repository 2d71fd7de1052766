"""A keyword that is a clause of its own, or has only names beside it: a signature, a brand."""

from dataclasses import dataclass

from app.core.language.keywords import LEXICON, Cover, Role, cover
from app.core.language.meaning import Intent, Meaning
from app.core.language.normalise import MARKS, Words
from app.core.language.tables import KEYWORDS, TABLES, TABLES_VERSION, Keyword, Phrase

_LONGEST_SIGNATURE = 4
_LONGEST_BRAND = 3
_STOP = "stop"
# STOP behind one of these is the word, not the request: text STOP, envía STOP.
_BEFORE_A_WORD = frozenset(
    word for table in TABLES for word in table.words("courtesy", "before_a_word")
)
# The longest words of opt-out keywords. A text with none of them has no such clause.
_ASKING = frozenset(
    max(phrase, key=len) for phrase, keyword in KEYWORDS.items() if keyword.intent is Intent.OPT_OUT
)


@dataclass(frozen=True, slots=True)
class Clause:
    """The words between two marks, and the marks."""

    words: Phrase
    opened_by: str = ""
    closed_by: str = ""


class Clauses:
    """Reads the clauses of a message.

    `context` are words of messages, lists and numbers,
    `things` those for what else one ends.
    """

    def __init__(
        self, context: frozenset[str], vocabulary: frozenset[str], things: frozenset[str]
    ) -> None:
        self._context = context
        self._vocabulary = vocabulary
        self._things = things

    def meaning(self, words: Words, *, explained: bool) -> Meaning | None:
        """Return an opt-out where one clause asks for it and the others do not speak against it.

        Of a text with a phrase that was `explained` away, only the last clause can still ask.
        """
        if _ASKING.isdisjoint(words.tokens):
            return None
        if not explained and _shouted_at_the_end(words):
            return Meaning(Intent.OPT_OUT, "keyword_shouted", TABLES_VERSION)
        clauses = parted(words.tokens)
        if len(clauses) == 1:
            only = clauses[0].words
            # SAIR Farmácia Luz: a keyword as it is printed, before a name made of everyday words.
            printed = only[0] in words.shouted and words.named.issuperset(only)
            return self._beside_a_name(words, only) if printed or not explained else None
        for place, clause in enumerate(clauses):
            found = cover(clause.words)
            others = clauses[:place] + clauses[place + 1 :]
            last = place == len(clauses) - 1
            if found.unknown or found.negated or not _asks(found, clause):
                continue
            if (last and self._closes(found, others, words)) or (
                not explained and self._asks_beside(found, others, words)
            ):
                return Meaning(Intent.OPT_OUT, "keyword_clause", TABLES_VERSION, found.language())
        return None

    def _closes(self, found: Cover, others: list[Clause], words: Words) -> bool:
        """Whether this is a request at the end of a message, nothing but courtesy with it."""
        if not _closing(found) or found.roles - {Role.COURTESY}:
            return False
        stop = any(keyword.closing and keyword.language is None for keyword in found.keywords)
        return stop or self._things.isdisjoint(words.tokens) or self._explain(others)

    def _asks_beside(self, found: Cover, others: list[Clause], words: Words) -> bool:
        if _unmistakable(found):
            return True
        if self._things.isdisjoint(words.tokens) and self._explain(others):
            return not found.roles - {Role.COURTESY, Role.EVERYTHING}
        everyday = all(k.everyday and not k.closing for k in found.keywords)
        return not everyday and self._support(others, words)

    def _explain(self, others: list[Clause]) -> bool:
        """Whether the other clauses talk of messages, of numbers, or of why one wants no more."""
        return any(self._is_about_messages(clause.words) for clause in others)

    def _support(self, others: list[Clause], words: Words) -> bool:
        """Whether the other clauses are about messages, courtesies, or together a signature."""
        left = [clause for clause in others if not self._is_about_messages(clause.words)]
        names = [word for clause in left for word in cover(clause.words).unknown]
        if not names:
            return True
        if len(names) > _LONGEST_SIGNATURE or "?" in words.tokens:
            return False
        apart = all(clause.opened_by == "\n" for clause in left)
        named = all(word in words.named for word in names)
        unknown = self._vocabulary.isdisjoint(names)
        signed = unknown and left[-1] == others[-1] and left[-1].words[-1] == names[-1]
        return (apart and unknown) or (
            named and (len(names) > 1 or _STOP in words.shouted or signed)
        )

    def _is_about_messages(self, clause: Phrase) -> bool:
        return not self._context.isdisjoint(clause)

    def _beside_a_name(self, words: Words, clause: Phrase) -> Meaning | None:
        """Read STOP ACME and Acme stop: what is left over is the name of a program or a brand."""
        found = cover(clause)
        if (
            all(k.intent is not Intent.OPT_OUT for k in found.keywords)
            or all(k.everyday and not k.closing for k in found.keywords)
            or found.negated
            or not 0 < len(found.unknown) <= _LONGEST_BRAND
        ):
            return None
        if found.roles - {Role.COURTESY, Role.AROUND, Role.PROGRAM}:
            return None
        if not self._is_name(words, clause, found):
            return None
        topic = " ".join([*found.topic, *found.numbers, *found.unknown])
        return Meaning(
            Intent.OPT_OUT, "keyword_and_name", TABLES_VERSION, found.language(), topic=topic
        )

    def _is_name(self, words: Words, clause: Phrase, found: Cover) -> bool:
        """Whether what is left over names a sender: no thing, no verb, no word of the languages."""
        left = found.unknown
        named = words.named.issuperset(left)
        begins = _begins(clause) and (_closing(found) or _unmistakable(found))
        if self._things.issuperset(left) or (named and begins):
            return named and begins and not self._things.issuperset(left)
        if not self._things.isdisjoint(left):
            return False
        if _unmistakable(found) and Role.AROUND not in found.roles:
            return True
        if not self._vocabulary.isdisjoint(left) or any(word.endswith("ing") for word in left):
            return False
        plain = not found.roles & {Role.AROUND, Role.COURTESY}
        beside_stop = clause[0] == _STOP or (clause[-1] == _STOP and not found.numbers)
        return (plain and beside_stop) or (named and (_unmistakable(found) or len(left) > 1))


def _shouted_at_the_end(words: Words) -> bool:
    """Whether STOP in capitals ends a text in small letters, and is not the word one sends."""
    spoken = [token for token in words.tokens if token not in MARKS]
    ends = len(spoken) > 1 and spoken[-1] == _STOP and words.tokens[-1] != "?"
    return (
        ends
        and words.shouted <= {_STOP, "i", "a"}
        and _STOP in words.shouted
        and spoken[-2] not in _BEFORE_A_WORD
    )


def parted(tokens: Phrase) -> list[Clause]:
    """Part the words at the marks."""
    clauses: list[Clause] = []
    words: list[str] = []
    opened_by = ""
    for token in (*tokens, "\n"):
        if token not in MARKS:
            words.append(token)
            continue
        if words:
            clauses.append(Clause(tuple(words), opened_by, token))
        words, opened_by = [], token
    return clauses


def _asks(found: Cover, clause: Clause) -> bool:
    """Whether an opt-out keyword is there that is no question."""
    return any(keyword.intent is Intent.OPT_OUT for keyword in found.keywords) and (
        clause.closed_by != "?" or _unmistakable(found)
    )


def _unmistakable(found: Cover) -> bool:
    """Whether a keyword is there that is no everyday verb besides."""
    return any(keyword.unmistakable for keyword in found.keywords)


def _begins(clause: Phrase) -> bool:
    """Whether an opt-out keyword stands first."""
    _, entries = LEXICON.at(clause, 0)
    return any(isinstance(e, Keyword) and e.intent is Intent.OPT_OUT for e in entries)


def _closing(found: Cover) -> bool:
    """Whether a keyword is there that is a request at the end of a message."""
    return any(keyword.closing for keyword in found.keywords)
