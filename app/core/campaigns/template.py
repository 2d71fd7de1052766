"""A campaign's text with places that each recipient's own words fill: `Ciao {nome|a tutti}`."""

import re
import unicodedata
from collections.abc import Iterable, Mapping

from app.core.errors import InvalidInputError

LONGEST_TEXT = 1600  # characters: Twilio's limit, error 21617

_PARTS = re.compile(r"\{\{|\}\}|\{(?P<name>[^{}|]*)(?:\|(?P<default>[^{}]*))?\}|[{}]")


class Template:
    """`{name}` is a place, `{name|else}` one with a default; `{{` and `}}` are single braces.

    Raises InvalidInputError for a text without content or with a brace that stands alone.
    """

    def __init__(self, text: str) -> None:
        if not text.strip():
            raise InvalidInputError("the text is empty")
        self._text = text
        found = [match for match in _PARTS.finditer(text) if len(match[0]) != 2]  # noqa: PLR2004
        if any(not (match["name"] or "").strip() for match in found) or "{}" in text:
            raise InvalidInputError(
                "a brace in the text stands alone: write {{ or }} for a brace, {name} for a place"
            )
        self.names = list(dict.fromkeys(plain(match["name"]) for match in found))
        self._defaults = {plain(m["name"]): m["default"] for m in found if m["default"] is not None}

    def require(self, columns: Iterable[str]) -> None:
        """Raises InvalidInputError where a place has no column of that name."""
        known = {plain(column) for column in columns}
        missing = [name for name in self.names if name not in known]
        if missing:
            raise InvalidInputError(
                f"the list has no column for {', '.join(f'{{{name}}}' for name in missing)}: "
                "name the columns in its first row, or write {{ }} for braces"
            )

    def fields_from(self, given: Mapping[str, str]) -> dict[str, str]:
        """What of a row the text needs, on one line each.

        Raises InvalidInputError for an empty cell without default: nobody is greeted as nothing.
        """
        tidy = {plain(name): " ".join(value.split()) for name, value in given.items()}
        fields = {name: tidy.get(name) or self._defaults.get(name, "") for name in self.names}
        for name in self.names:
            if not fields[name] and name not in self._defaults:
                raise InvalidInputError(f"{{{name}}} is empty: give a default, {{{name}|…}}")
        return fields

    def fill(self, fields: Mapping[str, str]) -> str:
        """The text for one recipient. Raises InvalidInputError where it gets too long."""
        text = _PARTS.sub(lambda match: _filled(match, fields), self._text)
        if len(text) > LONGEST_TEXT:
            raise InvalidInputError(f"the text gets longer than {LONGEST_TEXT} characters")
        return text


def plain(name: str) -> str:
    """A column's name as it is compared: `Nome ` in the list is `{nome}` in the text."""
    return " ".join(unicodedata.normalize("NFC", name).casefold().split())


def _filled(match: re.Match[str], fields: Mapping[str, str]) -> str:
    if match["name"] is None:
        return match[0][0]
    return fields[plain(match["name"])]
