"""A CSV file with a column of telephone numbers, wherever and however that is called."""

import unicodedata
from collections.abc import Iterator
from itertools import chain
from typing import IO

from app.core.csv_files import CsvFile, Row
from app.core.errors import InvalidInputError, InvalidNumberError
from app.core.phone import PhoneReader

# What such columns are called, the surest names first: where a file has a mobile and a fixed
# number, the mobile one can be texted. Compared without case, accents and punctuation.
_NAMES = (
    "msisdn e164 mobilephone mobilenumber mobileno mobile cellphone cellnumber cell "
    "numerocellulare telefonocellulare cellulare cell telefonomovil numeromovil movil celular "
    "telefonoportable telephoneportable telephonemobile numeroportable portable "
    "handynummer handy mobilnummer mobiltelefon mobil telemovel telefonecelular "
    "to recipient destinatario destinataire empfanger smsnumber sms "
    "phonenumber phoneno phone telephonenumber telephone telno tel "
    "numerotelefono numeroditelefono numerotelefonico telefono recapitotelefonico "
    "numerodetelefono numerodetelephone telefonnummer rufnummer telefon numerodetelefone telefone "
    "number numero nummer num"
)

_UNNAMED = "say which one holds the numbers, by its name or by its place, from 1"


class NumberTable:
    """`header` is the first row where that names the columns; `column` counts from 0.

    Raises InvalidInputError where no column of numbers is found, or not the one asked for.
    """

    def __init__(self, stream: IO[bytes], phones: PhoneReader, column: str | None = None) -> None:
        self.file = CsvFile(stream)
        self._phones = phones
        sample = self.file.sample()
        self.column, has_header = self._find(sample, column) if sample else (0, False)
        self._rows = self.file.rows(self._looks_like_row)
        self.header: Row | None = None
        if has_header:
            self._take_header()

    @property
    def title(self) -> str:
        """What to call the column of numbers."""
        name = self.header.cells[self.column].strip() if self.header else ""
        return name or f"column {self.column + 1}"

    def __iter__(self) -> Iterator[Row]:
        """The rows below the header, once."""
        return self._rows

    def number(self, row: Row) -> str:
        """What stands in the column of numbers; empty where the row is too short for it."""
        return _cleaned(row.cells[self.column]) if self.column < len(row.cells) else ""

    def _take_header(self) -> None:
        before = []
        for row in self._rows:
            if not row.fault:
                self.header = row
                break
            before.append(row)
        self._rows = chain(before, self._rows)

    def _find(self, sample: list[list[str]], wanted: str | None) -> tuple[int, bool]:
        """The column, and whether the first row is a header."""
        first = sample[0]
        if wanted is not None:
            column = _place(first, wanted)
            return column, _plain(wanted) in map(_plain, first) or self._is_title(first[column])
        named = _named_column(first)
        if named is not None:
            return named, True
        column = self._fullest_column(sample)
        return column, column < len(first) and self._is_title(first[column])

    def _fullest_column(self, sample: list[list[str]]) -> int:
        """The column in which the most cells are numbers."""
        width = max(map(len, sample))
        found = [sum(self._is_number(c) for row in sample for c in row[i : i + 1])
                 for i in range(width)]  # fmt: skip
        best = max(range(width), key=found.__getitem__)
        if not found[best]:
            raise InvalidInputError(f"no column of telephone numbers was found: {_UNNAMED}")
        return best

    def _looks_like_row(self, cells: list[str]) -> bool:
        return self.column < len(cells) and self._is_number(cells[self.column])

    def _is_title(self, cell: str) -> bool:
        return any(c.isalpha() for c in cell) and not self._is_number(cell)

    def _is_number(self, cell: str) -> bool:
        try:
            self._phones.parse(_cleaned(cell))
        except InvalidNumberError:
            return False
        return True


def _named_column(header: list[str]) -> int | None:
    titles = [_plain(cell) for cell in header]
    return next((titles.index(name) for name in _NAMES.split() if name in titles), None)


def _place(first: list[str], wanted: str) -> int:
    titles = [_plain(cell) for cell in first]
    if _plain(wanted) in titles:
        return titles.index(_plain(wanted))
    if wanted.isascii() and wanted.isdigit() and 0 < int(wanted[:9]) <= len(first):
        return int(wanted[:9]) - 1
    raise InvalidInputError(f"the file has no such column: {_UNNAMED} to {len(first)}")


def _plain(title: str) -> str:
    letters = unicodedata.normalize("NFKD", title.casefold())
    return "".join(c for c in letters if c.isalnum())


def _cleaned(cell: str) -> str:
    """A cell without the formula that keeps a spreadsheet from touching it: `="+39…"`."""
    return cell.strip().removeprefix("=").strip('" ')
