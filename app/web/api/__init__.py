"""The JSON API, `/api/v1`: one guard before all of it, one table of what there is."""

from collections.abc import Callable, Sequence

from flask import Blueprint, Response, g, request

from app.core.errors import InvalidInputError, ProviderError, ProviderOutcomeUnknownError
from app.core.phone import mask_numbers
from app.core.services import Services
from app.web.api.access import authenticate
from app.web.api.campaigns import CampaignRequests, StartCampaign
from app.web.api.erasures import ErasureRequests
from app.web.api.messages import Messages
from app.web.api.programs import ProgramRequests
from app.web.api.reading import read_body, read_query
from app.web.api.reviews import ReviewRequests
from app.web.api.routes import Page, Route
from app.web.api.subscriptions import SubscriptionRequests
from app.web.api.suppressions import SuppressionRequests
from app.web.errors import problem, say_when_to_repeat, status_of
from app.web.logs import log

PREFIX = "/api/v1"


def routes(services: Services, start_campaign: StartCampaign | None = None) -> list[Route]:
    """All there is, in the order in which it is described."""
    resources = (
        Messages(services),
        SubscriptionRequests(services),
        SuppressionRequests(services),
        ReviewRequests(services),
        ProgramRequests(services),
        ErasureRequests(services),
        CampaignRequests(services, start_campaign),
    )
    return [route for resource in resources for route in resource.routes()]


def blueprint(table: Sequence[Route], services: Services) -> Blueprint:
    """`/api/v1/…`, behind an API key."""
    api = Blueprint("api", __name__, url_prefix=PREFIX)

    @api.before_request
    def guard() -> None:
        g.caller = authenticate(services.api_keys)

    api.register_error_handler(InvalidInputError, _unusable)
    api.register_error_handler(ProviderError, _not_taken)
    for route in table:
        rule = route.path.replace("{", "<").replace("}", ">")
        api.add_url_rule(rule, route.name, _view(route), methods=[route.method])
    return api


def _view(route: Route) -> Callable[..., Response]:
    def view(**varying: str) -> Response:
        given = [*varying.values()]
        brought = [read_body(route.body)] if route.body else []
        brought += [read_query(route.query)] if route.query else []
        answered = route.handle(g.caller, *given, *brought)
        if isinstance(answered, Page):
            return Response(answered.content, mimetype=answered.mimetype)
        answer, status = answered
        body = answer.model_dump_json()
        return Response(body, status, mimetype="application/json")

    return view


def _unusable(error: InvalidInputError) -> Response:
    log.warning("refused", error=str(error), status=422, route=_rule())
    reason = getattr(error, "reason", None)
    return problem(422, str(error), reason, errors=getattr(error, "faults", None))


def _not_taken(error: ProviderError) -> Response:
    # The provider's own words may name the number.
    said = mask_numbers(str(error))
    status = status_of(error)
    log.error("provider failed", error=said, code=error.code, route=_rule())
    if isinstance(error, ProviderOutcomeUnknownError):
        advice = "it may be on its way: repeat this only with the same idempotency_key"
        return problem(status, f"{said}; {advice}")
    detail = f"the provider did not take the message: {said}"
    code = error.code or None
    answer = problem(status, detail, permanent=error.permanent, provider_code=code)
    say_when_to_repeat(answer, error)
    return answer


def _rule() -> str:
    return request.url_rule.rule if request.url_rule else "unknown"
