"""CSV files of consents that were collected elsewhere: what stands in a row, read strictly.

Dates are ISO 8601 (2025-03-31, with or without time and zone), or day first as in Italy
(31/03/2025, also with - or . and a time). Where the installation's language is English, a date
with slashes could be read either way and is refused unless the day is above 12. Without a zone a
time is UTC; a day begins at its midnight, so that a consent rather ends too early than too late.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from app.core.csv_files import Row
from app.core.errors import InvalidInputError
from app.core.language import LANGUAGES
from app.core.models import Channel
from app.core.number_tables import NumberTable
from app.core.phone import Phone, PhoneReader

# What the columns are called, compared without case, accents and punctuation.
_NAMES: dict[str, tuple[str, ...]] = {
    "date": ("date", "consentdate", "givenat", "data", "dataconsenso", "datadelconsenso"),
    "source": ("source", "fonte", "origine", "provenienza"),
    "text": ("text", "consenttext", "testo", "testoconsenso", "testodelconsenso"),
    "program": ("program", "programma"),
    "language": ("language", "lingua"),
    "channel": ("channel", "canale"),
    "email": ("email", "mail", "postaelettronica"),
    "ip": ("ip", "ipaddress", "indirizzoip"),
    "proof": ("proof", "prova", "reference", "riferimento", "file", "documento"),
    "confirmed_at": ("confirmedat", "confirmed", "confermatoil", "confermato", "dataconferma"),
}
_DAY_FIRST = re.compile(
    r"(\d{1,2})([/.-])(\d{1,2})\2(\d{4})(?:[ T,]+(\d{1,2})[:.](\d{2})(?:[:.](\d{2}))?)?"
)
_LAST_MONTH = 12
_LONGEST = {"source": 300, "text": 2000, "proof": 200, "ip": 45, "email": 254}


class MissingEvidenceError(InvalidInputError):
    """A row lacks what would prove its consent; `field` is what is missing."""

    def __init__(self, field: str) -> None:
        super().__init__(f"no {field}: nothing proves this consent")
        self.field = field


@dataclass(frozen=True, slots=True)
class ForeignConsent:
    """A consent given elsewhere. `confirmed_at`: when a code came back from the handset there."""

    line: int
    phone: Phone
    program: str
    given_at: datetime
    confirmed_at: datetime | None
    source: str
    text: str
    language: str | None
    channel: Channel
    email: str | None
    address: str | None
    proof: str | None


class ConsentTable:
    """Finds the columns by their names. Raises InvalidInputError for a file without header."""

    def __init__(
        self, table: NumberTable, phones: PhoneReader, program: str, language: str
    ) -> None:
        if table.header is None:
            raise InvalidInputError(
                "the file needs a first line with the columns' names: number, date, source, text"
            )
        self.header = table.header.cells
        titles = [_plain(cell) for cell in self.header]
        self._columns = {
            field: place
            for field, names in _NAMES.items()
            for place, title in enumerate(titles)
            if title in names and place != table.column
        }
        self._table = table
        self._phones = phones
        self._program = program
        self._is_day_first = language != "en"

    def require(self, *fields: str) -> None:
        """Raises InvalidInputError where the file has no such column."""
        missing = [field for field in fields if field not in self._columns]
        if missing:
            raise InvalidInputError(f"the file has no column {', '.join(missing)}")

    def phone(self, row: Row) -> Phone:
        """Raises InvalidInputError, without the number in it."""
        if row.fault:
            raise InvalidInputError(row.fault)
        number = self._table.number(row)
        if not number:
            raise InvalidInputError("no number stands here")
        return self._phones.parse(number)

    def read(self, row: Row, now: datetime) -> ForeignConsent:
        """Raises InvalidInputError (MissingEvidenceError where nothing would prove it)."""
        phone = self.phone(row)
        cells = self._cells(row)
        for field in ("date", "source", "text"):
            if not cells[field]:
                raise MissingEvidenceError(field)
        given_at = self._moment("date", cells["date"], now)
        confirmed = cells["confirmed_at"]
        confirmed_at = self._moment("confirmed_at", confirmed, now) if confirmed else None
        if confirmed_at is not None and confirmed_at.date() < given_at.date():
            raise InvalidInputError("confirmed_at lies before date")
        return ForeignConsent(
            line=row.line,
            phone=phone,
            program=cells["program"] or self._program,
            given_at=given_at,
            confirmed_at=confirmed_at and max(confirmed_at, given_at),
            source=cells["source"],
            text=cells["text"],
            language=_language(cells["language"]),
            channel=_channel(cells["channel"], cells["email"]),
            email=cells["email"] or None,
            address=cells["ip"] or None,
            proof=cells["proof"] or None,
        )

    def _cells(self, row: Row) -> Mapping[str, str]:
        cells = dict.fromkeys(_NAMES, "")
        for field, place in self._columns.items():
            if place < len(row.cells):
                cells[field] = row.cells[place].strip()
        for field, longest in _LONGEST.items():
            if len(cells[field]) > longest:
                raise InvalidInputError(f"{field} is longer than {longest} characters")
        return cells

    def _moment(self, field: str, text: str, now: datetime) -> datetime:
        moment = read_moment(text, is_day_first=self._is_day_first)
        if moment is None:
            raise InvalidInputError(f"{field} can't be read: write 2025-03-31 or 31/03/2025")
        if moment > now:
            raise InvalidInputError(f"{field} lies in the future")
        return moment


def read_moment(text: str, *, is_day_first: bool) -> datetime | None:
    """A time, by the rules above; None where it can't be read, or read in two ways."""
    try:
        if found := _DAY_FIRST.fullmatch(text):
            return _day_first(found, is_day_first=is_day_first)
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if not re.match(r"\d{4}-\d\d-\d\d", text):  # 20250331 is a number as well
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


def _day_first(found: re.Match[str], *, is_day_first: bool) -> datetime | None:
    day, month, year = int(found[1]), int(found[3]), int(found[4])
    if not is_day_first and found[2] == "/" and day <= _LAST_MONTH:
        return None
    hour, minute, second = (int(found[place] or 0) for place in (5, 6, 7))
    return datetime(year, month, day, hour, minute, second, tzinfo=UTC)


def _language(text: str) -> str | None:
    language = text.lower()[:2] or None
    if language not in {None, *LANGUAGES}:
        raise InvalidInputError(f"language must be one of {', '.join(LANGUAGES)}")
    return language


def _channel(text: str, email: str) -> Channel:
    named = {"": Channel.SMS, "e-mail": Channel.EMAIL, "nessuno": Channel.NONE}
    try:
        channel = named.get(text.lower()) or Channel(text.lower())
    except ValueError as error:
        raise InvalidInputError(f"channel must be one of {', '.join(Channel)}") from error
    if channel is Channel.EMAIL and "@" not in email:
        raise InvalidInputError("the channel email needs an address in the column email")
    return channel


def _plain(title: str) -> str:
    letters = unicodedata.normalize("NFKD", title.casefold())
    return "".join(c for c in letters if c.isalnum())
