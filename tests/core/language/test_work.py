"""How much work a text is: in proportion to its length, whatever stands in it."""

import re._constants as constants
import re._parser as parser
import sys

import pytest

from app.core.language import classifier as reading
from app.core.language import classify

# Calls for twice the text, as a multiple of those for it: twice, and what does not grow with it.
MOST = 2.3
# Ordinary words, words of the grammars, slips of them, marks, single letters.
UNITS = [
    "see you later then ",
    "non voglio più ricevere ",
    "mesages ",
    "stop? no, ",
    "s t o p ",
    "nonv oglio ",
    "Werbenachrichtenmüll ",
]


def calls(text: str) -> int:
    """Count the function calls, Python's own among them, that reading a text takes."""
    count = 0

    def counted(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    sys.setprofile(counted)
    try:
        classify(text)
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("unit", UNITS)
def test_twice_the_text_is_twice_the_work(unit):
    """A text of 1,800 characters takes no more than about twice the calls of one of 900."""
    text = unit * (900 // len(unit))
    classify(text + text)  # what is remembered of single words is remembered for both
    assert calls(text + text) <= MOST * calls(text)


def test_no_phrase_repeats_without_bound():
    """Each phrase looks a fixed number of words ahead: a search is linear in the text."""
    for grammar in reading._GRAMMARS:
        for source in grammar.sources():
            assert _longest_repeat(parser.parse(source)) <= 20, source


def _longest_repeat(parsed: object) -> int:
    """Return the highest bound of any repetition in a parsed expression, nested ones included."""
    longest = 0
    for operation, argument in parsed:
        if operation in {constants.MAX_REPEAT, constants.MIN_REPEAT}:
            longest = max(longest, int(argument[1]), _longest_repeat(argument[2]))
        elif operation is constants.SUBPATTERN:
            longest = max(longest, _longest_repeat(argument[3]))
        elif operation is constants.BRANCH:
            longest = max([longest, *map(_longest_repeat, argument[1])])
        elif operation in {constants.ASSERT, constants.ASSERT_NOT}:
            longest = max(longest, _longest_repeat(argument[1]))
    return longest
