"""The only writer of suppressions: what is kept, what is lifted, and by whom (laws 2 and 8)."""

import ast
import inspect
import pkgutil
from importlib import import_module
from pathlib import Path

import pytest
import sqlalchemy as sa

from app import core
from app.core import consent, subscribers
from app.core.consent import Evidence
from app.core.models import ALL_PROGRAMS, Act, LedgerEntry, Suppression
from tests.fakes import START
from tests.making import PERSON

EVIDENCE = Evidence("test", "his words", {"by": "anna"})


@pytest.fixture
def person(phones) -> bytes:
    return phones.parse(PERSON).fingerprint


@pytest.fixture
def connection(database, phones):
    """A transaction that holds the number's lock, and is never committed."""
    with database.engine.connect() as connection:
        subscribers.lock(connection, phones.parse(PERSON), START)
        yield connection


def suppressions(connection) -> dict[str, str]:
    rows = connection.execute(sa.select(Suppression.program, Suppression.reason)).all()
    return {row.program: row.reason for row in rows}


def acts(connection) -> list[tuple[str, str]]:
    query = sa.select(LedgerEntry.act, LedgerEntry.program).order_by(LedgerEntry.id)
    return [tuple(row) for row in connection.execute(query)]


def test_an_opt_out_is_state_and_entry_together(connection, person):
    """The suppression points to the entry that caused it, which holds the evidence."""
    consent.opt_out(connection, person, ALL_PROGRAMS, EVIDENCE, START)
    suppression = connection.execute(sa.select(Suppression)).one()
    entry = connection.execute(sa.select(LedgerEntry)).one()
    assert suppression.ledger_entry_id == entry.id
    assert (suppression.since, entry.at) == (START, START)
    assert (entry.act, entry.door, entry.text) == (Act.OPT_OUT, "test", "his words")
    assert entry.evidence == {"by": "anna"}


def test_the_persons_own_opt_out_replaces_the_reason_and_keeps_the_beginning(connection, person):
    """An import said so first; the person's word counts more, and the time stays the earlier."""
    consent.suppress(connection, person, ALL_PROGRAMS, "imported", EVIDENCE, START)
    later = START.replace(year=2027)
    consent.opt_out(connection, person, ALL_PROGRAMS, EVIDENCE, later)
    row = connection.execute(sa.select(Suppression)).one()
    assert (row.reason, row.since) == (consent.OPT_OUT, START)
    newest = connection.execute(sa.select(sa.func.max(LedgerEntry.id))).scalar_one()
    assert row.ledger_entry_id == newest


def test_nobody_else_replaces_the_persons_reason(connection, person):
    """An import or the provider finds it there: nothing new, nothing written."""
    consent.opt_out(connection, person, ALL_PROGRAMS, EVIDENCE, START)
    assert not consent.suppress(connection, person, ALL_PROGRAMS, "imported", EVIDENCE, START)
    assert suppressions(connection) == {ALL_PROGRAMS: consent.OPT_OUT}
    assert acts(connection) == [(Act.OPT_OUT, ALL_PROGRAMS)]


def test_a_start_lifts_all_and_says_each(connection, person):
    """One entry for each suppression that ends."""
    for program in (ALL_PROGRAMS, "default"):
        consent.opt_out(connection, person, program, EVIDENCE, START)
    assert consent.opt_in(connection, person, EVIDENCE, START)
    assert suppressions(connection) == {}
    assert sorted(acts(connection)[2:]) == [(Act.OPT_IN, ALL_PROGRAMS), (Act.OPT_IN, "default")]
    assert not consent.opt_in(connection, person, EVIDENCE, START)


def test_an_operator_lifts_one_and_no_other(connection, person):
    """What stops another program, or all, goes on."""
    for program in (ALL_PROGRAMS, "default"):
        consent.opt_out(connection, person, program, EVIDENCE, START)
    assert consent.lift(connection, person, "default", EVIDENCE, START)
    assert suppressions(connection) == {ALL_PROGRAMS: consent.OPT_OUT}
    assert not consent.lift(connection, person, "default", EVIDENCE, START)
    assert acts(connection)[-1] == (Act.LIFT, "default")


# --- law 8: who can end a suppression at all

# Everything in core that may end one, by what it calls. A new name here is a decision.
ENDS_SUPPRESSIONS = {
    "acts._opt_in": "START from the handset",
    "optin._lift_for": "the code from the handset",
    "suppressions.SuppressionList.lift": "an operator, on evidence",
    "consent.opt_in": "the writer itself",
    "consent.lift": "the writer itself",
    "consent._lift": "the writer itself",
}


def _modules() -> dict[str, ast.Module]:
    names = [m.name for m in pkgutil.walk_packages(core.__path__) if not m.ispkg]
    paths = {n: Path(inspect.getfile(import_module(f"app.core.{n}"))) for n in names}
    return {name: ast.parse(path.read_text("utf-8")) for name, path in paths.items()}


def _functions(tree: ast.AST, prefix: str):
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef):
            yield from _functions(node, f"{prefix}.{node.name}")
        elif isinstance(node, ast.FunctionDef):
            yield f"{prefix}.{node.name}", node


def _ends_a_suppression(call: ast.Call) -> bool:
    said = ast.unparse(call.func)
    if said in {"consent.opt_in", "consent.lift", "_lift"}:
        return True
    deletes = said.endswith("delete")
    return deletes and any("Suppression" in ast.unparse(each) for each in call.args)


def test_only_the_person_or_an_operator_with_evidence_lifts():
    """Law 8: no import, synchronisation, review or chore ends a suppression."""
    found = set()
    for name, tree in _modules().items():
        for function, node in _functions(tree, name):
            calls = [each for each in ast.walk(node) if isinstance(each, ast.Call)]
            if any(_ends_a_suppression(call) for call in calls):
                found.add(function)
    assert found == set(ENDS_SUPPRESSIONS)


def test_no_door_but_the_core_touches_suppressions():
    """Law 8, outside the core: doors, providers and commands don't write the table."""
    app = Path(core.__path__[0]).parent
    writers = [
        path.relative_to(app).as_posix()
        for path in app.rglob("*.py")
        if "migrations" not in path.parts and "core" not in path.relative_to(app).parts
        if {"Suppression", "suppressions"} & _tables_written(ast.parse(path.read_text("utf-8")))
    ]
    assert writers == []


def _tables_written(tree: ast.Module) -> set[str]:
    written = set()
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and ast.unparse(call.func).split(".")[-1] in {
            "insert",
            "update",
            "delete",
        }:
            written |= {ast.unparse(each).split(".")[-1] for each in call.args}
    return written


@pytest.mark.parametrize("evidence", [None, "", "  "])
def test_an_operator_without_evidence_lifts_nothing(services, evidence):
    """What did the person say, where and when? Without it the suppression stays."""
    services.suppressions.add(PERSON, ALL_PROGRAMS, "complaint", EVIDENCE)
    with pytest.raises(Exception, match="evidence"):
        services.suppressions.lift(PERSON, ALL_PROGRAMS, Evidence("cli", evidence))
    assert services.suppressions.count() == 1
