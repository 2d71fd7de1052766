"""Statements that go straight to the driver: what they give and how they fail is SQLAlchemy's."""

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from app.core.errors import InvalidInputError
from app.core.models import LedgerEntry, Program, Subscriber
from app.core.statements import Statement

NUMBER = "+393331234567"
SEEN = datetime(2024, 5, 6, 7, 8, 9, 123456, tzinfo=UTC)
ROW = {"fingerprint": b"\0" * 31 + b"\xff", "number": NUMBER, "first_seen_at": SEEN}

ADD = sa.insert(Subscriber).returning(Subscriber)
FIND = sa.select(Subscriber).where(
    Subscriber.number == sa.bindparam("number"), Subscriber.erased_at.is_(None)
)

NAMED = sa.select(Program.slug).where(Program.slug == sa.bindparam("slug"))


def test_rows_and_values_are_as_sqlalchemy_gives_them(database):
    """Times, bytes, JSON and truth values are the same by both ways, and rows have names."""
    entry = {
        "at": SEEN,
        "act": "hold",
        "program": "%s :x ?",
        "door": "a\0b\ud800",
        "evidence": {"n": [1, None, "è"]},
        "person_digest": b"\1" * 32,
    }
    asked = sa.select(LedgerEntry, (LedgerEntry.id > 0).label("later"))
    with database.write() as connection:
        (added,) = Statement(ADD).run(connection, ROW)
        Statement(sa.insert(LedgerEntry).returning(LedgerEntry.id)).run(connection, entry)
        (found,) = Statement(FIND).run(connection, {"number": NUMBER})
        (ours,) = Statement(asked).run(connection, {})
        theirs = connection.execute(asked).one()
        assert (added, found) == (connection.execute(FIND, {"number": NUMBER}).one(),) * 2
    assert ours._asdict() == dict(theirs._mapping)
    assert [type(value) for value in ours] == [type(value) for value in theirs]
    assert (found.first_seen_at, ours.at, ours.evidence) == (SEEN, SEEN, {"n": [1, None, "è"]})


def test_values_of_the_statement_itself_and_others_each_time(database):
    """What stands in the statement stays; other names given make another statement of it."""
    change = Statement(
        sa.update(Program).where(Program.slug == "default").returning(Program.brand, Program.sender)
    )
    with database.write() as connection:
        assert change.run(connection, {"brand": "One"}) == [("One", None)]
        assert change.run(connection, {"sender": "Two"}) == [("One", "Two")]
        assert change.run(connection, {"brand": "Three", "sender": None}) == [("Three", None)]


def test_a_failure_is_sqlalchemys_and_shows_nobody(database):
    """The same kinds of error, without numbers; afterwards the connection is as good as before."""
    add = Statement(ADD)
    with database.write() as connection:
        add.run(connection, ROW)
    with pytest.raises(IntegrityError) as twice, database.write() as connection:
        add.run(connection, ROW)
    assert NUMBER not in str(twice.value)
    assert "INSERT INTO subscribers" in str(twice.value)
    with pytest.raises(InvalidInputError), database.write() as connection:
        Statement(NAMED).run(connection, {"slug": "\ud800"})
    with database.read() as connection:
        assert len(Statement(FIND).run(connection, {"number": NUMBER})) == 1


def test_who_listens_to_statements_hears_of_these(database):
    """Monitoring sees each statement, as it sees all others."""
    heard = []
    sa.event.listen(database.engine, "before_cursor_execute", lambda *given: heard.append(given[2]))
    with database.read() as connection:
        Statement(FIND).run(connection, {"number": NUMBER})
    assert [each for each in heard if each.startswith("SELECT subscribers")]
