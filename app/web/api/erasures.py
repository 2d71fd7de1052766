"""Erasing a person on request."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated

from pydantic import Field
from werkzeug.exceptions import Forbidden

from app.core.api_keys import Caller
from app.core.services import Services
from app.web.api.access import only_program
from app.web.api.models import Asked, Given, Label, Number
from app.web.api.routes import Answer, Route


class EraseRequest(Asked):
    to: Number
    requested_by: Annotated[
        Label,
        Field(
            min_length=1,
            max_length=100,
            description="Who asked, and how; it stays in the ledger: no number in it.",
            examples=["the person, by e-mail of 3 May"],
        ),
    ]


class Kept(Given):
    what: Annotated[str, Field(examples=["the keyed fingerprint of the number"])]
    why: str
    until: Annotated[str, Field(examples=["the handset texts START"])]


class Erased(Given):
    """The certificate of an erasure. It does not say to whom: keep it with the request."""

    certificate: Annotated[str, Field(description="Its id, which the ledger has as well.")]
    at: datetime
    requested_by: str
    erased: Annotated[
        dict[str, int], Field(description="Rows by table.", examples=[{"consents": 1}])
    ]
    provider_copies: Annotated[
        int, Field(description="Messages that the provider was asked to delete.", examples=[12])
    ]
    kept: list[Kept]


class ErasureRequests:
    """The request to erase."""

    def __init__(self, services: Services) -> None:
        self._privacy = services.privacy

    def routes(self) -> Iterator[Route]:
        yield Route(
            "erase_subscriber",
            "POST",
            "/subscribers/erase",
            self.erase,
            {200: Erased},
            body=EraseRequest,
        )

    def erase(self, caller: Caller, asked: EraseRequest) -> Answer:
        """Erase a person.

        Number, texts, consents and evidence go at once; the provider is asked to delete its copies.
        The number stays silent, in every program, until its handset texts START. Needs a key of
        the default program: it is about all programs. The answer is the certificate: keep it.
        """
        if only_program(caller) is not None:
            raise Forbidden("an erasure is about all programs: use a key of the default program")
        door = f"api {caller.requester}"
        certificate = self._privacy.erase(asked.to, asked.requested_by, door)
        return Erased.model_validate(certificate.as_json()), 200
