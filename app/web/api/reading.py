"""Reading what a request brings: strictly, every fault named, and no value ever repeated."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn, TypeVar

from flask import request
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from werkzeug.exceptions import BadRequest, UnsupportedMediaType

from app.core.errors import InvalidInputError

Model = TypeVar("Model", bound=BaseModel)

_MAX_FAULTS_SHOWN = 20

# A field's name is shown only if it looks like one: a stranger's may be somebody's number.
_NAME = re.compile(r"[A-Za-z_]{1,40}\Z")

# The library's words, where they could be clearer.
_WORDS = {
    "missing": "is required",
    "extra_forbidden": "is not a field of this request",
    "model_type": "must be a JSON object",
    "string_type": "must be a string",
    "string_unicode": "must be Unicode text; it holds half a character",
    "list_type": "must be a list",
    "string_pattern_mismatch": "must be printable ASCII without spaces",
}


class FaultyRequestError(InvalidInputError):
    """What came can't be used. `faults`: a field, or None for the whole, and what is wrong."""

    def __init__(self, faults: Sequence[Mapping[str, str | None]]) -> None:
        first = faults[0]
        text = f"{first['field'] or 'the request'} {first['fault']}"
        more = len(faults) - 1
        super().__init__(text if not more else f"{text} (and {more} more)")
        self.faults = list(faults[:_MAX_FAULTS_SHOWN])


def read_body(model: type[Model]) -> Model:
    """The JSON body. Raises UnsupportedMediaType, BadRequest (no JSON), FaultyRequestError."""
    if not request.is_json:
        raise UnsupportedMediaType("send JSON, with Content-Type: application/json")
    return _validated(model, _parse(request.get_data()))


def read_query(model: type[Model]) -> Model:
    """The part of the address after `?`; a name set to nothing counts as not given."""
    repeated = [name for name, values in request.args.lists() if len(values) > 1]
    if repeated:
        raise FaultyRequestError([_fault((repeated[0],), "is given more than once")])
    return _validated(model, {name: value for name, value in request.args.items() if value})


def _parse(body: bytes) -> Any:
    # Stricter than the library's default: who reads the request before us (a proxy, a log) must
    # not see another value in it than we do.
    try:
        return json.loads(body.decode(), object_pairs_hook=_object, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise BadRequest(f"the body is not valid JSON, at {place}") from error
    except UnicodeDecodeError as error:
        raise BadRequest("the body is not valid UTF-8") from error
    except RecursionError as error:
        raise BadRequest("the body is nested too deeply") from error
    except ValueError as error:
        raise BadRequest("the body must have each name once, and only finite numbers") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = dict(pairs)
    if len(names) < len(pairs):
        raise ValueError("a name is repeated")
    return names


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _validated(model: type[Model], given: Any) -> Model:
    try:
        return model.model_validate(given)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False, include_context=False)
        raise FaultyRequestError([_fault(each["loc"], _words(each)) for each in details]) from error


def _fault(place: Sequence[str | int], words: str) -> dict[str, str | None]:
    named = [str(p) if isinstance(p, int) or _NAME.match(p) else "(unknown)" for p in place]
    return {"field": ".".join(named) or None, "fault": words}


def _words(detail: ErrorDetails) -> str:
    said = detail["msg"].removeprefix("Value error, ")
    said = said.replace("Input should", "must").replace("String should", "must")
    return _WORDS.get(detail["type"], said.replace("List should", "must"))
