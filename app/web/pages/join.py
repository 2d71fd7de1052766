"""`/join/<program>`: number and consent, the code, done. Nobody learns who has opted out."""

import hashlib
import json
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from flask import Blueprint, Response, redirect, request
from itsdangerous import BadData, URLSafeTimedSerializer
from werkzeug.wrappers import Response as AnyResponse

from app.core.errors import CodeRefusedError, InvalidNumberError
from app.core.optin import Join
from app.core.phone import Phone
from app.core.programs import Terms
from app.core.services import Services
from app.core.wayout import can_be_answered
from app.web.guards import own_forms_only
from app.web.pages.frame import Frame
from app.web.visitors import address_of, user_agent_of

_COOKIE = "joining"
_FORM_LIFETIME = timedelta(days=1)


def blueprint(services: Services, secret_key: str) -> Blueprint:
    """Public: anyone may ask for anyone's number, so a code goes to it before anything counts."""
    pages = Blueprint("join", __name__, url_prefix="/join/<slug>")
    pages.before_request(own_forms_only)
    frame = Frame(services.policy)
    frame.attach(pages)
    joining = _Joining(
        services,
        frame,
        URLSafeTimedSerializer(secret_key, "join form"),
        URLSafeTimedSerializer(secret_key, "join request"),
    )
    pages.add_url_rule("", "form", joining.form)
    pages.add_url_rule("", "ask", joining.ask, methods=["POST"])
    pages.add_url_rule("/code", "code", joining.code)
    pages.add_url_rule("/code", "enter", joining.enter, methods=["POST"])
    pages.add_url_rule("/done", "done", joining.done)
    return pages


@dataclass(frozen=True, slots=True)
class _Joining:
    """The views. `forms` seals what a form showed, `asked` the request that a browser made."""

    services: Services
    frame: Frame
    forms: URLSafeTimedSerializer
    asked: URLSafeTimedSerializer

    def form(self, slug: str) -> Response:
        return self._form(self.services.programs.show(slug))

    def ask(self, slug: str) -> AnyResponse:
        terms = self.services.programs.show(slug)
        sealed = self._sealed_form(terms)
        if sealed is None:
            return self._form(terms, 409, "changed")
        if request.form.get("agreed") != "yes":
            return self._form(terms, 422, "agreed")
        try:
            phone = self.services.phones.parse(request.form.get("number", ""))
        except InvalidNumberError:
            return self._form(terms, 422, "number")
        request_id = self.services.join_form.ask(self._join(terms, phone, sealed["nonce"]))
        return self._remember(redirect(f"/join/{slug}/code", 303), terms, phone, request_id)

    def code(self, slug: str) -> AnyResponse:
        terms = self.services.programs.show(slug)
        asked = self._asked(terms)
        if asked is None:
            return redirect(f"/join/{slug}")
        if self._is_done(terms, asked):
            return redirect(f"/join/{slug}/done")
        return self._code(terms, asked)

    def enter(self, slug: str) -> AnyResponse:
        terms = self.services.programs.show(slug)
        asked = self._asked(terms)
        if asked is None:
            return self._form(terms, 422, "over")
        code = "".join(filter(str.isdigit, request.form.get("code", "")))
        try:
            self.services.join_form.enter(asked["id"], code, self._browser())
        except CodeRefusedError as error:
            return self._code(terms, asked, 422, error.reason)
        return redirect(f"/join/{slug}/done", 303)

    def done(self, slug: str) -> AnyResponse:
        terms = self.services.programs.show(slug)
        asked = self._asked(terms)
        if asked is None or not self._is_done(terms, asked):
            return redirect(f"/join/{slug}")
        language = self.frame.language(terms.language)
        return self.frame.show("joined", language, **_shown(terms))

    def _form(self, terms: Terms, status: int = 200, fault: str | None = None) -> Response:
        seal = {
            "nonce": secrets.token_hex(16),
            "program": terms.slug,
            "shown": _shown_words(terms),
        }
        return self.frame.show(
            "join",
            self.frame.language(terms.language),
            status,
            **_shown(terms),
            form=self.forms.dumps(seal),
            number=request.form.get("number", ""),
            agreed=fault == "number" and "agreed" in request.form,
            fault=fault,
            months=round(terms.retention.days / 30.4),
            notice_text=self.services.programs.notice_text(terms),
        )

    def _code(
        self, terms: Terms, asked: dict[str, Any], status: int = 200, fault: str | None = None
    ) -> Response:
        language = self.frame.language(terms.language)
        minutes = max(1, int(self.services.policy.code_lifetime.total_seconds() // 60))
        facts = _shown(terms) | {"tail": asked["tail"], "fault": fault, "minutes": minutes}
        return self.frame.show("code", language, status, **facts)

    def _join(self, terms: Terms, phone: Phone, nonce: str) -> Join:
        policy = self.services.policy
        # The same form sent twice for the same number is one request.
        form = hashlib.sha256(nonce.encode() + phone.fingerprint).hexdigest()[:32]
        return Join(
            to=phone.e164,
            program=terms.slug,
            door="web",
            source=f"{policy.public_url}/join/{terms.slug}",
            text=terms.text,
            language=self.frame.language(terms.language),
            address=address_of(request, policy.public_url),
            user_agent=user_agent_of(request),
            request_id=form,
        )

    def _browser(self) -> str:
        """Where the code was typed in, as the ledger remembers it."""
        address = address_of(request, self.services.policy.public_url)
        return json.dumps({"address": address, "user_agent": user_agent_of(request)})

    def _sealed_form(self, terms: Terms) -> dict[str, Any] | None:
        """What the form showed; None where that is not what the program says now."""
        sealed = _unsealed(self.forms, request.form.get("form", ""), _FORM_LIFETIME)
        shown = sealed and (sealed["program"], sealed.get("shown"))
        return sealed if shown == (terms.slug, _shown_words(terms)) else None

    def _asked(self, terms: Terms) -> dict[str, Any] | None:
        """The request that this browser has made, while its code may come back."""
        lifetime = self.services.policy.code_lifetime
        asked = _unsealed(self.asked, request.cookies.get(_COOKIE, ""), lifetime)
        return asked if asked and asked["program"] == terms.slug else None

    def _is_done(self, terms: Terms, asked: dict[str, Any]) -> bool:
        return not terms.double_opt_in or self.services.join_form.has_joined(asked["id"])

    def _remember(
        self, response: AnyResponse, terms: Terms, phone: Phone, request_id: str
    ) -> AnyResponse:
        asked = {"id": request_id, "program": terms.slug, "tail": phone.e164[-3:]}
        policy = self.services.policy
        response.set_cookie(
            _COOKIE,
            self.asked.dumps(asked),
            max_age=policy.code_lifetime,
            path=f"/join/{terms.slug}",
            secure=policy.public_url.startswith("https://"),
            httponly=True,
            samesite="Lax",
        )
        return response


def _shown_words(terms: Terms) -> list[Any]:
    """What a form showed to agree to: the consent text, and the notice."""
    return [terms.text_version, terms.notice_version, terms.notice_url]


def _shown(terms: Terms) -> dict[str, Any]:
    """What the templates say of a program.

    `answerable`: whether a person can answer its messages; `sender`: the number to text, where
    there is one (a messaging service has many).
    """
    answerable = can_be_answered(terms.sender)
    sender = terms.sender if answerable and not (terms.sender or "").startswith("MG") else None
    return {"terms": terms, "brand": terms.brand, "answerable": answerable, "sender": sender}


def _unsealed(
    serializer: URLSafeTimedSerializer, sealed: str, lifetime: timedelta
) -> dict[str, Any] | None:
    try:
        content = serializer.loads(sealed, max_age=int(lifetime.total_seconds()))
    except BadData:
        return None
    return content if isinstance(content, dict) else None
