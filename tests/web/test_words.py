"""The words on the pages."""

import re
from collections.abc import Iterator
from enum import StrEnum
from importlib import resources
from typing import Any

import pytest

from app.core.errors import Reason
from app.core.inbound import Silence
from app.core.language import LANGUAGES as READ_LANGUAGES
from app.core.language import Intent
from app.core.models import Act, DeliveryStatus
from app.web.words import LANGUAGES, words

WEB = resources.files("app.web")
FILES = list(WEB.joinpath("static", "simulator").iterdir())
SCRIPTS = [file for file in FILES if file.name.endswith(".js")]


def paths(table: Any, prefix: str = "") -> Iterator[str]:
    if not isinstance(table, dict):
        yield prefix
        return
    for key, value in table.items():
        yield from paths(value, f"{prefix}.{key}" if prefix else key)


def placeholders(language: str, part: str, path: str) -> set[str]:
    table: Any = words(language, part)
    for key in path.split("."):
        table = table[key]
    return set(re.findall(r"\{(\w+)\}", str(table)))


@pytest.mark.parametrize("part", ["", "public"])
def test_every_language_says_the_same_things(part: str):
    """A word that one language has, all have, with the same places to fill in."""
    first = LANGUAGES[0]
    expected = set(paths(words(first, part)))
    for language in LANGUAGES[1:]:
        assert set(paths(words(language, part))) == expected
        for path in expected:
            assert placeholders(language, part, path) == placeholders(first, part, path), path


@pytest.mark.parametrize(
    ("table", "codes"),
    [
        ("reasons", Reason),
        ("silences", Silence),
        ("meanings", Intent),
        ("acts", Act),
        ("statuses", DeliveryStatus),
    ],
)
def test_every_code_is_explained_in_plain_words(table: str, codes: type[StrEnum]):
    """Whatever the gateway decides, the page has words for it, and for what it doesn't know."""
    for language in LANGUAGES:
        known = words(language)[table]
        left_out = set() if codes is not DeliveryStatus else {DeliveryStatus.REFUSED}  # has reasons
        assert {str(code) for code in codes} - left_out <= set(known)
        assert "other" in known


def test_every_language_that_is_read_has_a_name():
    """The language a person writes in is shown by its own name."""
    for language in LANGUAGES:
        assert set(words(language)["language_names"]) == set(READ_LANGUAGES)


def test_the_page_asks_only_for_words_that_there_are():
    """Every word that a script or template names exists."""
    there_are = set(paths(words("en")))
    tables = {path.rpartition(".")[0] for path in there_are}
    asked = set()
    for script in SCRIPTS:
        source = script.read_text("utf-8")
        asked |= set(re.findall(r'\bsay\("([\w.]+)"', source))
        assert set(re.findall(r'\bexplain\("(\w+)"', source)) <= tables
    template = WEB.joinpath("templates", "simulator.html").read_text("utf-8")
    asked |= set(re.findall(r"\bwords\.([\w.]+?)(?:\[\w+\])? ?[}%]", template))

    assert len(asked) > 60
    assert asked <= there_are | tables
