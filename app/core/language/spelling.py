"""From words as they were typed to words as the tables write them. Never by blind edit distance.

Each way is safe for its own reason: misspellings from closed lists; letters doubled or drawn out,
where the plain form is known; k for c; and one slip in a long word, an opt-out keyword or one that
the tables name, unless the tables name what was typed as a word of its own.
"""

import re
from functools import lru_cache

from app.core.language.normalise import LOST, MARKS
from app.core.language.slips import Slips
from app.core.language.tables import FUZZY, LAST_LETTER_LOST, NEVER_FUZZY, TYPOS

_RUN = re.compile(r"(.)\1+")
_LONG_RUN = re.compile(r"(.)\1{2,}")
_LEET = str.maketrans("013457$@", "oieastsa")
_DIGITS_APART = re.compile(r"\d+|[^\W\d]+")
# Shorter words have too many neighbours for a doubled letter to be safely a slip.
_SHORTEST_DOUBLED = 5
_SHORTEST_FUZZY = 6
_SPELLED_LETTERS = 3
_STOP = "stop"
# Words come again and again: each is looked into once, and so many are remembered.
_REMEMBERED = 16_384


class Spelling:
    """Reads typed words as known ones. `known` are the words that may be meant."""

    def __init__(
        self,
        known: frozenset[str],
        *,
        keywords: frozenset[str],
        beside_stop: frozenset[str],
        spelt_k: frozenset[str],
    ) -> None:
        self._known = known
        self._keywords = keywords
        self._beside_stop = beside_stop
        self._spelt_k = spelt_k | keywords
        self._single = {_RUN.sub(r"\1", w): w for w in known if len(w) >= _SHORTEST_DOUBLED}
        self._slips = Slips({*FUZZY, *(word for word in keywords if len(word) >= _SHORTEST_FUZZY)})
        self._known_or_mark = known | MARKS
        self._meant = lru_cache(_REMEMBERED)(self._looked_into)

    def corrected(
        self, tokens: tuple[str, ...], kept: frozenset[str] = frozenset()
    ) -> tuple[str, ...]:
        """Return the tokens with known words for misspelt ones; marks, and `kept`, stay."""
        if len([t for t in tokens if len(t) == 1 and t.isalnum()]) >= _SPELLED_LETTERS:
            tokens = _joined_letters(tokens)
        if self._known_or_mark.issuperset(tokens):
            return tokens
        tokens = self._respaced(self._put_together(_with_last_letter(tokens)))
        words: list[str] = []
        for token in tokens:
            if token in self._known_or_mark or token in kept:
                words.append(token)
            else:
                words += self._meant(token)
        return tuple(words)

    def _put_together(self, tokens: tuple[str, ...]) -> tuple[str, ...]:
        """Read "st op" and "can cel", where the pieces are the whole message."""
        words = [token for token in tokens if token not in MARKS]
        together = "".join(words)
        split = 1 < len(words) <= _SPELLED_LETTERS and not self._known.issuperset(words)
        return (together,) if split and together in self._keywords else tokens

    def _respaced(self, tokens: tuple[str, ...]) -> tuple[str, ...]:
        """Read "nonv oglio" and "mess aggi": a space one letter off, or in the middle of a word."""
        kept: list[str] = []
        for token in tokens:
            before = kept[-1] if kept else ""
            both_known = before in self._known and token in self._known
            if both_known or len(before) == 1 or len(token) == 1 or not before:
                kept.append(token)
            else:
                kept[-1:] = self._space_moved(before, token)
        return tuple(kept)

    def _space_moved(self, one: str, other: str) -> tuple[str, ...]:
        if one not in self._known and other not in self._known:
            for moved in ((one[:-1], one[-1] + other), (one + other[0], other[1:])):
                if self._known.issuperset(moved):
                    return moved
        joined = one + other
        if len(joined) >= _SHORTEST_DOUBLED and joined in self._keywords:
            return (joined,)
        return (one, other)

    def _looked_into(self, token: str) -> tuple[str, ...]:
        if token.isdecimal():
            return (token,)
        if token in TYPOS:
            return (TYPOS[token],)
        if any(char.isdecimal() for char in token):
            return self._without_digits(token)
        if LOST in token:
            return (self._with_letter_found(token),)
        return self._without_slips(token)

    def _without_digits(self, token: str) -> tuple[str, ...]:
        """Read st0p, stop1, stop2quit and stop36105."""
        letters = token.translate(_LEET)
        if letters in self._keywords:
            return (letters,)
        parts = tuple(_DIGITS_APART.findall(token))
        known = [part for part in parts if part in self._keywords]
        return parts if known else (token,)

    def _with_letter_found(self, token: str) -> str:
        """Read a word that lost one accented letter on its way."""
        candidates = (token.replace(LOST, letter) for letter in "euaioc")
        return next((word for word in candidates if word in self._known), token)

    def _without_slips(self, token: str) -> tuple[str, ...]:
        drawn_out = _LONG_RUN.sub(r"\1", token)
        if drawn_out in self._known:
            return (drawn_out,)
        single = _RUN.sub(r"\1", token)
        if single != token and single in self._keywords and _LONG_RUN.search(token):
            return (single,)
        if single in self._single:
            return (self._single[single],)
        spelt = () if token in NEVER_FUZZY else _with_k_spelt(token)
        if known := next((word for word in spelt if word in self._spelt_k), None):
            return (known,)
        if len(token) >= _SHORTEST_FUZZY - 1 and token not in NEVER_FUZZY:
            token = self._slips.meant(token) or token
        return self._unglued(token)

    def _unglued(self, token: str) -> tuple[str, ...]:
        """Read stopsms, pleasestop and stopstopstop."""
        head, stop, tail = token.partition(_STOP)
        if not stop or any(part and part not in self._beside_stop for part in (head, tail)):
            rest = token.replace(_STOP, "")
            return (token,) if rest or not stop else (_STOP,)
        return tuple(part for part in (head, _STOP, tail) if part)


def _with_k_spelt(token: str) -> list[str]:
    """Spell out the k of texting: skrivete, ke, kiero, kancella."""
    return [token.replace("k", letters) for letters in ("c", "ch", "qu")] if "k" in token else []


def _with_last_letter(tokens: tuple[str, ...]) -> tuple[str, ...]:
    """Read "pi? ricevere": a question mark that was an accented last letter."""
    if "?" not in tokens[:-1]:
        return tokens
    kept: list[str] = []
    for token, following in zip(tokens, (*tokens[1:], ""), strict=True):
        lost = kept and following and kept[-1] in LAST_LETTER_LOST
        if lost and token == "?":  # noqa: S105
            kept[-1] = LAST_LETTER_LOST[kept[-1]]
        else:
            kept.append(token)
    return tuple(kept)


def _joined_letters(tokens: tuple[str, ...]) -> tuple[str, ...]:
    """Read S T O P and s.t.o.p. as one word; shorter runs of letters stay as they are."""
    joined: list[str] = []
    run: list[str] = []
    for token in (*tokens, ""):
        if len(token) == 1 and token.isalnum():
            run.append(token)
        elif token not in MARKS or not run:
            letters = [t for t in run if t.isalnum()]
            joined += ["".join(letters)] if len(letters) >= _SPELLED_LETTERS else run
            run = []
            joined += [token] if token else []
        else:
            run.append(token)
    return tuple(joined)
