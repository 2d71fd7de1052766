"""A keyword that is a clause of its own, or has only names beside it: a signature, a brand."""

from app.core.language.keywords import Cover, Role, cover
from app.core.language.meaning import Intent, Meaning
from app.core.language.normalise import MARKS, Words
from app.core.language.tables import TABLES_VERSION, Phrase

_LONGEST_SIGNATURE = 4
_LONGEST_BRAND = 3
_STOP = "stop"


class Clauses:
    """Reads the clauses of a message. `context` are words of messages, lists and numbers."""

    def __init__(self, context: frozenset[str], vocabulary: frozenset[str]) -> None:
        self._context = context
        self._vocabulary = vocabulary

    def meaning(self, words: Words) -> Meaning | None:
        """Return an opt-out where one clause asks for it and the others do not speak against it."""
        clauses = parted(words.tokens)
        if len(clauses) == 1:
            return self._beside_a_name(words, clauses[0])
        for place, clause in enumerate(clauses):
            found = cover(clause)
            if not _asks(found) or found.unknown:
                continue
            others = clauses[:place] + clauses[place + 1 :]
            if _unmistakable(found) or all(self._supports(c, words, found) for c in others):
                return Meaning(
                    Intent.OPT_OUT, "keyword_clause", TABLES_VERSION, found.language()
                )
        return None

    def _supports(self, clause: Phrase, words: Words, keyword: Cover) -> bool:
        """Whether a clause beside the keyword's is about messages, a courtesy or a signature."""
        if not self._context.isdisjoint(clause) or not cover(clause).unknown:
            return True
        is_name = all(word in words.named for word in clause)
        shouted = keyword.language() is None and _STOP in words.shouted
        return is_name and len(clause) <= _LONGEST_SIGNATURE and (shouted or len(clause) > 1)

    def _beside_a_name(self, words: Words, clause: Phrase) -> Meaning | None:
        """Read STOP ACME and Acme stop: what is left over is the name of a program or a brand."""
        found = cover(clause)
        if not _asks(found) or not 0 < len(found.unknown) <= _LONGEST_BRAND:
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
        if _unmistakable(found):
            return True
        if _STOP not in (clause[0], clause[-1]) or self._vocabulary.intersection(found.unknown):
            return False
        named = all(word in words.named for word in found.unknown)
        return named and (_STOP in words.shouted or len(found.unknown) > 1)


def parted(tokens: Phrase) -> list[Phrase]:
    """Part the words at the marks."""
    clauses: list[list[str]] = [[]]
    for token in tokens:
        if token in MARKS:
            clauses.append([])
        else:
            clauses[-1].append(token)
    return [tuple(clause) for clause in clauses if clause]


def _asks(found: Cover) -> bool:
    return any(k.intent is Intent.OPT_OUT and not k.everyday for k in found.keywords)


def _unmistakable(found: Cover) -> bool:
    """Whether a keyword is there that is no everyday verb besides."""
    return any(keyword.unmistakable for keyword in found.keywords)
