"""Words are weighed where no rule decides."""

import itertools

import pytest

from app.core.language import Intent, classify, explain
from app.core.language.likeness import likeness, pieces, weights
from app.core.language.tables import KEYWORDS
from tests.weigh_words import Example, learn

# No rule of the grammar knows these; each is from nobody's list.
ASKED_IN_OTHER_WORDS = [
    "ma la finite con sti messaggi promozionali del menga",
    "enough already with the promo texts ok",
]


def test_the_limits_stand_in_their_order():
    """What is most unlike an opt-out is far below what a person should read."""
    limits = weights().limits

    assert limits.unlike < limits.review - 2


def test_the_table_holds_no_other_pieces_than_a_text_can_have():
    """A weight that no text can reach would only make the table longer."""
    for piece in weights().pieces:
        word = piece.removeprefix("~").strip()
        assert piece in set(pieces(piece.split())) or piece in set(pieces([word])) or " " in piece


@pytest.mark.parametrize("phrase", [p for p, k in KEYWORDS.items() if k.intent is Intent.OPT_IN])
def test_an_opt_in_is_never_weighed(phrase: tuple[str, ...]):
    """Whatever the table says: an exact opt-in stays one."""
    assert classify(" ".join(phrase)).rule not in {"likeness", "unlike"}


@pytest.mark.parametrize("text", ASKED_IN_OTHER_WORDS)
def test_a_request_in_other_words_reaches_a_person_at_least(text: str):
    """What no rule knows and is like an opt-out is one, or is held back for a person."""
    meaning = classify(text)

    assert meaning.intent is Intent.OPT_OUT or meaning.review


def test_the_explanation_names_what_weighed():
    """A person who answers for a decision sees which pieces made it."""
    _, steps = explain("basta con questi messaggi pubblicitari, non se ne può più")

    weighed = next(step.left for step in steps if step.name == "likeness")
    assert weighed.startswith("+")
    assert "pub" in weighed


def test_only_so_many_words_are_weighed():
    """The work has a bound: what stands behind sixty words changes nothing."""
    words = ["messaggio"] * 60

    assert likeness([*words, "stop", "basta"]) == likeness(words)


def test_the_same_examples_give_the_same_weights():
    """The table can be made anew by anybody, and what speaks for an opt-out weighs more."""
    examples = [
        Example(("", "stop", "texts"), is_opt_out=True, weight=1.0),
        Example(("", "bus", "stop"), is_opt_out=False, weight=1.0),
    ] * 30

    first, second = learn(examples), learn(examples)

    assert [first.weight(p) for p in ("texts", "bus")] == [
        second.weight(p) for p in ("texts", "bus")
    ]
    assert first.weight("texts") > 0 > first.weight("bus")


def test_the_order_of_the_pieces_is_the_words():
    """Pairs tell "no more" from "more no"."""
    one, other = (set(pieces(words)) for words in itertools.permutations(["no", "more"]))

    assert one != other
