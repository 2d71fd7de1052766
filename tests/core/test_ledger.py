"""The ledger's seal: nothing in it can be changed, removed or slipped in unseen."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from app.core import consent, merkle
from app.core.consent import Evidence
from app.core.ledger import Ledger
from app.core.models import Act, LedgerEntry, LedgerSeal

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)
PERSON = b"p" * 32


@pytest.fixture
def ledger(database):
    return Ledger(database, lambda: LATER)


@pytest.fixture
def tamper(database):
    """Whoever owns the database can take the triggers away; the seal must still tell."""

    def do(statement):
        with database.write() as connection:
            for table in ("ledger_entries", "ledger_seals"):
                if connection.dialect.name == "postgresql":
                    connection.exec_driver_sql(f"ALTER TABLE {table} DISABLE TRIGGER USER")
                else:
                    for kind in ("kept", "blank", "delete"):
                        connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {table}_{kind}")
            connection.execute(statement)

    return do


def fill(database, count, at=NOW):
    """Put entries into the ledger; the place before the first, as ids need not begin with 1."""
    ids = []
    with database.write() as connection:
        for number in range(count):
            evidence = Evidence("sms", f"STOP è {number}", {"provider_message_id": f"SM{number}"})
            ids.append(consent.record(connection, Act.OPT_OUT, PERSON, "*", evidence, at))
    return ids[0] - 1


def test_a_sealed_ledger_verifies(database, ledger):
    """What was sealed, in as many batches as it takes, verifies without a fault."""
    fill(database, 1005)

    assert ledger.seal() == 1005
    assert ledger.seal() == 0
    found = ledger.verify()
    assert (found.sealed, found.unsealed, found.seals, found.faults) == (1005, 0, 2, [])


def test_young_entries_wait(database, ledger):
    """An entry is sealed only when no transaction can bring an older neighbour any more."""
    fill(database, 2)
    fill(database, 1, at=LATER)

    assert ledger.seal() == 2
    assert ledger.verify().unsealed == 1


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"act": "opt_in"}, "was changed"),
        ({"at": LATER}, "was changed"),
        ({"door": "web"}, "was changed"),
        ({"program": "x"}, "was changed"),
        ({"evidence": {"provider_message_id": "SM9"}}, "was changed"),
        ({"text": "STOP è 3"}, "has another text"),
        ({"fingerprint": b"q" * 32}, "was given to another person"),
        ({"salt": None}, "was changed"),
    ],
)
def test_a_changed_entry_is_found(database, ledger, tamper, change, fault):
    """Whatever is changed in an entry is found, with its place."""
    start = fill(database, 5)
    ledger.seal()

    tamper(sa.update(LedgerEntry).where(LedgerEntry.id == start + 3).values(change))

    assert ledger.verify().faults == [f"entry {start + 3} {fault}"]


def test_a_removed_entry_is_found(database, ledger, tamper):
    """A row that is gone is missed, with its place."""
    start = fill(database, 5)
    ledger.seal()

    tamper(sa.delete(LedgerEntry).where(LedgerEntry.id == start + 2))

    assert ledger.verify().faults == [f"entry {start + 2} was removed"]


def test_an_entry_slipped_in_before_the_first_is_found(database, ledger, tamper):
    """An id below the first, even a negative one, is no hiding place."""
    start = fill(database, 2)
    ledger.seal()

    columns = [column for column in LedgerEntry.__table__.columns if column.name != "id"]
    for place in (0, -7):
        copy = sa.select(sa.literal(place), *columns).where(LedgerEntry.id == start + 1)
        tamper(sa.insert(LedgerEntry).from_select(["id", *(c.name for c in columns)], copy))

    assert ledger.verify().faults == ["entry -7 was slipped in", "entry 0 was slipped in"]


def test_an_entry_slipped_in_is_found(database, ledger, tamper):
    """A row between the sealed ones is found, with its place."""
    start = fill(database, 5)
    tamper(sa.delete(LedgerEntry).where(LedgerEntry.id == start + 3))
    ledger.seal()

    columns = [column for column in LedgerEntry.__table__.columns if column.name != "id"]
    copy = sa.select(sa.literal(start + 3), *columns).where(LedgerEntry.id == start + 4)
    tamper(sa.insert(LedgerEntry).from_select(["id", *(c.name for c in columns)], copy))

    assert ledger.verify().faults == [f"entry {start + 3} was slipped in"]


def test_a_seal_made_anew_is_found(database, ledger, tamper):
    """A changed, removed or replaced seal breaks the chain; a cut-off end misses the known head."""
    start = fill(database, 2005)
    ledger.seal()
    head = ledger.verify().head

    assert ledger.verify(expected_head=head).faults == []
    tamper(sa.delete(LedgerSeal).where(LedgerSeal.number == 3))
    tamper(sa.delete(LedgerEntry).where(LedgerEntry.id > start + 2000))
    assert ledger.verify().faults == []
    assert "expected head" in ledger.verify(expected_head=head).faults[0]
    tamper(sa.update(LedgerSeal).where(LedgerSeal.number == 1).values(digest=b"x" * 32))
    assert {"seal 1 was changed", "seal 2 does not follow the one before it"} <= set(
        ledger.verify().faults
    )


def test_erasure_leaves_the_seal_whole(database, ledger):
    """An entry whose person was erased still verifies: text alone, or all that names the person."""
    start = fill(database, 3)
    ledger.seal()

    with database.write() as connection:
        blank = sa.update(LedgerEntry)
        connection.execute(blank.where(LedgerEntry.id == start + 1).values(text=None))
        gone = {"text": None, "fingerprint": None, "salt": None}
        connection.execute(blank.where(LedgerEntry.id == start + 2).values(gone))

    assert ledger.verify().faults == []


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7, 8, 9, 100])
def test_every_leaf_has_a_proof(count):
    """From each leaf its proof leads to the root, and to no other's."""
    leaves = [merkle.leaf(str(number).encode()) for number in range(count)]
    root = merkle.root(leaves)

    for index, leaf in enumerate(leaves):
        assert merkle.climb(leaf, merkle.proof(leaves, index)) == root
        other = leaves[(index + 1) % count]
        assert count == 1 or merkle.climb(other, merkle.proof(leaves, index)) != root
