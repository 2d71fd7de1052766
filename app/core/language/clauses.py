"""A keyword that is a clause of its own, or has only names beside it: a signature, a brand."""

from dataclasses import dataclass

from app.core.language.keywords import Cover, Role, cover
from app.core.language.meaning import Intent, Meaning
from app.core.language.normalise import MARKS, Words
from app.core.language.tables import KEYWORDS, PRINTED, TABLES_VERSION, Phrase

_LONGEST_SIGNATURE = 4
_LONGEST_BRAND = 3
_STOP = "stop"
# The first words of opt-out keywords. A text with none of them has no such clause.
_ASKING = frozenset(
    phrase[0] for phrase, keyword in KEYWORDS.items() if keyword.intent is Intent.OPT_OUT
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
        clauses = parted(words.tokens)
        if len(clauses) == 1:
            return None if explained else self._beside_a_name(words, clauses[0].words)
        for place, clause in enumerate(clauses):
            found = cover(clause.words)
            others = clauses[:place] + clauses[place + 1 :]
            if found.unknown or found.negated or not self._is_request(found, clause, others):
                continue
            closes = place == len(clauses) - 1 and _closes(found)
            if closes or (not explained and self._asks_beside(found, others, words)):
                return Meaning(Intent.OPT_OUT, "keyword_clause", TABLES_VERSION, found.language())
        return None

    def _is_request(self, found: Cover, clause: Clause, others: list[Clause]) -> bool:
        """Whether the clause asks; one with an everyday word does where messages are the talk."""
        if _asks(found, clause):
            return True
        everyday = any(keyword.intent is Intent.OPT_OUT for keyword in found.keywords)
        alone = not found.roles - {Role.COURTESY, Role.EVERYTHING}
        return (
            everyday
            and alone
            and clause.closed_by != "?"
            and len(others) == 1
            and self._is_about_messages(others[0].words)
        )

    def _asks_beside(self, found: Cover, others: list[Clause], words: Words) -> bool:
        return _unmistakable(found) or self._support(others, words)

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
            not _asks(found, Clause(clause))
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
        named = all(word in words.named for word in left)
        # SAIR Farmácia Luz: what instructions print, typed as they print it, and a capitalised name.
        printed = named and clause[:1] in PRINTED
        if self._things.issuperset(left):
            return False
        if printed and clause[0] in words.shouted:
            return True
        if not self._things.isdisjoint(left):
            return False
        if _unmistakable(found) and Role.AROUND not in found.roles:
            return True
        if not self._vocabulary.isdisjoint(left) or any(word.endswith("ing") for word in left):
            return False
        if clause[0] == _STOP or (clause[-1] == _STOP and not found.numbers):
            return True
        return printed or (named and (_unmistakable(found) or len(left) > 1))


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
    return any(
        keyword.intent is Intent.OPT_OUT and (not keyword.everyday or keyword.closing)
        for keyword in found.keywords
    ) and (clause.closed_by != "?" or _unmistakable(found))


def _unmistakable(found: Cover) -> bool:
    """Whether a keyword is there that is no everyday verb besides."""
    return any(keyword.unmistakable for keyword in found.keywords)


def _closes(found: Cover) -> bool:
    """Whether this keyword is a request at the end of a message, nothing but courtesy with it."""
    return any(k.closing for k in found.keywords) and not found.roles - {Role.COURTESY}
