"""`/simulator`: a telephone to text from, and what the gateway makes of it. Nothing real behind."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, TypeVar

from flask import Blueprint, Response, g, jsonify, make_response, redirect, render_template, request
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from werkzeug.wrappers import Response as AnyResponse

from app.core.errors import InvalidInputError
from app.core.gate import Scope
from app.core.history import SuppressedTime, suppressed_times
from app.core.models import Purpose
from app.core.outbound import Draft, Receipt
from app.core.phone import Phone
from app.core.policy import Policy
from app.core.provider import SimulatedNetwork
from app.core.services import Services
from app.web import sending
from app.web.guards import own_pages_only
from app.web.webhooks import take_text
from app.web.words import LANGUAGES, language_for, remember, words

_MAX_HANDSETS = 20

_MESSAGE = ("sid", "direction", "body", "status", "created_at")
_TEXT = ("id", "body", "received_at", "meaning", "rule", "tables_version", "language", "review",
         "reply", "silence")  # fmt: skip
_SEND = ("id", "body", "created_at", "purpose", "segments", "status", "reason")
_ENTRY = ("id", "at", "act", "program", "door", "text", "evidence")

Spelling = Annotated[str, Field(max_length=64)]
Body = Annotated[str, Field(max_length=1600, pattern=r"\S")]  # Twilio's limit; not only blanks


class Asked(BaseModel):
    """A question about one handset; `others` are the ones beside it, shown with their state."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)

    number: Spelling
    others: Annotated[list[Spelling], Field(max_length=_MAX_HANDSETS)] = []


class Text(Asked):
    """What a person texts."""

    body: Body


class PersonsText(Text):
    """With `lost` the network takes it and its webhook never comes: `optout reconcile` finds it."""

    lost: bool = False


class Message(Text):
    """What a campaign script sends."""

    purpose: Annotated[Purpose, Field(strict=False)] = Purpose.MARKETING


_Asked = TypeVar("_Asked", bound=Asked)


def blueprint(network: SimulatedNetwork, services: Services) -> Blueprint:
    """The page, and the questions and acts behind it: JSON, with numbers only in bodies."""
    simulator = Blueprint("simulator", __name__)
    simulator.before_request(own_pages_only)

    @simulator.get("/")
    def home() -> AnyResponse:
        return redirect("/simulator")

    @simulator.get("/simulator")
    def page() -> Response:
        language = language_for(request, services.policy.language)
        response = make_response(_page(language, services.policy))
        response.vary.update(("Accept-Language", "Cookie"))
        remember(response, request, language)
        return response

    @simulator.post("/simulator/state")
    def state() -> Response:
        g.is_poll = True
        asked = _read(Asked)
        phone = services.phones.parse(asked.number)
        for report in network.deliver(phone.e164):
            services.deliveries.record(report)
        return jsonify(_state(network, services, phone, asked.others))

    @simulator.post("/simulator/text")
    def text() -> Response:
        asked = _read(PersonsText)
        phone = services.phones.parse(asked.number)
        fields = {"from": phone.e164, "body": asked.body}
        if asked.lost:
            network.lose(fields)
        else:
            take_text(network.door, services, fields)
        return Response(status=204)

    @simulator.post("/simulator/send")
    def send() -> tuple[Response, int]:
        asked = _read(Message)
        receipt = _send(services, asked)
        return jsonify(status=receipt.status, segments=receipt.segments), 201

    @simulator.post("/simulator/own-page")
    def own_page() -> Response:
        return jsonify(address=services.preferences.link_of(_read(Asked).number))

    return simulator


def _page(language: str, policy: Policy) -> str:
    return render_template(
        "simulator.html",
        language=language,
        languages=LANGUAGES,
        words=words(language),
        brand=policy.brand,
        program=policy.program,
    )


def _read(model: type[_Asked]) -> _Asked:
    try:
        return model.model_validate_json(request.get_data())
    except ValidationError as error:
        faults = (
            f"{'.'.join(map(str, fault['loc'])) or 'the body'}: {fault['msg']}"
            for fault in error.errors(include_input=False, include_url=False)
        )
        raise InvalidInputError("; ".join(faults)) from error


def _send(services: Services, asked: Message) -> Receipt:
    draft = Draft(
        asked.number,
        asked.body,
        services.policy.program,
        asked.purpose,
        services.policy.sender,
        requester="simulator",
    )
    return sending.send_counted(services.outbox, draft)


def _state(
    network: SimulatedNetwork, services: Services, phone: Phone, others: list[str]
) -> dict[str, Any]:
    """All that the page shows of one handset, and whether the others may be sent to."""
    history = services.histories.of(phone)
    return {
        "number": phone.e164,
        "language": history.language,
        "refusals": {purpose: _refusal(services, phone, purpose) for purpose in Purpose},
        "suppressions": [
            {"program": each.program, "reason": each.reason, "since": each.since.isoformat()}
            for each in services.suppressions.of(phone)
        ],
        "suppressed_times": [_time(each) for each in suppressed_times(history.ledger)],
        "conversation": _shown(network.conversation(phone.e164), _MESSAGE),
        "texts": _shown(history.inbound, _TEXT),
        "sends": _shown(history.outbound, _SEND),
        "ledger": _shown(history.ledger, _ENTRY),
        "others": [
            {"number": each.to, "reason": each.reason}
            for each in services.gate.check(others, _scope(services, Purpose.MARKETING))
        ],
    }


def _refusal(services: Services, phone: Phone, purpose: Purpose) -> str | None:
    (decision,) = services.gate.check([phone.e164], _scope(services, purpose))
    return decision.reason


def _scope(services: Services, purpose: Purpose) -> Scope:
    return Scope(services.policy.program, purpose)


def _time(time: SuppressedTime) -> dict[str, str | None]:
    until = time.until.isoformat() if time.until else None
    return {"program": time.program, "since": time.since.isoformat(), "until": until}


def _shown(rows: Iterable[Any], names: tuple[str, ...]) -> list[dict[str, Any]]:
    return [{name: _plain(getattr(row, name)) for name in names} for row in rows]


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
