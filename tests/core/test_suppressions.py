"""The suppression list as operators, scripts and imports see it."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from app.config import Settings
from app.core.consent import Evidence
from app.core.database import Database
from app.core.errors import InvalidInputError, InvalidNumberError, UnknownProgramError
from app.core.models import ALL_PROGRAMS, LedgerEntry, Subscriber
from app.core.suppressions import Listed, SuppressionList
from app.gateway import Gateway

NUMBER = "+393331234567"
BY_OPERATOR = Evidence("command", "Called the shop", {"by": "operator"})


@pytest.fixture
def gateway(settings: Settings):
    with Gateway(settings) as gateway:
        for program in ("promo", "club"):
            gateway.services.programs.add(program, {})
        yield gateway


@pytest.fixture
def suppressions(gateway: Gateway) -> SuppressionList:
    return gateway.services.suppressions


def acts(database: Database) -> list[tuple[str, str]]:
    with database.read() as connection:
        query = sa.select(LedgerEntry.act, LedgerEntry.program).order_by(LedgerEntry.id)
        return [tuple(row) for row in connection.execute(query)]


def test_a_suppression_and_its_ledger_entry_belong_together(gateway, suppressions):
    """The state names the entry that caused it; a second time changes neither."""
    added = [
        suppressions.add(spelling, ALL_PROGRAMS, "complaint", BY_OPERATOR)
        for spelling in (NUMBER, "333 123 4567")
    ]

    (row,) = suppressions.all()
    with gateway.services.database.read() as connection:
        (entry,) = connection.execute(sa.select(LedgerEntry)).all()
    assert added == [True, False]
    assert (row.to, row.program, row.reason) == (NUMBER, ALL_PROGRAMS, "complaint")
    assert (row.ledger_entry_id, row.since) == (entry.id, entry.at)
    assert (entry.door, entry.text, entry.evidence) == (
        "command",
        "Called the shop",
        {"by": "operator"},
    )


def test_one_for_a_program_stays_beside_one_for_all(suppressions):
    """Whichever is lifted, the other goes on: nobody is set free by a suppression of all."""
    assert suppressions.add(NUMBER, ALL_PROGRAMS, "complaint", BY_OPERATOR)
    assert suppressions.add(NUMBER, "club", "complaint", BY_OPERATOR)
    assert not suppressions.add(NUMBER, "club", "complaint", BY_OPERATOR)
    suppressions.lift(NUMBER, ALL_PROGRAMS, BY_OPERATOR)

    assert [row.program for row in suppressions.all()] == ["club"]


def test_the_same_number_at_the_same_moment_is_added_once(gateway, suppressions):
    """Twenty at once: one is new, and the ledger says it once."""
    with ThreadPoolExecutor(20) as pool:
        added = list(
            pool.map(
                lambda _: suppressions.add(NUMBER, ALL_PROGRAMS, "complaint", BY_OPERATOR),
                range(20),
            )
        )

    assert added.count(True) == 1
    assert acts(gateway.services.database) == [("suppress", ALL_PROGRAMS)]


def test_batches_in_opposite_orders_do_not_wait_for_each_other(gateway, suppressions):
    """Two imports of the same numbers, one backwards, both end; each number is new once."""
    listed = [listed_as(gateway, f"+39333123{i:04d}") for i in range(200)]
    batches = [listed, listed[::-1]] * 2

    with ThreadPoolExecutor(4) as pool:
        added = list(pool.map(suppressions.add_all, batches))

    assert sum(added) == suppressions.count() == 200


def test_a_batch_tells_how_many_were_new(gateway, suppressions):
    """A number that is there already is not, and a repeated one is new once."""
    suppressions.add(NUMBER, "promo", "complaint", BY_OPERATOR)
    spellings = ["+393330000001", NUMBER, "+393330000002", "+393330000001"]

    assert suppressions.add_all([listed_as(gateway, each) for each in spellings]) == 2
    assert suppressions.add_all([]) == 0


def listed_as(gateway, number: str) -> Listed:
    return Listed(gateway.services.phones.parse(number), "promo", "imported", BY_OPERATOR)


def test_a_lift_ends_one_suppression_with_its_evidence(gateway, suppressions):
    """Only the program asked for; a second lift finds nothing, and writes nothing."""
    for program in ("promo", "club"):
        suppressions.add(NUMBER, program, "complaint", BY_OPERATOR)

    lifted = [suppressions.lift(NUMBER, "promo", BY_OPERATOR) for _ in range(2)]

    assert lifted == [True, False]
    assert [row.program for row in suppressions.all()] == ["club"]
    assert acts(gateway.services.database)[2:] == [("lift", "promo")]


@pytest.mark.parametrize("text", [None, "", " \n\t"])
def test_no_lift_without_evidence(suppressions, text):
    """What proves nothing lifts nothing."""
    suppressions.add(NUMBER, ALL_PROGRAMS, "complaint", BY_OPERATOR)

    with pytest.raises(InvalidInputError, match="evidence"):
        suppressions.lift(NUMBER, ALL_PROGRAMS, Evidence("command", text))
    assert suppressions.count() == 1


def test_wrong_numbers_and_programs_are_refused(suppressions):
    """They are errors of their own kind, and repeat nothing of what was given."""
    for change in (
        lambda *given: suppressions.add(*given, "complaint", BY_OPERATOR),
        lambda *given: suppressions.lift(*given, BY_OPERATOR),
    ):
        with pytest.raises(InvalidNumberError) as wrong_number:
            change("+39 12", ALL_PROGRAMS)
        with pytest.raises(UnknownProgramError) as wrong_program:
            change(NUMBER, "nonesuch")
        assert "12" not in str(wrong_number.value)
        assert "nonesuch" not in str(wrong_program.value)
    assert suppressions.count() == 0


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8, 1000])
def test_pages_cover_the_list_without_gap_or_repetition(suppressions, limit: int):
    """Whatever the size, also where one number has several suppressions across a page's end."""
    for program in ("promo", "club"):
        for i in range(4):
            suppressions.add(f"+39333123000{i}", program, "complaint", BY_OPERATOR)

    seen, cursor, pages = [], None, 0
    while pages == 0 or cursor:
        page = suppressions.page(cursor, limit)
        assert len(page.suppressions) <= limit
        seen += [(row.to, row.program) for row in page.suppressions]
        cursor, pages = page.next_cursor, pages + 1

    assert len(seen) == len(set(seen)) == 8
    assert pages == -(-8 // limit)


def test_a_page_of_one_program_has_what_stops_it(suppressions):
    """Its own suppressions and those of all programs, not those of another."""
    for number, program in (("1", "promo"), ("2", "club"), ("3", ALL_PROGRAMS)):
        suppressions.add(f"+39333123000{number}", program, "complaint", BY_OPERATOR)

    page = suppressions.page(None, 10, "promo")

    assert {row.program for row in page.suppressions} == {"promo", ALL_PROGRAMS}


def test_what_changes_between_two_pages_shifts_nothing(suppressions):
    """A row that goes or comes before the cursor neither hides nor repeats another."""
    for i in range(6):
        suppressions.add(f"+39333123000{i}", ALL_PROGRAMS, "complaint", BY_OPERATOR)
    first = suppressions.page(None, 3)
    suppressions.lift(first.suppressions[0].to, ALL_PROGRAMS, BY_OPERATOR)

    second = suppressions.page(first.next_cursor, 3)

    assert not {row.to for row in first.suppressions} & {row.to for row in second.suppressions}
    assert len(second.suppressions) == 3


def test_an_erased_person_stays_on_the_list(gateway, suppressions):
    """Without number, by fingerprint alone; adding it again makes the number known to nobody."""
    suppressions.add(NUMBER, ALL_PROGRAMS, "complaint", BY_OPERATOR)
    with gateway.services.database.write() as connection:
        connection.execute(sa.update(Subscriber).values(number=None))

    suppressions.add(NUMBER, ALL_PROGRAMS, "complaint", BY_OPERATOR)

    assert [row.to for row in suppressions.all()] == [None]
    assert not gateway.check([NUMBER])[0].allowed


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "é",
        "====",
        "AAAA",
        "A" * 44,
        "A" * 43 + "=",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "A" * 10_000,
        "\0",
        "\ud800",
        " ",
    ],
)
def test_a_cursor_of_nobody_is_refused(suppressions, cursor: str):
    """A cursor that no page gave is an error, on both databases, and not another list."""
    with pytest.raises(InvalidInputError, match="cursor"):
        suppressions.page(cursor, 10)


def test_of_shows_what_stops_one_number(gateway, suppressions):
    """Only this number's, in any program."""
    for number, program in ((NUMBER, "promo"), (NUMBER, ALL_PROGRAMS), ("+393330000001", "club")):
        suppressions.add(number, program, "complaint", BY_OPERATOR)

    found = suppressions.of(gateway.services.phones.parse(NUMBER))

    assert {row.program for row in found} == {"promo", ALL_PROGRAMS}
