"""What an owner may choose of a program, checked and as the table keeps it."""

from collections.abc import Mapping
from datetime import time
from typing import Any

from app.core.errors import InvalidInputError
from app.core.language import LANGUAGES, words

_COLUMNS = frozenset(
    {
        "brand",
        "purpose",
        "language",
        "sender",
        "notice_url",
        "retention_days",
        "renewal_days",
        "double_opt_in",
        "yes_confirms",
        "join_words",
        "stop_words",
        "quiet",
        "cap",
        "controller_name",
        "controller_address",
        "privacy_contact",
    }
)

_MOST_DAYS = {"retention_days": 3650, "renewal_days": 365}


def _check_days(values: Mapping[str, Any]) -> None:
    for key, most in _MOST_DAYS.items():
        days = values.get(key)
        if days is not None and not 1 <= days <= most:
            raise InvalidInputError(f"{key} must be between 1 and {most}")


def checked(choices: Mapping[str, Any]) -> dict[str, Any]:
    """The columns' values. Raises InvalidInputError for a choice that can't be."""
    values = dict(choices)
    if unknown := set(values) - _COLUMNS:
        raise InvalidInputError(f"a program has no {', '.join(sorted(unknown))}")
    if values.get("yes_confirms", False) is None:
        raise InvalidInputError("yes_confirms must be true or false")
    if values.get("language") not in {None, *LANGUAGES}:
        raise InvalidInputError(f"language must be one of {', '.join(LANGUAGES)}")
    _check_days(values)
    url = values.get("notice_url")
    if url is not None and not str(url).startswith(("https://", "http://")):
        raise InvalidInputError("notice_url must be a web address")
    if "quiet" in values:
        values["quiet_from"], values["quiet_until"] = _quiet(values.pop("quiet"))
    if "cap" in values:
        values["cap_messages"], values["cap_days"] = _cap(values.pop("cap"))
    for key in ("join_words", "stop_words"):
        if key in values:
            said = [words(each) for each in values[key] or ()]
            values[key] = "\n".join(each for each in said if each)
    return values


def _quiet(span: tuple[time, time] | str | None) -> tuple[time | None, time | None]:
    """Two times of day, or as people write them: 20:00-09:00."""
    if span is None:
        return None, None
    try:
        first, second = map(time.fromisoformat, span.split("-")) if isinstance(span, str) else span
    except ValueError as error:
        raise InvalidInputError("quiet hours must be two times of day, as 20:00-09:00") from error
    if first == second:
        raise InvalidInputError("quiet hours must begin and end at different times")
    return first, second


def _cap(cap: tuple[int, int] | str | None) -> tuple[int | None, int | None]:
    """So many messages in so many days; as people write it: 4/7."""
    if cap is None:
        return None, None
    try:
        messages, days = map(int, cap.split("/")) if isinstance(cap, str) else cap
    except ValueError as error:
        raise InvalidInputError("a cap must be messages and days, as 4/7") from error
    if not (1 <= messages <= 1000 and 1 <= days <= 366):  # noqa: PLR2004 - a year
        raise InvalidInputError("a cap is 1 to 1000 messages in 1 to 366 days")
    return messages, days
