"""Programs by API: what one consents to."""

from collections.abc import Iterator
from typing import Any

from werkzeug.exceptions import Forbidden

from app.core.api_keys import Caller
from app.core.errors import NotFoundError
from app.core.notices import given_notice
from app.core.programs import Terms
from app.core.services import Services
from app.web.api.access import may_use, only_program
from app.web.api.consent_models import Program, ProgramChoices, ProgramRequest, Programs
from app.web.api.routes import Answer, Route

_TEXTS = {"text", "notice_text", "notice_sha256"}  # never changed, only followed
_NOT_THERE = {404: "There is no such program, or it is not the key's."}


class ProgramRequests:
    """The requests about programs."""

    def __init__(self, services: Services) -> None:
        self._programs = services.programs

    def routes(self) -> Iterator[Route]:
        yield Route("list_programs", "GET", "/programs", self.all, {200: Programs})
        yield Route(
            "add_program", "POST", "/programs", self.add, {201: Program}, body=ProgramRequest
        )
        yield Route(
            "show_program",
            "GET",
            "/programs/{slug}",
            self.show,
            {200: Program},
            fails=_NOT_THERE,
        )
        yield Route(
            "edit_program",
            "PATCH",
            "/programs/{slug}",
            self.edit,
            {200: Program},
            body=ProgramChoices,
            fails=_NOT_THERE,
        )

    def all(self, caller: Caller) -> Answer:
        """List the programs.

        A key made for a program sees that one.
        """
        seen = [terms for terms in self._programs.all() if may_use(caller, terms.slug)]
        return Programs(programs=[_program(terms) for terms in seen]), 200

    def add(self, caller: Caller, asked: ProgramRequest) -> Answer:
        """Make a program.

        It takes a key of the default program. A join word belongs to one program alone.
        """
        _require_any_program(caller)
        choices = _choices(asked)
        notice = given_notice(asked.notice_text, asked.notice_sha256)
        terms = self._programs.add(choices.pop("slug"), choices, asked.text, notice)
        return _program(terms), 201

    def show(self, caller: Caller, slug: str) -> Answer:
        """See a program and the text that people are shown."""
        if not may_use(caller, slug):
            raise NotFoundError("there is no such program")
        return _program(self._programs.show(slug)), 200

    def edit(self, caller: Caller, slug: str, asked: ProgramChoices) -> Answer:
        """Change a program.

        Only what is named changes; null returns a choice to the installation's. Consents given so
        far keep the text and the end that they were given with. It takes a key of the default
        program: whoever sends for a program does not decide how its consents are proven.
        """
        _require_any_program(caller)
        notice = given_notice(asked.notice_text, asked.notice_sha256)
        return _program(self._programs.edit(slug, _choices(asked), asked.text, notice)), 200


def _require_any_program(caller: Caller) -> None:
    if only_program(caller) is not None:
        raise Forbidden("programs are made and changed with a key of the default program")


def _choices(asked: ProgramChoices) -> dict[str, Any]:
    """Only what the request names."""
    return asked.model_dump(include=asked.model_fields_set, exclude=_TEXTS)


def _program(terms: Terms) -> Program:
    return Program(
        slug=terms.slug,
        brand=terms.brand,
        purpose=terms.purpose,
        language=terms.language,
        sender=terms.sender,
        notice_url=terms.notice_url,
        notice_version=terms.notice_version,
        notice_sha256=terms.notice_sha256,
        controller_name=terms.controller.name,
        controller_address=terms.controller.address,
        privacy_contact=terms.controller.contact,
        retention_days=terms.retention.days,
        renewal_days=terms.renewal.days,
        double_opt_in=terms.double_opt_in,
        yes_confirms=terms.yes_confirms,
        join_words=list(terms.join_words),
        stop_words=list(terms.stop_words),
        text=terms.text,
        text_version=terms.text_version,
    )
