"""docs/threats.md names tests that there are: a promise without its test is noticed."""

import re

import pytest

from tests.source import REPOSITORY

TABLES = (REPOSITORY / "docs" / "threats.md").read_text("utf-8")
NAMED = sorted(set(re.findall(r"`([a-z_/]+\.py)(?:: (test_\w+))?`", TABLES)))
ROWS = [line for line in TABLES.split("## The law")[1].splitlines() if line.startswith("| ")]


@pytest.mark.parametrize(("path", "test"), NAMED)
def test_what_is_named_exists(path: str, test: str):
    """The file, and in it the very test."""
    source = (REPOSITORY / "tests" / path).read_text("utf-8")
    assert not test or f"def {test}(" in source


def test_every_rule_has_its_test():
    """No row of the law's tables is left without one."""
    rules = [row for row in ROWS if not row.startswith(("| rule ", "| --- "))]
    assert len(rules) > 30
    assert [row for row in rules if not re.search(r"`[a-z_/0-9]+\.py", row)] == []
