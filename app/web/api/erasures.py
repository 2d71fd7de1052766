"""Erasing a person on request."""

from collections.abc import Iterator

from werkzeug.exceptions import Forbidden

from app.core.api_keys import Caller
from app.core.services import Services
from app.web.api.access import only_program
from app.web.api.models import Erased, EraseRequest
from app.web.api.routes import Answer, Route


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
