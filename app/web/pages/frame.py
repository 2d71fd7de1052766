"""What all public pages share: their words, their languages, how they say that something failed.

No failure says anything about a person.
"""

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, make_response, render_template, request
from werkzeug.exceptions import HTTPException

from app.core.errors import (
    GatewayError,
    InvalidInputError,
    NotAllowedHereError,
    NotFoundError,
    ProviderError,
    StorageUnavailableError,
    TooManyRequestsError,
)
from app.core.policy import Policy
from app.web.errors import note, status_of
from app.web.words import LANGUAGES, language_for, remember, words

# The words for a failure, in the table `failures`; the first kind that fits counts.
_KINDS: tuple[tuple[type[GatewayError], str], ...] = (
    (NotFoundError, "not_found"),
    (NotAllowedHereError, "not_allowed"),
    (TooManyRequestsError, "too_many"),
    (StorageUnavailableError, "unavailable"),
    (ProviderError, "not_sent"),
)


@dataclass(frozen=True, slots=True)
class Frame:
    """Shows pages in the visitor's language."""

    policy: Policy

    def language(self, default: str | None = None, known: str | None = None) -> str:
        """Asked for now, chosen earlier, the one the person is `known` to write, the browser's."""
        return language_for(request, default or self.policy.language, known)

    def words(self, language: str) -> dict[str, Any]:
        return words(language, "public")

    def show(self, template: str, language: str, status: int = 200, **facts: Any) -> Response:
        page = render_template(
            f"public/{template}.html",
            language=language,
            languages=LANGUAGES,
            words=self.words(language),
            **({"brand": self.policy.brand} | facts),
        )
        response = make_response(page, status)
        response.vary.update(("Accept-Language", "Cookie"))
        remember(response, request, language)
        return response

    def attach(self, pages: Blueprint) -> None:
        """Let the blueprint's failures be pages too."""
        pages.register_error_handler(GatewayError, self._failed)
        pages.register_error_handler(HTTPException, self._refused)

    def _failed(self, error: GatewayError) -> Response:
        kind = next((kind for known, kind in _KINDS if isinstance(error, known)), "other")
        return note(error, self._failure(kind, status_of(error)))

    def _refused(self, error: HTTPException) -> Response:
        if error.response is not None or (error.code or 500) < 400:  # noqa: PLR2004 - a redirect
            return error.get_response()  # type: ignore[return-value]
        return self._failure("other", error.code or 500)

    def _failure(self, kind: str, status: int) -> Response:
        try:
            language = self.language()
        except InvalidInputError:  # an odd ?language= may be the very failure
            language = self.policy.language if self.policy.language in LANGUAGES else "en"
        return self.show("failure", language, status, kind=kind, back=_form_of_this())


def _form_of_this() -> str | None:
    """Where to begin again: the program's form. A person's own link is never repeated."""
    slug = (request.view_args or {}).get("slug")
    return f"/join/{slug}" if slug and request.method == "POST" else None
