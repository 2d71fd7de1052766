"""How a document says what a dossier holds: in one language, on one clock, by names people know."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

Json = Mapping[str, Any]

_MINUTE = 60
_HOUR = 3600


@dataclass(frozen=True, slots=True)
class Reader:
    """`words`: of the document's language. `dossier`: whose time zone and programs it goes by."""

    words: Mapping[str, Any]
    dossier: Json

    def when(self, text: str | None) -> str:
        """A time on the person's own clock, to the millisecond, and in UTC."""
        if not text:
            return "–"  # noqa: RUF001
        at = datetime.fromisoformat(text)
        local, utc = at.astimezone(self._zone()), at.astimezone(UTC)
        if local.utcoffset() == utc.utcoffset():
            return f"{self._written(utc)} UTC"
        date = "" if local.date() == utc.date() else f"{utc.strftime(self.words['date'])} "
        offset = f"{local:%z}"
        time = f"{date}{_clock(utc)}"
        return f"{self._written(local)} {offset[:3]}:{offset[3:]} ({time} UTC)"

    def span(self, seconds: float) -> str:
        """How long something took."""
        if seconds < _MINUTE:
            return f"{seconds:.3f} s".replace(".", self.words["decimal"])
        if seconds < _HOUR:
            return f"{int(seconds // _MINUTE)} min {int(seconds % _MINUTE)} s"
        return f"{int(seconds // _HOUR)} h {int(seconds % _HOUR // _MINUTE)} min"

    def name(self, kind: str, value: Any) -> Any:
        """What one of a closed list is called; as it is where the list does not have it."""
        return self.words[kind].get(value, value)

    def program(self, slug: str) -> str:
        """A program by its brand and purpose, as people know it."""
        if slug == "*":
            return str(self.words["all_programs"])
        known = self.dossier["programs"].get(slug)
        return f"{known['brand']}: {known['purpose']}" if known else slug

    def text(self, text: str | None) -> str:
        """What was written, the place of a code by a word; or that it is erased."""
        if text is None:
            return str(self.words["erased"])
        return text.replace("{code}", self.words["code_place"])

    def words_of(self, entry: Json) -> str:
        """The words of the person that an entry rests on; nothing where a form brought it."""
        is_words = entry["text"] is not None and _form(entry["text"]) is None
        return self.text(entry["text"]) if is_words else ""

    def lines(self, facts: Json) -> Iterator[tuple[str, str]]:
        """Facts as labelled lines, those that say nothing left out."""
        for key, value in facts.items():
            if value not in (None, "", [], {}):
                yield self.words["columns"].get(key, key), self._said(key, value)

    def entry_lines(self, entry: Json) -> Iterator[tuple[str, str]]:
        """What a ledger entry rests on: the words that were used, or what a form brought."""
        if entry["text"] is not None:
            form = _form(entry["text"])
            if form is None:
                yield self.words["their_text"], self.text(entry["text"])
            else:
                yield from self.lines(form)
        yield from self.lines(entry["evidence"])

    def _said(self, key: str, value: Any) -> str:
        if isinstance(value, bool):
            return str(self.words["yes" if value else "no"])
        if isinstance(value, Mapping):
            return ", ".join(f"{name}: {said}" for name, said in self.lines(value))
        if isinstance(value, list):
            return ", ".join(self._said(key, each) for each in value)
        if key == "program":
            return self.program(str(value))
        if isinstance(value, str) and _is_time(value):
            return self.when(value)
        return str(self.name("values", value))

    def _written(self, at: datetime) -> str:
        return f"{at.strftime(self.words['date'])} {_clock(at)}"

    def _zone(self) -> ZoneInfo:
        try:
            return ZoneInfo(self.dossier["time_zone"])
        except (ZoneInfoNotFoundError, ValueError):  # newer than this machine's tables
            return ZoneInfo("UTC")


def _clock(at: datetime) -> str:
    return at.time().isoformat("milliseconds")


def _is_time(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _form(text: str) -> Json | None:
    """What a form brought, as the ledger keeps it; None for words."""
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
