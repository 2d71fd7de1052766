"""Consents from elsewhere: what proves something is taken over, the rest is refused by line."""

import io
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from app.config import Settings
from app.core import dossier_check
from app.core.consent_audit import ConsentAudit, Grade
from app.core.consent_import import ConsentImport, Fate, ImportOptions
from app.core.consent_tables import ConsentTable, read_moment
from app.core.errors import InvalidInputError
from app.core.models import LedgerEntry
from app.core.number_tables import NumberTable
from app.gateway import Gateway
from tests.core.test_optin import NUMBER, Clock, Handset, code_in

HEADER = "numero;data;fonte;testo;confermato il;canale;email;ip;prova"
PROVEN = f"{NUMBER};01/10/2025;negozio;Accetto gli SMS;01/10/2025 10:05;;;203.0.113.7;modulo 12"
PLAIN = "333 765 4321;2025-10-01;negozio;Accetto gli SMS"


@pytest.fixture
def clock():
    return Clock()  # 1 January 2026


@pytest.fixture
def gateway(settings: Settings, clock: Clock):
    settings = settings.model_copy(update={"consent": "required"})
    with Gateway(settings, clock=clock) as gateway:
        yield gateway


def opened(gateway: Gateway, *rows: str, header: str = HEADER, program: str = "default"):
    stream = io.BytesIO("\n".join([header, *rows]).encode())
    table = NumberTable(stream, gateway.services.phones)
    return table, ConsentTable(table, gateway.services.phones, program, "it")


def imported(gateway: Gateway, *rows: str, apply: bool = True, header: str = HEADER, **options):
    """What became of the rows, and the lines that were refused."""
    services = gateway.services
    job = ConsentImport(
        services.database, services.policy, services.clock, ImportOptions(apply, **options)
    )
    table, consents = opened(gateway, *rows, header=header)
    faults = list(job.run(consents, table))
    return job.totals, faults


def standing(gateway: Gateway, number: str = NUMBER) -> str:
    return str(gateway.check([number])[0].reason)


def entries(gateway: Gateway) -> int:
    with gateway.services.database.read() as connection:
        return connection.execute(sa.select(sa.func.count(LedgerEntry.id))).scalar_one()


def test_a_consent_with_its_evidence_is_taken_over(gateway: Gateway):
    """It counts at the gate from its own date on, and the dossier tells all that proves it."""
    totals, faults = imported(gateway, PROVEN, details={"by": "anna", "file": "old.csv"})

    assert (totals.fates, faults) == ({Fate.PROVEN: 1}, [])
    assert standing(gateway) == "None"
    held = gateway.services.dossiers.export(NUMBER)
    [record] = held["consent_records"]
    assert record["processing"]["consent_text"] == "Accetto gli SMS"
    [request] = held["requests"]
    assert (request["door"], request["source"], request["address"]) == (
        "import",
        "negozio",
        "203.0.113.7",
    )
    [entry] = held["ledger"]
    assert entry["door"] == "import"
    told = entry["evidence"]
    assert (told["by"], told["file"], told["line"], told["proof"]) == (
        "anna",
        "old.csv",
        2,
        "modulo 12",
    )
    assert (told["double_opt_in"], told["confirmed_at"]) == (True, "2025-10-01T10:05:00+00:00")
    assert dossier_check.faults_in(held) == []


def test_without_apply_nothing_is_written(gateway: Gateway):
    """A dry run says the same and changes nothing."""
    totals, _ = imported(gateway, PROVEN, PLAIN, apply=False)

    assert totals.imported == 2
    assert entries(gateway) == 0
    assert standing(gateway) == "no_consent"


def test_a_consent_without_double_opt_in_counts_but_is_marked(gateway: Gateway):
    """It was given, and is hard to prove: it says so for good, or is refused where asked."""
    totals, [fault] = imported(gateway, PLAIN, only_confirmed=True)
    assert totals.fates == {Fate.NOT_CONFIRMED: 1}
    assert fault.line == 2

    totals, _ = imported(gateway, PLAIN)

    assert totals.fates == {Fate.UNPROVEN: 1}
    assert standing(gateway, "+393337654321") == "None"
    [entry] = gateway.services.dossiers.export("+393337654321")["ledger"]
    assert entry["evidence"]["double_opt_in"] is False


REFUSED = [
    (f"{NUMBER};;negozio;Accetto", "no date"),
    (f"{NUMBER};2025-10-01;;Accetto", "no source"),
    (f"{NUMBER};2025-10-01;negozio; ", "no text"),
    ("12;2025-10-01;negozio;Accetto", "not a valid telephone number"),
    (";2025-10-01;negozio;Accetto", "no number"),
    (f"{NUMBER};2026-01-02;negozio;Accetto", "future"),
    (f"{NUMBER};10/01/26;negozio;Accetto", "can't be read"),
    (f"{NUMBER};31/02/2025;negozio;Accetto", "can't be read"),
    (f"{NUMBER};12/25/2025;negozio;Accetto", "can't be read"),
    (f"{NUMBER};20251001;negozio;Accetto", "can't be read"),
    (f"{NUMBER};2025-10-01;negozio;Accetto;2025-09-01", "before date"),
    (f"{NUMBER};2025-10-01;negozio;Accetto;;piccione", "channel"),
    (f"{NUMBER};2025-10-01;negozio;Accetto;;email", "address"),
    (f"{NUMBER};2023-12-31;negozio;Accetto", "retention"),
    (f"{NUMBER};2025-10-01;negozio;{'x' * 2001}", "longer"),
]


def test_what_proves_nothing_is_refused_by_its_line(gateway: Gateway):
    """The reason is told, the number never; nothing is written, and nobody becomes known."""
    totals, faults = imported(gateway, *(row for row, _ in REFUSED))

    assert [fault.line for fault in faults] == list(range(2, len(REFUSED) + 2))
    for (row, reason), fault in zip(REFUSED, faults, strict=True):
        assert reason in fault.reason, row
        assert "333123" not in fault.reason
    assert (totals.imported, totals.all_refused, entries(gateway)) == (0, len(REFUSED), 0)
    assert not gateway.services.dossiers.export(NUMBER)["known"]


def test_a_suppressed_number_stays_so(gateway: Gateway):
    """Neither a suppression, nor an opt-out that somebody lifted, gives way to an older consent."""
    handset = Handset(gateway)
    handset.text("STOP")
    totals, [fault] = imported(gateway, PROVEN)
    assert totals.fates == {Fate.SUPPRESSED: 1}
    assert "suppressed" in fault.reason
    assert standing(gateway) == "suppressed"

    handset.text("START")
    totals, _ = imported(gateway, PROVEN)

    assert totals.fates == {Fate.OPTED_OUT: 1}
    assert standing(gateway) == "unconfirmed"


def test_a_newer_consent_is_kept_and_the_same_file_changes_nothing(gateway: Gateway):
    """An import may be run again; of two rows for a number the newer counts."""
    older = PROVEN.replace("/10/", "/09/")
    totals, _ = imported(gateway, PROVEN, older, PLAIN)
    assert totals.fates == {Fate.PROVEN: 1, Fate.ALREADY: 1, Fate.UNPROVEN: 1}
    written = entries(gateway)

    again, faults = imported(gateway, PROVEN, older, PLAIN)

    assert again.fates == {Fate.ALREADY: 3}
    assert (faults, entries(gateway)) == ([], written)


def test_a_consent_given_here_is_not_replaced_by_an_older_one(gateway: Gateway):
    """What the code from the handset made is newer than any file."""
    handset = Handset(gateway)
    handset.text(code_in(handset.text("START")))

    totals, _ = imported(gateway, PROVEN)

    assert totals.fates == {Fate.ALREADY: 1}


def test_the_programs_text_stays_what_it_was(gateway: Gateway):
    """An imported text is kept with its consent, and shown to nobody else."""
    before = gateway.services.programs.show("default").text

    imported(gateway, PROVEN)

    assert gateway.services.programs.show("default").text == before


def test_a_row_names_its_program(gateway: Gateway):
    """A column program sends each row to its own; an unknown one is refused."""
    gateway.services.programs.add("pizza", {"retention_days": 30})
    header = "number,date,source,text,program"
    totals, faults = imported(
        gateway,
        f"{NUMBER},2025-12-20,shop,Yes,pizza",
        f"{NUMBER},2025-11-20,shop,Yes,pizza",
        f"{NUMBER},2025-12-20,shop,Yes,none",
        header=header,
    )

    assert totals.fates == {Fate.UNPROVEN: 1, Fate.ALREADY: 1, Fate.NO_PROGRAM: 1}
    assert [fault.line for fault in faults] == [4]
    assert gateway.check([NUMBER], program="pizza")[0].allowed


def test_a_file_without_evidence_columns_is_refused_as_a_whole(gateway: Gateway):
    """It says which columns are missing."""
    with pytest.raises(InvalidInputError, match="source, text"):
        imported(gateway, f"{NUMBER};2025-10-01", header="numero;data")
    with pytest.raises(InvalidInputError, match="first line"):
        opened(gateway, header=NUMBER)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("2025-03-04", (2025, 3, 4)),
        ("2025-03-04T10:30:00+02:00", (2025, 3, 4, 8, 30)),
        ("2025-03-04 10:30", (2025, 3, 4, 10, 30)),
        ("04/03/2025", (2025, 3, 4)),
        ("4.3.2025 10:30", (2025, 3, 4, 10, 30)),
        ("04-03-2025 10:30:15", (2025, 3, 4, 10, 30, 15)),
        ("04/03-2025", None),
        ("marzo 2025", None),
        ("2025-W10-1", None),
        ("", None),
    ],
)
def test_dates_are_read_by_one_rule(text: str, read: tuple[int, ...] | None):
    """ISO 8601, or the day first; whatever else is not guessed at."""
    assert read_moment(text, is_day_first=True) == (read and datetime(*read, tzinfo=UTC))


def test_in_english_a_date_with_slashes_is_ambiguous():
    """Unless it can be read in one way only."""
    assert read_moment("04/03/2025", is_day_first=False) is None
    assert read_moment("25/03/2025", is_day_first=False) == datetime(2025, 3, 25, tzinfo=UTC)


GRADED = [
    (PROVEN, Grade.KEEP, "330/2025"),
    (PLAIN, Grade.RENEW, "330/2025"),
    (f"{NUMBER};20/01/2024;negozio;Sì;20/01/2024", Grade.RENEW, "24 months"),
    (f"{NUMBER};01/12/2023;negozio;Sì;01/12/2023", Grade.DELETE, "24 months"),
    (f"{NUMBER};;negozio;Sì", Grade.DELETE, "7(1)"),
    (f"{NUMBER};01/10/2025;;Sì", Grade.DELETE, "7(1)"),
    (f"{NUMBER};01/10/2025", Grade.DELETE, "7(1)"),
    (f"{NUMBER};boh;negozio;Sì", Grade.DELETE, "7(1)"),
    ("12;01/10/2025;negozio;Sì", Grade.DELETE, "5(1)"),
    ("+393339998877;01/10/2025;negozio;Sì;01/10/2025", Grade.DELETE, "21(2)"),
]


def test_the_audit_grades_every_contact(gateway: Gateway):
    """Keep, renew while there is time, or delete: with the reason and the law; nothing changes."""
    Handset(gateway, "+393339998877").text("STOP")
    services, out = gateway.services, io.StringIO()
    audit = ConsentAudit(services.database, services.policy, services.clock, "default")
    table, consents = opened(gateway, *(row for row, *_ in GRADED))

    verdicts = list(audit.run(consents, table, out))

    header, *lines = out.getvalue().splitlines()
    assert header.startswith("line,grade,reason,law,renew_before,numero,data")
    for number, (row, grade, law) in enumerate(GRADED):
        verdict = verdicts[number]
        assert (verdict.grade, law in verdict.law) == (grade, True), row
        assert (verdict.until is None) == (grade is Grade.DELETE)
        assert lines[number].startswith(f"{number + 2},{grade},{verdict.reason}"), row
        assert row.partition(";")[0] in lines[number]
