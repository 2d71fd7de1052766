"""`/u/<token>`: a person's own page. Opening it changes nothing; its buttons do."""

from dataclasses import dataclass

from flask import Blueprint, Response, redirect, request
from itsdangerous import URLSafeTimedSerializer
from werkzeug.wrappers import Response as AnyResponse

from app.core.errors import InvalidInputError
from app.core.models import ALL_PROGRAMS, Channel
from app.core.preferences import Visit
from app.core.services import Services
from app.web.guards import own_forms_only
from app.web.pages.frame import Frame
from app.web.pages.link import OwnLink
from app.web.pages.own_data import OwnData
from app.web.visitors import user_agent_of

_DONE = frozenset({"stopped", "chosen"})


def blueprint(services: Services, secret_key: str) -> Blueprint:
    """Public: the link is the key, with 128 bits, and forms come only from the page behind it.

    To stop takes the link alone; to take or erase the data takes the handset's code as well.
    """
    pages = Blueprint("preferences", __name__, url_prefix="/u/<token>")
    pages.before_request(own_forms_only)
    pages.after_request(_unlisted)
    frame = Frame(services.policy)
    frame.attach(pages)
    link = OwnLink(services, frame, URLSafeTimedSerializer(secret_key, "own page"))
    own = _OwnPage(link)
    pages.add_url_rule("", "show", own.show)
    pages.add_url_rule("", "act", own.act, methods=["POST"])
    data = OwnData(link, URLSafeTimedSerializer(secret_key, "handset's code"))
    pages.add_url_rule("/data", "data", data.show)
    pages.add_url_rule("/data", "prove", data.prove, methods=["POST"])
    pages.add_url_rule("/code", "send_code", data.send_code, methods=["POST"])
    pages.add_url_rule("/file", "file", data.file, methods=["POST"])
    pages.add_url_rule("/erase", "erase", data.erase, methods=["POST"])
    pages.add_url_rule("/request", "ask_operator", data.ask_operator, methods=["POST"])
    return pages


def _unlisted(response: Response) -> Response:
    response.headers["X-Robots-Tag"] = "noindex, nofollow"
    return response


@dataclass(frozen=True, slots=True)
class _OwnPage:
    """The views."""

    link: OwnLink

    def show(self, token: str) -> Response:
        done = request.args.get("done")
        return self._page(token, done=done if done in _DONE else None)

    def act(self, token: str) -> AnyResponse:
        if not self.link.comes_from_page_of(token):
            return self._page(token, 403, fault="stale")
        act = request.form.get("act")
        if act == "stop":
            return self._stop(token)
        if act == "prefer":
            return self._prefer(token)
        raise InvalidInputError("there is no such button on this page")

    def _stop(self, token: str) -> AnyResponse:
        program = request.form.get("program", "")
        button = "stop_all" if program == ALL_PROGRAMS else "stop_one"
        self.link.services.preferences.stop(token, program, self._visit(token, button))
        return redirect(f"/u/{token}?done=stopped", 303)

    def _prefer(self, token: str) -> AnyResponse:
        channel = request.form.get("channel", "")
        if channel not in set(Channel):
            return self._page(token, 422, fault="channel")
        email = request.form.get("email", "")
        visit = self._visit(token, "prefer")
        try:
            self.link.services.preferences.prefer(token, Channel(channel), email, visit)
        except InvalidInputError:
            return self._page(token, 422, fault="email")
        return redirect(f"/u/{token}?done=chosen", 303)

    def _page(
        self, token: str, status: int = 200, done: str | None = None, fault: str | None = None
    ) -> Response:
        standing = self.link.standing(token)
        return self.link.show(
            "own",
            token,
            status,
            all_programs=ALL_PROGRAMS,
            done=done,
            fault=fault,
            channel=request.form.get("channel", standing.channel),
            email=request.form.get("email", standing.email or ""),
        )

    def _visit(self, token: str, button: str) -> Visit:
        """The act in the words of the button that was pressed, as the page showed them."""
        pressed = self.link.frame.words(self.link.language(token))["own"][button]
        return Visit(pressed, self.link.address(), user_agent_of(request))
