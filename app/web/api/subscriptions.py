"""Joining a program by API: a request, its code, and the whole record of one person."""

import re
from collections.abc import Iterator

from flask import request
from werkzeug.exceptions import Forbidden

from app.core.api_keys import Caller
from app.core.errors import InvalidInputError, NotFoundError
from app.core.models import Channel, RequestStatus
from app.core.optin import Join
from app.core.services import Services
from app.documents import LANGUAGES, render_dossier, table_of
from app.web.api.access import DOOR, key_details, only_program, program_of
from app.web.api.consent_models import (
    Confirmed,
    ConfirmRequest,
    Dossier,
    ExportRequest,
    Subscription,
    SubscriptionRequest,
)
from app.web.api.routes import Answer, Page, Route

_REQUEST_ID = re.compile(r"[0-9a-f]{32}\Z")


class SubscriptionRequests:
    """The requests about joining, and about what is held of those who have."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def routes(self) -> Iterator[Route]:
        yield Route(
            "request_subscription",
            "POST",
            "/subscriptions",
            self.request,
            {202: Subscription},
            body=SubscriptionRequest,
            fails={
                403: "The API key may not do this, or numbers of this country can't join here.",
                409: "The number is suppressed: only its own START brings it back. Nothing was "
                "sent.",
                429: "Too many codes to this number, from this address or to numbers like it. "
                "`Retry-After` says when to come again.",
                502: "The provider did not take the code's message: ask again.",
            },
        )
        yield Route(
            "confirm_subscription",
            "POST",
            "/subscriptions/{id}/confirm",
            self.confirm,
            {200: Confirmed},
            body=ConfirmRequest,
            fails={404: "There is no such request, or it belongs to another key's program."},
        )
        yield Route(
            "export_subscriber",
            "POST",
            "/subscribers/export",
            self.export,
            {200: Dossier},
            body=ExportRequest,
            as_page=True,
        )

    def request(self, caller: Caller, asked: SubscriptionRequest) -> Answer:
        """Ask to join a program, for a person who has agreed to its text.

        It sends the code that the person answers, or types in where they asked. A new request
        takes the place of an earlier one. Only for people who have just asked for it themselves:
        a text that asks for consent is marketing.
        """
        program = program_of(caller, asked.program)
        self._services.suppressions.require_program(program)
        if (asked.channel is Channel.EMAIL) != (asked.email is not None):
            raise InvalidInputError("email is needed with the channel email, and only with it")
        pending = self._services.opt_ins.request(_join(caller, program, asked))
        return Subscription.model_validate(pending, from_attributes=True), 202

    def confirm(self, caller: Caller, request_id: str, asked: ConfirmRequest) -> Answer:
        """Confirm with the code that the person read on the handset.

        `422` with `reason`: `wrong_code`, `expired` (also where it was used, or a newer request
        took its place) or `too_many_attempts`.
        """
        if not _REQUEST_ID.match(request_id):
            raise NotFoundError("there is no such request to join")
        self._services.opt_ins.confirm(
            request_id,
            asked.code,
            door=DOOR,
            program=only_program(caller),
            details=key_details(caller),
        )
        return Confirmed(status=RequestStatus.ACTIVE), 200

    def export(self, caller: Caller, asked: ExportRequest) -> Answer | Page:
        """Get all that is held about a number, with its evidence.

        For the person, or for an authority; docs/dossier.md explains it. With `Accept: text/html`
        it is the document to read, print and hand over, in the installation's language or the one
        that `Accept-Language` prefers; with `Accept: text/csv` one table, a row for each value. It
        spans all programs, so it takes a key of the default program.
        """
        if only_program(caller) is not None:
            raise Forbidden("a dossier spans all programs: it needs a key of the default program")
        dossier = self._services.dossiers.export(asked.to)
        person = self._services.phones.parse(asked.to).fingerprint
        self._services.accesses.note_dossier("api", caller.requester, person)
        kind = _preferred()
        if kind == "text/csv":
            return Page(table_of(dossier), kind)
        if kind == "text/html":
            language = self._services.policy.language
            preferred = request.accept_languages.best_match(LANGUAGES, language)
            return Page(render_dossier(dossier, preferred or language), kind)
        return Dossier.model_validate(dossier), 200


def _preferred() -> str | None:
    known = ("application/json", "text/html", "text/csv")
    return request.accept_mimetypes.best_match(known, known[0])


def _join(caller: Caller, program: str, asked: SubscriptionRequest) -> Join:
    return Join(
        to=asked.to,
        program=program,
        door=DOOR,
        source=f"{caller.name}: {asked.source}",
        text=asked.consent_text,
        language=asked.language,
        channel=asked.channel,
        email=asked.email,
        address=asked.address,
        user_agent=asked.user_agent,
        details=key_details(caller),
    )
