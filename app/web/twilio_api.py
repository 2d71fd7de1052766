"""Twilio's Messages resource, so that existing scripts change one base URL and nothing else.

https://www.twilio.com/docs/messaging/api/message-resource
"""

import hmac
import re
from typing import Any

from flask import Blueprint, Response, g, jsonify, request

from app.config import Settings
from app.core.api_keys import Caller
from app.core.gate import Scope
from app.core.models import Purpose
from app.core.schema import DEFAULT_PROGRAM
from app.core.services import Services
from app.twilio_messages import API_ROOT, TwilioError, bare_error, draft_from
from app.web.sending import send_counted

_SID = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")

# What a list can be asked for; nothing else of a query goes on to the provider.
_FILTERS = ("To", "From", "DateSent", "DateSent<", "DateSent>", "Page", "PageSize", "PageToken")


def blueprint(services: Services, settings: Settings) -> Blueprint:
    """`…/Messages.json` and `…/Messages/<sid>.json`, behind HTTP Basic."""
    api = Blueprint("twilio_api", __name__, url_prefix=f"{API_ROOT}/Accounts/<account>")

    @api.url_value_preprocessor
    def take_account(_: str | None, values: dict[str, Any] | None) -> None:
        g.account = (values or {}).pop("account", None)

    @api.before_request
    def authenticate() -> None:
        g.caller = _caller(services, settings)
        if g.account != settings.twilio_account_sid:
            raise bare_error(404)

    @api.post("/Messages.json")
    def create_message() -> tuple[Response, int]:
        caller: Caller = g.caller
        fields = list(request.form.items(multi=True))
        draft = draft_from(fields, caller.scope, caller.requester, services.policy.sender)
        return jsonify(send_counted(services.outbox, draft).resource), 201

    @api.get("/Messages.json")
    def list_messages() -> Response:
        query = {name: request.args[name] for name in _FILTERS if name in request.args}
        page = services.provider.list_messages(query)
        people = len({str(each.get("to")) for each in page.get("messages") or ()})
        services.accesses.note("api", g.caller.requester, "messages", people=people)
        return jsonify(page)

    @api.get("/Messages/<sid>.json")
    def fetch_message(sid: str) -> Response:
        if not _SID.match(sid):
            raise bare_error(404)
        message = services.provider.fetch(sid)
        services.accesses.note("api", g.caller.requester, "message")
        return jsonify(message)

    return api


def _caller(services: Services, settings: Settings) -> Caller:
    """Who asks, by the account's own credentials or an API key. Raises TwilioError."""
    name, secret = _basic_credentials()
    if _same(f"{settings.twilio_account_sid}:{settings.twilio_auth_token}", f"{name}:{secret}"):
        return Caller("account", "account", Scope(DEFAULT_PROGRAM, Purpose.MARKETING))
    caller = services.api_keys.recognise(secret, name)
    if caller is None:
        raise _unknown_caller()
    return caller


def _basic_credentials() -> tuple[str, str]:
    """Raises TwilioError; whatever stands in the header, it is no failure of ours."""
    try:
        given = request.authorization
    except ValueError:  # not base64, or not even ASCII
        given = None
    if given is None or given.type != "basic" or not given.username or not given.password:
        raise _unknown_caller()
    return given.username, given.password


def _same(ours: str, theirs: str) -> bool:
    return hmac.compare_digest(ours.encode(), theirs.encode())


def _unknown_caller() -> TwilioError:
    return TwilioError(401, 20003, "Authenticate")
