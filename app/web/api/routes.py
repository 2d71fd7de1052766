"""What a request of the API is: registered with Flask and described in OpenAPI from one table."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from pydantic import BaseModel

Answer = tuple[BaseModel, int]


@dataclass(frozen=True, slots=True)
class Page:
    """An answer in place of JSON, for who sends `Accept: text/html` or `text/csv`."""

    content: str
    mimetype: str


@dataclass(frozen=True, slots=True)
class Route:
    """One request: what it takes, what it gives, how it can fail.

    `name` is the request's own, also in generated clients. `path` is spelled as in OpenAPI: `{id}`
    varies. `handle` is called with the caller, what varies in the path, and the validated body or
    query; its docstring is what the reader of the API sees. `gives` has a model for each status of
    success, `fails` a sentence for each failure that is this request's own. `as_page`: whether it
    can be had as a page and a table too.
    """

    name: str
    method: str
    path: str
    handle: Callable[..., Answer | Page]
    gives: Mapping[int, type[BaseModel]]
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    fails: Mapping[int, str] = field(default_factory=dict)
    as_page: bool = False
