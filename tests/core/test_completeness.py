"""The dossier beside the map of personal data: all that is held of a person, and of nobody else.

Every table is filled for two people, each value unlike all others.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
import sqlalchemy as sa

from app.core import data_map
from app.core.database import UtcDateTime
from app.core.dossier import NOT_TOLD
from app.core.models import Base
from app.core.services import Services
from app.documents import LANGUAGES, render_dossier, table_of
from app.web.api.consent_models import Dossier
from tests.making import PERSON

OTHER = "+393337654321"
TABLES = {name: table for name, table in Base.metadata.tables.items() if data_map.TABLES[name].held}
# Values that mean something elsewhere, so that no made-up one can stand for them.
_FIXED = {
    "program": "default",
    "provider": "simulator",
    "act": "consent",
    "door": "web",
    "evidence": {
        "expires_at": "2040-01-01T00:00:00+00:00",
        "double_opt_in": True,
        "wrong_codes_before": 0,
    },
    "channel": "email",
    "purpose": "marketing",
    "language": "it",
    "key_generation": 1,
    "text_version": 1,
    "notice_version": None,
    "campaign_id": 1,
    "status": "active",
}


def made(column: sa.Column[Any], n: int) -> Any:
    """A value of the column's type that stands nowhere else."""
    if isinstance(column.type, sa.LargeBinary):
        return n.to_bytes(4) * 8
    if isinstance(column.type, UtcDateTime):
        return datetime(2030, 1, 1, tzinfo=UTC) + timedelta(seconds=n)
    if isinstance(column.type, sa.JSON):
        return {"name": f"value {n}"}
    if isinstance(column.type, sa.Boolean):
        return True
    if isinstance(column.type, sa.Integer):
        return n
    return n / 1e9 if isinstance(column.type, sa.Float) else f"value {n}"


def fill(services: Services, number: str, numbers: Iterator[int]) -> dict[str, dict[str, Any]]:
    """A row in each table; what stands in it."""
    phone = services.phones.parse(number)
    rows: dict[str, dict[str, Any]] = {}
    with services.database.write() as connection:
        for table in Base.metadata.sorted_tables:
            if table.name not in TABLES:
                continue
            row = {c.name: _FIXED.get(c.name, made(c, next(numbers))) for c in table.columns}
            row |= {"fingerprint": phone.fingerprint} if "fingerprint" in row else {}
            row |= {"number": phone.e164} if "number" in row else {}
            for key in table.foreign_keys:
                if key.column.table.name in rows:
                    row[key.parent.name] = rows[key.column.table.name][key.column.name]
            if table.name == "outbound_messages":
                row["provider_message_id"] = rows["delivery_reports"]["provider_message_id"]
            connection.execute(sa.insert(table).values(row))
            rows[table.name] = row
    return rows


@pytest.fixture
def filled(services: Services) -> tuple[dict, dict]:
    """What the database holds of the one, and of the other."""
    numbers = count(7_000_000)
    campaigns = Base.metadata.tables["campaigns"]
    row = {c.name: _FIXED.get(c.name, made(c, next(numbers))) for c in campaigns.columns}
    with services.database.write() as connection:
        connection.execute(sa.insert(campaigns).values(row | {"id": 1}))
    return fill(services, PERSON, numbers), fill(services, OTHER, numbers)


def written(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return json.dumps(value)
    if isinstance(value, bool):
        return json.dumps(value)
    return value.hex() if isinstance(value, bytes) else str(value)


def told(services: Services) -> str:
    services.ledger.seal()
    return json.dumps(services.dossiers.export(PERSON)).replace("+00:00", "")


def is_left_out(name: str) -> bool:
    return name in NOT_TOLD or f"{name.partition('.')[0]}.*" in NOT_TOLD


def held() -> Iterator[tuple[str, str]]:
    for name in TABLES:
        for each in data_map.TABLES[name].held:
            yield from ((name, column) for column in each.columns.split())


def test_what_is_held_is_told(services: Services, filled):
    """Every column on the map is in the dossier, or on the list of what is not, with its reason."""
    mine, _ = filled
    dossier = told(services)

    missing = [
        f"{table}.{column}"
        for table, column in held()
        if not is_left_out(f"{table}.{column}")
        and written(mine[table][column]).replace("+00:00", "") not in dossier
    ]

    assert missing == []


def test_what_is_left_out_is_held_and_has_its_reason(services: Services, filled):
    """The list names nothing that there is not, and hides nothing that is told."""
    mine, _ = filled
    dossier = told(services)
    columns = {f"{table}.{column}" for table, column in held()}

    for name, reason in NOT_TOLD.items():
        table, _, column = name.partition(".")
        assert reason
        assert column == "*" or name in columns
        values = mine[table] if column == "*" else {column: mine[table][column]}
        assert not [v for k, v in values.items() if k not in _FIXED and written(v) in dossier]


def test_nothing_of_anybody_else_is_told(services: Services, filled):
    """No value of the other's rows is in it, in any table."""
    _, others = filled
    dossier = told(services)

    found = [
        f"{table}.{column}"
        for table, row in others.items()
        for column, value in row.items()
        if column not in _FIXED and not isinstance(value, bool) and written(value) in dossier
    ]

    assert found == []


def test_the_api_gives_the_whole_dossier(services: Services, filled):
    """No part is lost on the way through its model."""
    dossier = services.dossiers.export(PERSON)

    given = Dossier.model_validate(dossier).model_dump(mode="json")

    assert set(given) == set(dossier)
    assert given["handset_codes"] == dossier["handset_codes"] != []


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_document_and_the_table_tell_it_too(services: Services, filled, language: str):
    """Each part that holds something has its rows in the table, and its place to be read."""
    dossier = services.dossiers.export(PERSON)

    parts = {line.partition(",")[0] for line in table_of(dossier).splitlines()[1:]}
    page = render_dossier(dossier, language)
    assert parts >= {part for part, held in dossier.items() if held != []}
    for part in ("subscriber", "person_requests", "copy_searches", "handset_codes", "campaigns"):
        assert f"<h3>{part}</h3>" not in page, "a part without a name for readers"
        assert dossier[part]
