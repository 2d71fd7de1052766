"""`/u/<token>`: a person's own page. Opening it changes nothing; its buttons do."""

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from flask import Blueprint, Response, redirect, request
from itsdangerous import BadData, URLSafeTimedSerializer
from werkzeug.wrappers import Response as AnyResponse

from app.core.errors import InvalidInputError
from app.core.models import ALL_PROGRAMS, Channel
from app.core.preferences import Standing, Visit
from app.core.services import Services
from app.documents.dossier import render_dossier
from app.web.guards import own_forms_only
from app.web.pages.frame import Frame
from app.web.visitors import address_of, user_agent_of

_FORM_LIFETIME = timedelta(days=1)
_DONE = frozenset({"stopped", "chosen"})


def blueprint(services: Services, secret_key: str) -> Blueprint:
    """Public: the link is the key, with 128 bits, and forms come only from the page behind it."""
    pages = Blueprint("preferences", __name__, url_prefix="/u/<token>")
    pages.before_request(own_forms_only)
    pages.after_request(_unlisted)
    frame = Frame(services.policy)
    frame.attach(pages)
    own = _OwnPage(services, frame, URLSafeTimedSerializer(secret_key, "own page"))
    pages.add_url_rule("", "show", own.show)
    pages.add_url_rule("", "act", own.act, methods=["POST"])
    pages.add_url_rule("/data", "data", own.data, methods=["POST"])
    pages.add_url_rule("/document", "document", own.document, methods=["POST"])
    pages.add_url_rule("/erase", "ask_to_erase", own.ask_to_erase)
    pages.add_url_rule("/erase", "erase", own.erase, methods=["POST"])
    return pages


def _unlisted(response: Response) -> Response:
    response.headers["X-Robots-Tag"] = "noindex, nofollow"
    return response


@dataclass(frozen=True, slots=True)
class _OwnPage:
    """The views. `forms` seals the link into its page's forms: proof that they come from there."""

    services: Services
    frame: Frame
    forms: URLSafeTimedSerializer

    def show(self, token: str) -> Response:
        done = request.args.get("done")
        return self._page(token, done=done if done in _DONE else None)

    def act(self, token: str) -> AnyResponse:
        if not self._comes_from_page_of(token):
            return self._page(token, 403, fault="stale")
        act = request.form.get("act")
        if act == "stop":
            return self._stop(token)
        if act == "prefer":
            return self._prefer(token)
        raise InvalidInputError("there is no such button on this page")

    def data(self, token: str) -> Response:
        """All that is held, for programs and for `optout dossier verify`."""
        if not self._comes_from_page_of(token):
            return self._page(token, 403, fault="stale")
        content = json.dumps(self._dossier(token), ensure_ascii=False, indent=2)
        return _file(content, "application/json", "json")

    def document(self, token: str) -> Response:
        """The same to read, print and hand over."""
        if not self._comes_from_page_of(token):
            return self._page(token, 403, fault="stale")
        language = self.frame.language(known=self._standing(token).language)
        return _file(render_dossier(self._dossier(token), language), "text/html", "html")

    def ask_to_erase(self, token: str) -> Response:
        standing = self._standing(token)
        language = self.frame.language(known=standing.language)
        form = self.forms.dumps(token)
        return self.frame.show("erase", language, token=token, form=form, tail=standing.tail)

    def erase(self, token: str) -> Response:
        """Erase the person. The link is gone with them: this answer is its last page."""
        if not self._comes_from_page_of(token):
            return self._page(token, 403, fault="stale")
        language = self.frame.language(known=self._standing(token).language)
        fingerprint = self.services.preferences.person_behind(token, self._address())
        certificate = self.services.privacy.erase_known(fingerprint, "the person", "web")
        return self.frame.show("erased", language, certificate=certificate)

    def _dossier(self, token: str) -> dict[str, Any]:
        fingerprint = self.services.preferences.person_behind(token, self._address())
        dossier = self.services.dossiers.export_known(fingerprint)
        self.services.accesses.note_dossier("web", "the person", fingerprint)
        return dossier

    def _stop(self, token: str) -> AnyResponse:
        program = request.form.get("program", "")
        button = "stop_all" if program == ALL_PROGRAMS else "stop_one"
        self.services.preferences.stop(token, program, self._visit(token, button))
        return redirect(f"/u/{token}?done=stopped", 303)

    def _prefer(self, token: str) -> AnyResponse:
        channel = request.form.get("channel", "")
        if channel not in set(Channel):
            return self._page(token, 422, fault="channel")
        email = request.form.get("email", "")
        visit = self._visit(token, "prefer")
        try:
            self.services.preferences.prefer(token, Channel(channel), email, visit)
        except InvalidInputError:
            return self._page(token, 422, fault="email")
        return redirect(f"/u/{token}?done=chosen", 303)

    def _page(
        self, token: str, status: int = 200, done: str | None = None, fault: str | None = None
    ) -> Response:
        standing = self._standing(token)
        return self.frame.show(
            "own",
            self.frame.language(known=standing.language),
            status,
            standing=standing,
            token=token,
            form=self.forms.dumps(token),
            all_programs=ALL_PROGRAMS,
            done=done,
            fault=fault,
            channel=request.form.get("channel", standing.channel),
            email=request.form.get("email", standing.email or ""),
        )

    def _standing(self, token: str) -> Standing:
        return self.services.preferences.of(token, self._address())

    def _visit(self, token: str, button: str) -> Visit:
        """The act in the words of the button that was pressed, as the page showed them."""
        language = self.frame.language(known=self._standing(token).language)
        pressed = self.frame.words(language)["own"][button]
        return Visit(pressed, self._address(), user_agent_of(request))

    def _comes_from_page_of(self, token: str) -> bool:
        try:
            sealed = self.forms.loads(
                request.form.get("form", ""), max_age=int(_FORM_LIFETIME.total_seconds())
            )
        except BadData:
            return False
        return bool(sealed == token)

    def _address(self) -> str:
        return address_of(request, self.services.policy.public_url)


def _file(content: str, kind: str, ending: str) -> Response:
    response = Response(content, mimetype=kind)
    response.headers["Content-Disposition"] = f'attachment; filename="optout.{ending}"'
    return response
