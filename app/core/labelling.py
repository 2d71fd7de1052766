"""Texts in JSON lines, labelled with what they mean: for tests, measurements and other programs."""

import json
from typing import Any

from app.core.errors import InvalidInputError
from app.core.language import NO_OWN_WORDS, OwnWords, classify

MAX_LINE = 1_048_576  # characters


def label_line(line: str, own_words: OwnWords = NO_OWN_WORDS) -> str:
    """`{"id","text"}` → `{"id","label","code","language","rule","review"}`, a line of JSON.

    Raises InvalidInputError, which never shows the text.
    """
    asked = _parsed(line)
    if not isinstance(asked, dict) or "id" not in asked or not isinstance(asked.get("text"), str):
        raise InvalidInputError('each line must be an object with "id" and "text", a string')
    meaning = classify(asked["text"], own_words)
    label = {
        "id": asked["id"],
        "label": meaning.intent.name,
        "code": meaning.code,
        "language": meaning.language,
        "rule": meaning.rule,
        "review": meaning.review,
    }
    return json.dumps(label) + "\n"


def _parsed(line: str) -> Any:
    if len(line) >= MAX_LINE:
        raise InvalidInputError(f"the line is longer than {MAX_LINE} characters")
    try:
        return json.loads(line, parse_constant=_refuse, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise InvalidInputError("not JSON") from error


def _finite(digits: str) -> float:
    number = float(digits)
    return number if abs(number) != float("inf") else _refuse(digits)


def _refuse(_: str) -> float:
    raise ValueError("JSON has no such number")
