"""One slip of the finger: a letter left out, added, replaced, or swapped with the next."""

from collections.abc import Iterable
from functools import lru_cache

# In a shorter word only two letters that changed places are a slip and not another word, and in
# a still shorter one only a letter that was typed twice.
_SHORTEST = 5
_SHORTEST_SWAPPED = 4
_SHORTEST_DOUBLED = 2
# Words come again and again: each is looked into once, and so many are remembered.
_REMEMBERED = 16_384


class Slips:
    """Finds the one word of a list that a typed word is a slip of."""

    def __init__(self, words: Iterable[str]) -> None:
        self._words_by_slip: dict[str, set[str]] = {}
        for word in words:
            slips = _without_one(word) if len(word) >= _SHORTEST_SWAPPED else []
            for slip in (word, *slips):
                self._words_by_slip.setdefault(slip, set()).add(word)
        self.meant = lru_cache(_REMEMBERED)(self._looked_into)

    def _looked_into(self, typed: str) -> str | None:
        """Return the word that was meant, of several the one of the same length; or None."""
        near = {
            word
            for slip in (typed, *_without_one(typed))
            for word in self._words_by_slip.get(slip, ())
            if _is_one_slip(word, typed)
        }
        return min(near, key=lambda word: (abs(len(word) - len(typed)), word), default=None)


def _without_one(word: str) -> list[str]:
    return [word[:place] + word[place + 1 :] for place in range(len(word))]


def _is_one_slip(word: str, typed: str) -> bool:
    # A plural and its singular are two words.
    if abs(len(word) - len(typed)) > 1 or word == typed + "s":
        return False
    start = next((i for i, (a, b) in enumerate(zip(word, typed, strict=False)) if a != b), None)
    if start is None:
        start = min(len(word), len(typed))
    a, b = word[start:], typed[start:]
    if len(word) >= _SHORTEST_DOUBLED and b[1:] == a and b[:1] == typed[start - 1 : start]:
        return True
    if len(word) >= _SHORTEST_SWAPPED and len(a) > 1 and a[1::-1] == b[:2] and a[2:] == b[2:]:
        return True
    # The first letter is seldom wrong, and other words often differ in just that.
    fits = a[1:] == b[1:] or a[1:] == b or a == b[1:]
    return fits and start > 0 and len(word) >= _SHORTEST
