"""Waiting for one thing while the next is being read."""

import threading
from itertools import count, islice

import pytest

from app.core.ahead import one_ahead


def test_results_come_in_the_order_given():
    """However many there are, none included."""
    for many in range(5):
        assert list(one_ahead(str, range(many))) == [str(each) for each in range(many)]


def test_the_next_is_read_while_one_is_worked_on():
    """The work can't end before the next was read: it would wait for ever if that came later."""
    read = [threading.Event() for _ in range(3)]

    def given():
        for place in range(3):
            read[place].set()
            yield place

    def work(place):
        assert read[min(place + 1, 2)].wait(timeout=10)
        return place

    assert list(one_ahead(work, given())) == [0, 1, 2]


def test_an_endless_source_is_read_as_it_is_wanted():
    """Never more than two things beyond what was taken."""
    taken = count()
    results = one_ahead(str, iter(lambda: next(taken), None))
    assert list(islice(results, 10)) == [str(each) for each in range(10)]
    assert next(taken) <= 12


def test_what_goes_wrong_is_raised_where_the_result_was_wanted():
    """Results before it are given."""
    results = one_ahead(lambda each: 1 // each, [1, 1, 0, 1])
    assert [next(results), next(results)] == [1, 1]
    with pytest.raises(ZeroDivisionError):
        next(results)
