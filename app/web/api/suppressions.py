"""The suppression list: read it, add to it, lift from it with evidence."""

from collections.abc import Iterator

from werkzeug.exceptions import Forbidden

from app.core.api_keys import Caller
from app.core.models import ALL_PROGRAMS
from app.core.services import Services
from app.web.api.access import evidence, may_use, only_program
from app.web.api.models import (
    LiftRequest,
    Suppression,
    SuppressionAdded,
    SuppressionLifted,
    SuppressionRequest,
    Suppressions,
    SuppressionsQuery,
)
from app.web.api.routes import Answer, Route


class SuppressionRequests:
    """The requests about suppressions."""

    def __init__(self, services: Services) -> None:
        self._list = services.suppressions
        self._phones = services.phones
        self._accesses = services.accesses

    def routes(self) -> Iterator[Route]:
        yield Route(
            "list_suppressions",
            "GET",
            "/suppressions",
            self.page,
            {200: Suppressions},
            query=SuppressionsQuery,
        )
        yield Route(
            "add_suppression",
            "POST",
            "/suppressions",
            self.add,
            {201: SuppressionAdded, 200: SuppressionAdded},
            body=SuppressionRequest,
        )
        yield Route(
            "lift_suppression",
            "POST",
            "/suppressions/lift",
            self.lift,
            {200: SuppressionLifted},
            body=LiftRequest,
        )

    def page(self, caller: Caller, asked: SuppressionsQuery) -> Answer:
        """List the suppressions.

        A page at a time, in a fixed order that is not that of time. A key made for a program sees
        that program's and those of all programs.
        """
        page = self._list.page(asked.cursor, asked.limit, only_program(caller))
        people = len(page.suppressions)
        self._accesses.note("api", caller.requester, "suppressions", people=people)
        rows = [Suppression.model_validate(row, from_attributes=True) for row in page.suppressions]
        return Suppressions(suppressions=rows, next_cursor=page.next_cursor), 200

    def add(self, caller: Caller, asked: SuppressionRequest) -> Answer:
        """Suppress a number.

        `201` where it is new, `200` where it was there already. One of a program is kept beside
        one of all programs: whichever is lifted, the other stays. Any key may stop
        messages of any program: silence does less harm than one message too many.
        """
        program = asked.program or ALL_PROGRAMS
        proof = evidence(caller, asked.note)
        added = self._list.add(asked.to, program, asked.reason, proof)
        to = self._phones.parse(asked.to).e164
        return SuppressionAdded(to=to, program=program, added=added), 201 if added else 200

    def lift(self, caller: Caller, asked: LiftRequest) -> Answer:
        """Lift a suppression, with evidence.

        One suppression: that of one program, or without `program` the one of all programs. A key
        made for a program lifts only that program's.
        """
        program = asked.program or ALL_PROGRAMS
        if not may_use(caller, program):
            raise Forbidden("this API key lifts its own program's suppressions: name that program")
        lifted = self._list.lift(asked.to, program, evidence(caller, asked.evidence))
        to = self._phones.parse(asked.to).e164
        return SuppressionLifted(to=to, program=program, lifted=lifted), 200
