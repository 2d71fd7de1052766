"""Sending, and asking whether one may."""

import re
from collections.abc import Iterator

from app.core.api_keys import Caller
from app.core.errors import InvalidNumberError, NotFoundError, NotSentError
from app.core.gate import Scope
from app.core.outbound import Draft, Receipt
from app.core.services import Services
from app.web import sending
from app.web.api.access import only_program, program_of, sending_scope
from app.web.api.models import Check, Checks, ChecksRequest, Message, MessageRequest
from app.web.api.routes import Answer, Route

_MESSAGE_ID = re.compile(r"[0-9a-f]{32}\Z")


class Messages:
    """The requests about messages."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def routes(self) -> Iterator[Route]:
        yield Route(
            "send_message",
            "POST",
            "/messages",
            self.send,
            {201: Message},
            body=MessageRequest,
            fails={
                409: "Refused: `reason` says why. Nothing was sent.",
                429: "The provider takes no more at the moment: it was not sent. Try again after "
                "`Retry-After`, with the same `idempotency_key` if you like.",
                502: "The provider does not take this message: it was not sent.",
                503: "The provider or the database can't be reached: it was not sent. Try again "
                "after `Retry-After`, with the same `idempotency_key` if you like.",
                504: "The provider's answer did not come: the message may be on its way. Repeat it "
                "only with the same `idempotency_key`, which never sends twice.",
            },
        )
        yield Route(
            "show_message",
            "GET",
            "/messages/{id}",
            self.show,
            {200: Message},
            fails={404: "There is no such message, or it belongs to another key's program."},
        )
        yield Route(
            "check_numbers",
            "POST",
            "/checks",
            self.check,
            {200: Checks},
            body=ChecksRequest,
        )

    def send(self, caller: Caller, asked: MessageRequest) -> Answer:
        """Send a message.

        It goes out only if the number may get it now. A key made for a program sends for that one
        alone; a key of the default program may name another.
        """
        scope = sending_scope(caller, asked.program, asked.purpose)
        draft = Draft(
            asked.to,
            asked.body,
            scope.program,
            scope.purpose,
            asked.sender or self._services.policy.sender,
            requester=caller.requester,
            idempotency_key=asked.idempotency_key,
        )
        try:
            receipt = sending.send_counted(self._services.outbox, draft)
        except InvalidNumberError as error:
            raise NotSentError(error.reason) from error
        return _message(receipt), 201

    def show(self, caller: Caller, message_id: str) -> Answer:
        """See what became of a message."""
        if not _MESSAGE_ID.match(message_id):
            raise NotFoundError("there is no message with this id")
        return _message(self._services.outbox.status(message_id, only_program(caller))), 200

    def check(self, caller: Caller, asked: ChecksRequest) -> Answer:
        """Ask whether numbers may get a message now.

        Up to 10,000 at once. An answer holds for the moment: whoever sends is asked again.
        """
        purpose = asked.purpose or caller.scope.purpose
        scope = Scope(program_of(caller, asked.program), purpose)
        decisions = self._services.gate.check(asked.to, scope)
        results = [Check(to=d.to, allowed=d.allowed, reason=d.reason) for d in decisions]
        return Checks(results=results), 200


def _message(receipt: Receipt) -> Message:
    return Message(
        id=receipt.id,
        to=receipt.to,
        status=receipt.status,
        provider_id=receipt.provider_id,
        segments=receipt.segments,
    )
