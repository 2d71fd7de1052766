"""Who may ask for what: a key is recognised, and acts within its program and purpose."""

from typing import NoReturn

from flask import request
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Forbidden, Unauthorized

from app.core.api_keys import ApiKeys, Caller
from app.core.consent import Evidence
from app.core.gate import Scope
from app.core.models import Purpose
from app.core.schema import DEFAULT_PROGRAM

DOOR = "api"  # by which what comes in here is known in the ledger


def authenticate(keys: ApiKeys) -> Caller:
    """The holder of the request's key. Raises Unauthorized."""
    scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        _refuse("an API key is needed: Authorization: Bearer <secret>", {})
    key_id, colon, secret = credentials.strip().rpartition(":")
    caller = keys.recognise(secret, key_id if colon else None)
    if caller is None:
        _refuse("this API key is unknown or revoked", {"error": "invalid_token"})
    return caller


def _refuse(detail: str, error: dict[str, str | None]) -> NoReturn:
    # RFC 6750, section 3: who has sent no key is told no error code.
    challenge = WWWAuthenticate("bearer", {"realm": "optout", **error})
    raise Unauthorized(detail, www_authenticate=challenge)


def program_of(caller: Caller, asked: str | None) -> str:
    """The program a request is about. Raises Forbidden for one that is not the key's.

    A person stops one program and not another: a key that could name any program would send its
    messages under the one that was not stopped. Only a key of the default program, which nobody
    has narrowed down, may name all.
    """
    program = asked or caller.scope.program
    if not may_use(caller, program):
        raise Forbidden("this API key is for another program: leave `program` out, or use its own")
    return program


def may_use(caller: Caller, program: str) -> bool:
    return only_program(caller) in {None, program}


def only_program(caller: Caller) -> str | None:
    """The one program that the key was made for; None where it may name all."""
    program = caller.scope.program
    return None if program == DEFAULT_PROGRAM else program


def sending_scope(caller: Caller, program: str | None, purpose: Purpose | None) -> Scope:
    """What a message is for. Raises Forbidden where that is more than the key carries.

    Service messages go past the need for a consent, so calling a message one is not the sender's
    choice: it is decided once, when the key is made.
    """
    purpose = purpose or caller.scope.purpose
    if purpose is Purpose.SERVICE and caller.scope.purpose is not Purpose.SERVICE:
        raise Forbidden("this API key is for marketing: service messages need a key made for them")
    return Scope(program_of(caller, program), purpose)


def evidence(caller: Caller, text: str | None = None) -> Evidence:
    """What the ledger keeps: this door, the key, and the words that were given."""
    return Evidence(DOOR, text, key_details(caller))


def key_details(caller: Caller) -> dict[str, str]:
    """Which key was used, for the ledger."""
    return {"api_key": caller.requester, "api_key_name": caller.name}
