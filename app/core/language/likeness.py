"""How like an opt-out a text is, word by word: for what no rule of the grammar knows.

The grammar says what is certain. People also ask in words that nobody has foreseen, and a missed
opt-out is a violation: so a text that no rule decides is weighed. Each piece of its words (a word,
two words in a row, a part of a word) has a weight; the sum tells how like an opt-out the text is.
A sum that ordinary talk hardly ever reaches asks for a person, and so does a rule that fired on a
text most unlike an opt-out. Weighing decides nothing by itself, and opt-ins, codes and help are
never weighed.

The weights are in weights.toml, to be read by anybody: `python -m tests.weigh_words` makes them.
"""

import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

_PARTS = (4, 5)  # letters of a part of a word; a space before or behind tells where a word ends
_MOST_WORDS = 60  # an answer to a text message; the rest of a longer one is not weighed
_SHOWN = 6


@dataclass(frozen=True, slots=True)
class Limits:
    """From which sum on a person should read, and below which one a text is most unlike."""

    review: float
    unlike: float


@dataclass(frozen=True, slots=True)
class Weights:
    """What each piece adds to the sum, which begins at `bias`."""

    bias: float
    limits: Limits
    pieces: dict[str, float]


@cache
def weights() -> Weights:
    """The table, read at its first use."""
    written = resources.files(__package__).joinpath("weights.toml").read_text("utf-8")
    table = tomllib.loads(written)
    return Weights(table["bias"], Limits(**table["limits"]), table["pieces"])


def likeness(words: Sequence[str]) -> float:
    """The sum of the weights of all pieces; above 0 more like an opt-out than not."""
    table = weights()
    known = table.pieces
    return table.bias + sum(known.get(piece, 0.0) for piece in dict.fromkeys(pieces(words)))


def reasons(words: Sequence[str]) -> str:
    """The sum, and the pieces that weighed most."""
    known = weights().pieces
    found = [(piece, known[piece]) for piece in set(pieces(words)) if piece in known]
    found.sort(key=lambda pair: (-abs(pair[1]), pair[0]))
    shown = " ".join(f"{piece!r} {weight:+.1f}" for piece, weight in found[:_SHOWN])
    return f"{likeness(words):+.1f}: {shown}".rstrip(": ")


def pieces(words: Sequence[str]) -> Iterator[str]:
    """What is weighed: words, pairs of words, parts of words. Digits count as one sign."""
    before = ""
    for word in words[:_MOST_WORDS]:
        sign = "0" if word.isdigit() else word
        yield sign
        yield f"{before} {sign}"
        before = sign
        spaced = f" {sign} "
        for length in _PARTS:
            for start in range(len(spaced) - length + 1):
                yield f"~{spaced[start : start + length]}"
