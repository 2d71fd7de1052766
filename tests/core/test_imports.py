"""Suppression lists from and to files: what an import does, and what it never does."""

import io
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from app.config import Settings
from app.core.consent import Evidence
from app.core.csv_files import Row
from app.core.database import Database
from app.core.errors import InvalidInputError, StorageUnavailableError
from app.core.filters import filter_rows
from app.core.imports import (
    BATCH,
    EXPORT_HEADER,
    Fault,
    ImportDefaults,
    ImportTotals,
    SuppressionImport,
    export_list,
)
from app.core.models import ALL_PROGRAMS, LedgerEntry, Subscriber, Suppression
from app.core.number_tables import NumberTable
from app.gateway import Gateway, scope
from tests.making import made_settings


@pytest.fixture
def gateway(settings: Settings):
    with Gateway(settings) as gateway:
        gateway.services.programs.add("promo", {})
        yield gateway


def number(i: int) -> str:
    return f"+39333{i:07}"


def job_of(gateway: Gateway, program: str = ALL_PROGRAMS) -> SuppressionImport:
    services = gateway.services
    defaults = ImportDefaults(program, "import", {"by": "Ada"})
    return SuppressionImport(services.suppressions, services.phones, defaults)


def import_text(
    gateway: Gateway, content: str, program: str = ALL_PROGRAMS
) -> tuple[ImportTotals, list[Fault]]:
    job = job_of(gateway, program)
    table = NumberTable(io.BytesIO(content.encode()), gateway.services.phones)
    faults = list(job.run(table, table))
    return job.totals, faults


def export_text(gateway: Gateway) -> str:
    out = io.StringIO()
    list(export_list(gateway.services.suppressions, out))
    return out.getvalue()


def rows_of(database: Database, query: sa.Select) -> list:
    with database.read() as connection:
        return list(connection.execute(query).all())


def test_an_import_suppresses_and_says_what_it_could_not_read(gateway: Gateway):
    """Every spelling counts; a fault has a line and a reason, and nothing of what stood there."""
    content = "telefono\n+39 333 123 4567\n0039 333 1234568\n333-1234569\n12\n\n333x\n3331234567\n"
    totals, faults = import_text(gateway, content)

    assert totals == ImportTotals(added=3, already=1, unreadable=2)
    assert [fault.line for fault in faults] == [5, 7]
    assert not any(c.isdigit() for fault in faults for c in fault.reason.replace("+39", ""))
    assert [d.reason for d in gateway.check(["333 1234568"])] == ["suppressed"]


def test_each_added_suppression_has_its_ledger_entry(gateway: Gateway):
    """The entry is the suppression's own, and says by whom and from which line."""
    import_text(gateway, f"telefono\n{number(1)}\n{number(2)}\n")
    query = sa.select(Suppression.fingerprint, LedgerEntry.fingerprint, LedgerEntry).join(
        LedgerEntry, LedgerEntry.id == Suppression.ledger_entry_id
    )
    rows = rows_of(gateway.services.database, query)

    assert all(row[0] == row[1] for row in rows)
    assert sorted(row.evidence["line"] for row in rows) == [2, 3]
    assert {(row.act, row.door, row.evidence["by"]) for row in rows} == {
        ("suppress", "import", "Ada")
    }


def test_what_is_there_already_is_left_alone(gateway: Gateway):
    """A second import writes nothing: no suppression, no ledger entry, no later time."""
    content = f"telefono\n{number(1)}\n{number(1)}\n"
    import_text(gateway, content)
    before = export_text(gateway)
    totals, _ = import_text(gateway, content)

    assert totals == ImportTotals(added=0, already=2)
    assert export_text(gateway) == before
    query = sa.select(sa.func.count()).select_from(LedgerEntry)
    assert rows_of(gateway.services.database, query) == [(1,)]


def test_an_import_never_lifts(gateway: Gateway):
    """Neither an empty list nor one of a single program frees a number that has opted out."""
    import_text(gateway, f"telefono\n{number(1)}\n{number(2)}\n")
    import_text(gateway, "telefono\n")
    import_text(gateway, f"telefono\n{number(1)}\n", program="promo")

    assert not any(decision.allowed for decision in gateway.check([number(1), number(2)]))


def test_an_import_for_one_program_leaves_the_others(gateway: Gateway):
    """Only its messages are stopped."""
    import_text(gateway, f"telefono\n{number(1)}\n", program="promo")

    assert not gateway.check([number(1)], program="promo")[0].allowed
    assert gateway.check([number(1)])[0].allowed


def test_an_unknown_program_is_an_error_before_anything_is_read(gateway: Gateway):
    """Not a list that stops nothing."""
    with pytest.raises(InvalidInputError, match="no such program"):
        job_of(gateway, "prmo")


def test_an_erased_number_stays_erased(gateway: Gateway):
    """An import does not bring back the number of somebody who had it deleted."""
    import_text(gateway, f"telefono\n{number(1)}\n")
    with gateway.services.database.write() as connection:
        connection.execute(sa.update(Subscriber).values(number=None))
    totals, _ = import_text(gateway, f"telefono\n{number(1)}\n")

    assert totals == ImportTotals(already=1)
    assert rows_of(gateway.services.database, sa.select(Subscriber.number)) == [(None,)]
    assert export_text(gateway).splitlines() == [",".join(EXPORT_HEADER)]


def test_an_export_imported_elsewhere_is_the_same_list(gateway: Gateway):
    """Numbers, programs, reasons and times: the second export equals the first."""
    reasons = ["import", "opt_out", 'said "no;\nnever", by phone']
    for i, reason in enumerate(reasons):
        evidence = Evidence("test")
        gateway.services.suppressions.add(number(i), ALL_PROGRAMS, reason, evidence)
        gateway.services.suppressions.add(number(i), "promo", reason, evidence)
    exported = export_text(gateway)
    with gateway.services.database.write() as connection:
        connection.execute(sa.delete(Suppression))
    totals, faults = import_text(gateway, exported)

    assert (totals.added, faults) == (6, [])
    assert export_text(gateway) == exported


def test_a_damaged_export_is_read_as_far_as_it_goes(gateway: Gateway):
    """Rows with an unknown program, a strange time or a cell too few are faults of their own."""
    lines = ["to,program,reason,since", f"{number(1)},none,x,2026-01-01T00:00:00+00:00",
             f"{number(2)},*,x,yesterday", f"{number(3)},*", f"{number(4)},*,x,2026-01-01",
             f"{number(5)},*,x,9999-12-31T00:00:00+00:00"]  # fmt: skip
    totals, faults = import_text(gateway, "\n".join(lines))

    assert [fault.line for fault in faults] == [2, 3, 4]
    assert totals.added == 2
    assert all(each.since <= datetime.now(UTC) for each in gateway.services.suppressions.all())


def test_a_stopped_import_goes_on_where_it_was(gateway: Gateway):
    """Batches that were done stay; the second run adds the rest, in constant memory."""
    taken = 0

    def rows(stop_after: int) -> Iterator[Row]:
        nonlocal taken
        for i in range(2 * BATCH + 1):
            if i == stop_after:
                raise KeyboardInterrupt
            taken += 1
            yield Row(i + 2, f"{number(i)}\n", [number(i)])
            # What was read before is on its way when more than a batch has come.
            assert gateway.services.suppressions.count() >= (i + 1) // BATCH * BATCH - BATCH

    table = NumberTable(io.BytesIO(b""), gateway.services.phones)
    stopped = job_of(gateway)
    with pytest.raises(KeyboardInterrupt):
        list(stopped.run(table, rows(stop_after=BATCH + BATCH // 2)))
    again = job_of(gateway)
    list(again.run(table, rows(stop_after=-1)))

    assert stopped.totals == ImportTotals(added=BATCH)
    assert again.totals == ImportTotals(added=BATCH + 1, already=BATCH)


WILD = ["'; DROP TABLE suppressions; --", "%s", ":name", "\\", "1 OR 1=1", "$1", "{}", "\x1a"]


def test_sql_in_a_file_is_text(gateway: Gateway):
    """Wild cells are unreadable numbers, and nothing else happens."""
    cells = "".join(f"{wild}\n" for wild in WILD)
    totals, _ = import_text(gateway, f"telefono\n{cells}{number(1)}\n")

    assert totals == ImportTotals(added=1, unreadable=len(WILD))


def filtered(gateway: Gateway, content: str) -> tuple[str, str]:
    table = NumberTable(io.BytesIO(content.encode()), gateway.services.phones)
    allowed, refused = io.StringIO(newline=""), io.StringIO(newline="")
    asked = scope("default", "marketing")
    list(filter_rows(table, table, gateway.services.gate, asked, allowed, refused))
    return allowed.getvalue(), refused.getvalue()


def test_a_filter_keeps_what_may_be_sent_as_it_is(gateway: Gateway):
    """Allowed rows are untouched; refused ones follow their line and the reason."""
    import_text(gateway, f"telefono\n{number(1)}\n")
    content = (
        f'nome;tel;nota\r\n"A; B";{number(2)};"due\r\nrighe"\r\nC;{number(1)};\r\nD;12\r\nE\r\n'
    )
    allowed, refused = filtered(gateway, content)

    assert allowed == f'nome;tel;nota\r\n"A; B";{number(2)};"due\r\nrighe"\r\n'
    assert refused == (
        f"line;reason;nome;tel;nota\r\n4;suppressed;C;{number(1)};\r\n"
        "5;invalid_number;D;12\r\n6;invalid_number;E\r\n"
    )


def test_a_row_that_cannot_be_read_is_not_sent_to(gateway: Gateway):
    """A suppressed number does not travel in an open quotation."""
    import_text(gateway, f"telefono\n{number(1)}\n")
    allowed, refused = filtered(gateway, f'tel;x\n{number(2)};"\n{number(1)};"\n{number(3)};\n')

    assert allowed == f"tel;x\n{number(3)};\n"
    assert refused.count("\n") == 3


def test_settings_of_another_key_find_no_list(database_url: str):
    """A filter with the wrong fingerprint key would let everybody through: it fails instead."""
    settings = made_settings(database_url=database_url, fingerprint_key="x" * 32)
    with (
        Gateway(settings) as other,
        pytest.raises(StorageUnavailableError, match="FINGERPRINT_KEY"),
    ):
        filtered(other, f"tel\n{number(1)}\n")
