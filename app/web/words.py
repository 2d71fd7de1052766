"""The words on the pages: a table per language, and which of them a visitor gets."""

import tomllib
from functools import cache
from importlib import resources
from typing import Any

from flask import Request, Response

from app.core.errors import InvalidInputError

LANGUAGES = ("it", "en")

_COOKIE = "language"
_YEAR = 365 * 24 * 3600


@cache
def words(language: str, part: str = "") -> dict[str, Any]:
    """All words of one of LANGUAGES, in nested tables: the simulator's, or another part's."""
    table = resources.files("app.web").joinpath("translations", part, f"{language}.toml")
    return tomllib.loads(table.read_text("utf-8"))


def language_for(request: Request, default: str, known: str | None = None) -> str:
    """The language asked for now (`?language=`), else chosen earlier, else the browser's.

    `known`: what the person is known to write in, which goes before the browser's.

    Raises InvalidInputError for one that the pages don't have.
    """
    asked = request.args.get("language")
    if asked is not None and asked not in LANGUAGES:
        raise InvalidInputError(f"language must be one of {', '.join(LANGUAGES)}")
    for chosen in (asked, request.cookies.get(_COOKIE), known):
        if chosen in LANGUAGES:
            return chosen
    fallback = default if default in LANGUAGES else "en"
    return request.accept_languages.best_match(LANGUAGES, fallback)


def remember(response: Response, request: Request, language: str) -> None:
    """Keep the language that was asked for, for the next visits."""
    if "language" in request.args:
        response.set_cookie(
            _COOKIE,
            language,
            max_age=_YEAR,
            httponly=True,
            samesite="Lax",
            secure=request.is_secure,
        )
