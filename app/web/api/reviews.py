"""Possible opt-outs: texts that wait for a person's decision."""

import re
from collections.abc import Iterator

from werkzeug.exceptions import Forbidden

from app.core.api_keys import Caller
from app.core.errors import NotFoundError
from app.core.models import ALL_PROGRAMS
from app.core.services import Services
from app.web.api.access import evidence, may_use
from app.web.api.models import Decision, DecisionRequest, Review, Reviews, ReviewsQuery
from app.web.api.routes import Answer, Route

_ROW_NUMBER = re.compile(r"[0-9]{1,18}\Z")


class ReviewRequests:
    """The requests about texts that wait."""

    def __init__(self, services: Services) -> None:
        self._queue = services.reviews
        self._accesses = services.accesses

    def routes(self) -> Iterator[Route]:
        yield Route(
            "list_reviews",
            "GET",
            "/reviews",
            self.waiting,
            {200: Reviews},
            query=ReviewsQuery,
        )
        yield Route(
            "decide_review",
            "POST",
            "/reviews/{id}",
            self.decide,
            {200: Decision},
            body=DecisionRequest,
            fails={404: "No text with this id waits: it is decided already, or there is none."},
        )

    def waiting(self, caller: Caller, asked: ReviewsQuery) -> Answer:
        """List the texts that may be opt-outs.

        They hold marketing to their numbers back until somebody decides. As a hold counts for all
        programs, this needs a key of the default program.
        """
        _require_all_programs(caller)
        texts = self._queue.waiting(asked.limit)
        self._accesses.note("api", caller.requester, "reviews", people=len(texts))
        reviews = [Review.model_validate(text, from_attributes=True) for text in texts]
        return Reviews(reviews=reviews), 200

    def decide(self, caller: Caller, review_id: str, asked: DecisionRequest) -> Answer:
        """Decide on a text, once.

        The ledger keeps the decision, who took it and through which key.
        """
        _require_all_programs(caller)
        if not _ROW_NUMBER.match(review_id):
            raise NotFoundError("no text with this id waits for review")
        by = asked.by or caller.name
        number = int(review_id)
        proof = evidence(caller)
        self._queue.decide(number, asked.decision, by, proof.door, proof.details)
        return Decision(id=number, decision=asked.decision, by=by), 200


def _require_all_programs(caller: Caller) -> None:
    if not may_use(caller, ALL_PROGRAMS):
        raise Forbidden("reviews concern all programs: they need a key of the default program")
