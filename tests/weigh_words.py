"""Makes app/core/language/weights.toml: how much each piece of a text speaks for an opt-out.

    python -m tests.weigh_words TALK…

learns from the development part of the labelled corpus, and from files of ordinary talk, a message
a line, in which nobody opts out (which ones: corpus/README.md; they are not kept here). Logistic
regression with FTRL-Proximal (McMahan et al. 2013), whose L1 keeps the table short; the same input
gives the same table. A quarter of the talk is held back from learning and sets the limit: how many
of so many ordinary messages may be shown to a person.
"""

import argparse
import math
import random
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm

import app.core.language.likeness as weighed
from app.core.language import Intent
from app.core.language.classifier import words_spelt_right
from tests.language_report import lines

TABLE = Path(weighed.__file__).with_name("weights.toml")
_ROUNDS = 5
_OF_TALK = 0.3  # the weight of a line of talk beside a labelled one
_HELD_BACK = 4  # every fourth line of talk sets the limits
_MOST_REVIEWS = 300  # of so many ordinary messages one may be shown to a person
_UNLIKE = -5.0
_LEAST = 0.05


@dataclass(frozen=True, slots=True)
class Example:
    pieces: tuple[str, ...]
    is_opt_out: bool
    weight: float


@dataclass
class Learner:
    """FTRL-Proximal: each piece has its own rate of learning; what hardly matters weighs 0."""

    alpha: float = 0.15
    beta: float = 1.0
    l1: float = 2.5
    l2: float = 0.3
    z: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    n: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    def weight(self, piece: str) -> float:
        z = self.z.get(piece, 0.0)
        l1 = 0.0 if piece == "" else self.l1
        if abs(z) <= l1:
            return 0.0
        return (math.copysign(l1, z) - z) / (
            (self.beta + math.sqrt(self.n[piece])) / self.alpha + self.l2
        )

    def learn(self, example: Example) -> None:
        at = {piece: self.weight(piece) for piece in example.pieces}
        total = max(-30.0, min(30.0, sum(at.values())))
        gradient = (1 / (1 + math.exp(-total)) - example.is_opt_out) * example.weight
        if abs(gradient) < 1e-4:
            return
        squared = gradient * gradient
        for piece, weight in at.items():
            n = self.n[piece]
            sigma = (math.sqrt(n + squared) - math.sqrt(n)) / self.alpha
            self.z[piece] += gradient - sigma * weight
            self.n[piece] = n + squared


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.weigh_words", description=__doc__)
    parser.add_argument("talk", nargs="+", type=Path)
    given = parser.parse_args()
    talk = [_pieces(text) for path in given.talk for text in _lines(path)]
    _shuffler(1).shuffle(talk)
    held_back, learnt = talk[::_HELD_BACK], [t for i, t in enumerate(talk) if i % _HELD_BACK]
    learner = learn(
        [*labelled(), *(Example(each, is_opt_out=False, weight=_OF_TALK) for each in learnt)]
    )
    table = {piece: round(learner.weight(piece), 2) for piece in learner.z}
    bias = table.pop("")
    table = {piece: weight for piece, weight in table.items() if abs(weight) >= _LEAST}
    sums = sorted((bias + sum(table.get(p, 0.0) for p in each) for each in held_back), reverse=True)
    limits = {
        "review": round(sums[len(sums) // _MOST_REVIEWS] + 0.05, 1),
        "unlike": _UNLIKE,
    }
    write(bias, limits, table)
    tqdm.write(f"{len(table)} pieces, limits {limits}, from {len(learnt)} lines of talk")
    return 0


def learn(examples: Sequence[Example]) -> Learner:
    learner, order = Learner(), list(examples)
    shuffler = _shuffler(2)
    for _ in tqdm(range(_ROUNDS), unit="round"):
        shuffler.shuffle(order)
        for example in order:
            learner.learn(example)
    return learner


def labelled() -> Iterable[Example]:
    for line in lines():
        if line.must and line.split == "dev":
            yield Example(_pieces(line.text), is_opt_out=line.label is Intent.OPT_OUT, weight=1.0)


def write(bias: float, limits: dict[str, float], table: dict[str, float]) -> None:
    rows = [f'"{piece}" = {weight}' for piece, weight in sorted(table.items())]
    limited = [f"{name} = {limit}" for name, limit in limits.items()]
    head = "# How much each piece speaks for an opt-out: made by `python -m tests.weigh_words`."
    written = [head, f"bias = {bias}", "", "[limits]", *limited, "", "[pieces]", *rows, ""]
    TABLE.write_text("\n".join(written), "utf-8")


def _shuffler(seed: int) -> random.Random:
    """The same order each time."""
    return random.Random(seed)  # noqa: S311 - an order, not a secret


def _pieces(text: str) -> tuple[str, ...]:
    """Each once, in a fixed order; the empty one is always there and becomes the bias."""
    return ("", *dict.fromkeys(weighed.pieces(words_spelt_right(text))))


def _lines(path: Path) -> list[str]:
    return sorted({line for line in path.read_text("utf-8").splitlines() if line.strip()})


if __name__ == "__main__":
    sys.exit(main())
