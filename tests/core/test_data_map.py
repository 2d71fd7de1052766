"""The map of personal data: whole, and the same in code, docs and notice."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

import app
from app.core import data_map, notice
from app.core.models import Base
from app.core.optin import Join
from app.core.policy import Policy
from app.core.services import Services
from tests.making import PERSON, draft, text


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


@pytest.mark.parametrize("table", ["consents", "opt_in_requests", "inbound_messages"])
def test_the_dossier_shows_what_the_map_names(table: str, services: Services, provider):
    """Whatever is held of a person is in what they are given (GDPR art. 15)."""
    services.opt_ins.request(Join(PERSON, "default", "web", "form"))
    code = re.search(r"\d{6}", provider.sent[-1].body)[0]
    services.inbox.receive(text(code))
    services.outbox.send(draft())
    dossier = services.dossiers.export(PERSON)

    shown = "requests" if table == "opt_in_requests" else "messages_received"
    if table == "consents":
        said = str(dossier["consent_records"])
        assert all(word in said for word in ("channel", "given", "expires", "retention"))
        return
    mine = {c for held in data_map.TABLES[table].held for c in held.columns.split()}
    assert mine - set(dossier[shown][0]) <= {"fingerprint"}
