"""The map of personal data: whole, and the same in code, docs and notice."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

import app
from app.core import data_map, notice
from app.core.models import Base
from app.core.policy import Policy


@pytest.mark.parametrize("table", sorted(Base.metadata.tables))
def test_every_column_is_on_the_map(table: str):
    """A column that the map does not name can't be added: somebody must say what it holds."""
    columns = {column.name for column in Base.metadata.tables[table].columns}

    assert data_map.named(data_map.TABLES[table]) == columns


def test_the_map_names_no_other_tables():
    """A table that went is gone from the map too."""
    assert set(data_map.TABLES) == set(Base.metadata.tables)


def test_the_docs_show_the_map():
    """docs/personal-data.md holds the map as it is: `optout privacy map` writes it anew."""
    shown = (Path(app.__file__).parents[1] / "docs" / "personal-data.md").read_text("utf-8")

    assert notice.as_markdown() in shown


@pytest.mark.parametrize("language", notice.LANGUAGES)
def test_the_notice_promises_what_the_map_says(language: str):
    """Every purpose and period of the map is in the notice, and no other."""
    words = notice.words_of(language)
    promised = {(aim, period) for aim, periods in words["data"].items() for period in periods}

    assert promised == {(held.aim, held.period) for held in notice.pairs()}
    assert set(words["aims"]) == set(data_map.Aim)
    text = notice.paragraphs(language, Policy(brand="Caffè", retention=timedelta(days=400)))
    assert "Caffè" in text
    assert "400" in text
    assert not re.search(r"[{}]", text)
