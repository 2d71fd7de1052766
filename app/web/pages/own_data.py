"""`/u/<token>/data`: a person's data, to take or to erase. The link opens nothing: a code does.

Who has the link may have been sent it; the code has been read on the handset. What it opens is
sealed into the page that follows, for as long as the code would have been good, and stands in no
address and no cookie.
"""

import json
from dataclasses import dataclass
from typing import Any

from flask import Response, redirect, request
from itsdangerous import URLSafeTimedSerializer
from werkzeug.wrappers import Response as AnyResponse

from app.core.errors import (
    CodeRefusedError,
    InvalidInputError,
    NotSentError,
    TooManyRequestsError,
)
from app.core.models import RequestKind
from app.documents import render_dossier, table_of
from app.web.pages.link import OwnLink, is_sealed

_DONE = frozenset({"sent", *RequestKind})


@dataclass(frozen=True, slots=True)
class OwnData:
    """The views. `proofs` seals that the handset's code was given."""

    link: OwnLink
    proofs: URLSafeTimedSerializer

    def show(self, token: str) -> Response:
        """How to get the code, and where to type it in; changes nothing."""
        done = request.args.get("done")
        return self._ask(token, done=done if done in _DONE else None)

    def send_code(self, token: str) -> AnyResponse:
        """Text the code, to a number that is not suppressed."""
        if not self.link.comes_from_page_of(token):
            return self._ask(token, 403, fault="stale")
        person, language = self.link.person(token), self.link.language(token)
        try:
            self.link.services.handsets.text_code(person, self.link.address(), language)
        except NotSentError:  # a STOP came meanwhile: the page now says how else
            return redirect(f"/u/{token}/data", 303)
        return redirect(f"/u/{token}/data?done=sent", 303)

    def prove(self, token: str) -> Response:
        """The code: with the right one, the page of the data."""
        if not self.link.comes_from_page_of(token):
            return self._ask(token, 403, fault="stale")
        code = "".join(filter(str.isdigit, request.form.get("code", "")))
        try:
            self.link.services.handsets.prove(self.link.person(token), code)
        except CodeRefusedError as error:
            return self._ask(token, 422, fault=error.reason)
        except TooManyRequestsError:
            return self._ask(token, 429, fault="too_many_today")
        return self._page_of_data(token)

    def file(self, token: str) -> Response:
        """All that is held: to read, as a table, or for `optout dossier verify`."""
        if not self._is_proven(token):
            return self._ask(token, 403, fault="stale")
        kind = request.form.get("kind")
        if kind == "json":
            content = json.dumps(self._dossier(token), ensure_ascii=False, indent=2)
            return _file(content, "application/json", "json")
        if kind == "csv":
            # The mark without which a spreadsheet reads UTF-8 as something else.
            return _file(f"\ufeff{table_of(self._dossier(token))}", "text/csv", "csv")
        if kind == "html":
            language = self.link.language(token)
            return _file(render_dossier(self._dossier(token), language), "text/html", "html")
        raise InvalidInputError("there is no such file")

    def erase(self, token: str) -> Response:
        """Erase the person. The link is gone with them: this answer is its last page."""
        if not self._is_proven(token):
            return self._ask(token, 403, fault="stale")
        language = self.link.language(token)
        person = self.link.person(token)
        certificate = self.link.services.privacy.erase_known(person, "the person", "web")
        return self.link.frame.show("erased", language, certificate=certificate)

    def ask_operator(self, token: str) -> AnyResponse:
        """For who can't get a code: an operator makes sure who asks, within a month."""
        if not self.link.comes_from_page_of(token):
            return self._ask(token, 403, fault="stale")
        kind = request.form.get("kind")
        if kind not in set(RequestKind):
            raise InvalidInputError("there is no such button on this page")
        self.link.services.handsets.ask_operator(self.link.person(token), RequestKind(kind))
        return redirect(f"/u/{token}/data?done={kind}", 303)

    def _ask(
        self, token: str, status: int = 200, done: str | None = None, fault: str | None = None
    ) -> Response:
        way = self.link.services.handsets.way(self.link.person(token))
        minutes = int(self.link.services.policy.code_lifetime.total_seconds() // 60)
        facts = {"way": way, "minutes": minutes, "done": done, "fault": fault}
        return self.link.show("code_for_data", token, status, **facts)

    def _page_of_data(self, token: str) -> Response:
        return self.link.show("data", token, proof=self.proofs.dumps(token))

    def _is_proven(self, token: str) -> bool:
        lifetime = self.link.services.policy.code_lifetime
        return is_sealed(self.proofs, request.form.get("proof", ""), token, lifetime)

    def _dossier(self, token: str) -> dict[str, Any]:
        person = self.link.person(token)
        dossier = self.link.services.dossiers.export_known(person)
        self.link.services.accesses.note_dossier("web", "the person", person)
        return dossier


def _file(content: str, kind: str, ending: str) -> Response:
    response = Response(content, mimetype=kind)
    response.headers["Content-Disposition"] = f'attachment; filename="optout.{ending}"'
    return response
