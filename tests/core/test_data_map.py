"""The map of personal data: whole, and the same in code, docs and notice."""

import pytest

from app.core import data_map
from app.core.models import Base


@pytest.mark.parametrize("table", sorted(Base.metadata.tables))
def test_every_column_is_on_the_map(table: str):
    """A column that the map does not name can't be added: somebody must say what it holds."""
    columns = {column.name for column in Base.metadata.tables[table].columns}

    assert data_map.named(data_map.TABLES[table]) == columns


def test_the_map_names_no_other_tables():
    """A table that went is gone from the map too."""
    assert set(data_map.TABLES) == set(Base.metadata.tables)
