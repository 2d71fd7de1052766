"""The drop-in client: a twilio.rest.Client that cannot reach a suppressed number.

The gate stands in the library's HTTP client, below all of its resources, so that there is no
method, old or new, that goes round it. What Twilio does by itself later (a call's TwiML that it
fetches, an answer to a webhook) is no request of this client.
"""

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from twilio.base.exceptions import TwilioRestException
from twilio.http import HttpClient
from twilio.http.response import Response
from twilio.rest import Client as TwilioClient

from app.core.errors import (
    EXPLANATIONS,
    GatewayError,
    InvalidNumberError,
    NotSentError,
    Reason,
)
from app.core.gate import Scope
from app.core.outbound import Outbox
from app.core.provider import Acceptance, OutgoingMessage
from app.core.services import Services
from app.providers.twilio import NAME, accepted, exchange, form
from app.providers.twilio_resources import creates_message, may_pass
from app.providers.twilio_transport import TIMEOUT, Transport
from app.twilio_messages import Form, TwilioError, draft_from, error_from

_MESSAGES = re.compile(r"/Messages(?:\.json)?/?\Z")
_MESSAGE = re.compile(r"/Messages/(?P<sid>[^/]+?)(?:\.json)?/?\Z")
_FORM = "application/x-www-form-urlencoded"

_OK, _CREATED = 200, 201


class RecipientRefused(TwilioRestException):
    """The gate did not let a message through. `reason`: one of the closed list of reasons."""

    def __init__(self, reason: Reason, uri: str = "/Messages.json") -> None:
        refusal = error_from(NotSentError(reason))
        message = f"Unable to create record: {refusal.message} ({EXPLANATIONS[reason]})"
        details = {"reason": str(reason)}
        super().__init__(refusal.status, uri, message, refusal.code, "POST", details)
        self.reason = reason


def rest_exception(error: GatewayError, uri: str = "/Messages.json") -> TwilioRestException:
    """The exception that a script written for Twilio expects where sending has failed so."""
    if isinstance(error, NotSentError | InvalidNumberError):
        return RecipientRefused(error.reason, uri)
    failure = error_from(error)
    message = f"Unable to create record: {failure.message}"
    return TwilioRestException(failure.status, uri, message, failure.code, "POST")


class Client(TwilioClient):
    """`twilio.rest.Client` with the same arguments and resources, behind the gate."""

    def __init__(
        self,
        username: str | None = None,
        password: str | None = None,
        account_sid: str | None = None,
        region: str | None = None,
        http_client: HttpClient | None = None,
        *args: Any,
        services: Services,
        scope: Scope,
        **kwargs: Any,
    ) -> None:
        self._services = services
        self._scope = scope
        http_client = http_client or Transport()
        super().__init__(username, password, account_sid, region, http_client, *args, **kwargs)

    @property
    def http_client(self) -> "GatedHttpClient":
        return self._http_client

    @http_client.setter
    def http_client(self, transport: HttpClient) -> None:
        # Whenever a script puts in a client of its own, one gate stands before it.
        if isinstance(transport, GatedHttpClient):
            transport = transport.transport
        if getattr(transport, "is_async", False):
            raise TypeError(
                "the gated client needs a synchronous http_client; "
                "in asyncio, await asyncio.to_thread(client.messages.create, …)"
            )
        self._http_client = GatedHttpClient(self._services, self._scope, transport)


class GatedHttpClient(HttpClient):
    """The library's HTTP client with the gate in it; everything else goes to `transport`."""

    def __init__(self, services: Services, scope: Scope, transport: HttpClient) -> None:
        self.is_async = False
        self.logger = getattr(transport, "logger", None)
        self._services = services
        self._scope = scope
        self.transport = transport

    @property
    def timeout(self) -> Any:
        """A request without one could hold up the answer to a STOP for ever."""
        return getattr(self.transport, "timeout", None) or TIMEOUT

    def request(
        self, method: str, url: str, params: Any = None, data: Any = None, **rest: Any
    ) -> Response:
        """As the library calls it. Raises RecipientRefused where the gate refuses."""
        path = urlsplit(url).path
        if creates_message(method, url):
            return self._create(url, params, data, rest)
        if not may_pass(method, url, params, data, rest.get("headers")):
            advice = "This way of reaching people has no gate: use client.messages.create"
            raise TwilioRestException(403, path, advice, 20003, method.upper())
        if self._services.provider.name != NAME:
            query = {**dict(parse_qsl(urlsplit(url).query)), **(params or {})}
            return self._simulated(method, path, query)
        return self.forward(method, url, params=params, data=data, **rest)

    def forward(self, method: str, url: str, **rest: Any) -> Response:
        timeout = rest.pop("timeout", None)
        if timeout is None and getattr(self.transport, "timeout", None) is None:
            timeout = TIMEOUT[1]  # the library takes a single number here
        if method.upper() not in {"GET", "HEAD"}:
            rest["allow_redirects"] = False  # a redirected POST would be sent to who knows where
        return self.transport.request(method, url, timeout=timeout, **rest)

    def _create(self, url: str, params: Any, data: Any, rest: Mapping[str, Any]) -> Response:
        services = self._services
        path = urlsplit(url).path
        try:
            if params or urlsplit(url).query:
                raise TwilioError(400, 20001, "The fields of a message belong in data, not in URL")
            draft = draft_from(_pairs(data), self._scope, "client", services.policy.sender)
            outbox = self._outbox(url, rest)
            receipt = outbox.send(draft)
        except (NotSentError, InvalidNumberError) as refusal:
            raise RecipientRefused(refusal.reason, path) from refusal
        except GatewayError as error:
            return _failed(error)
        return Response(_CREATED, json.dumps(receipt.resource))

    def _outbox(self, url: str, rest: Mapping[str, Any]) -> Outbox:
        outbox = self._services.outbox
        if self._services.provider.name != NAME:
            return outbox
        # The client's own account, address and connection carry the message.
        return outbox.through(_Request(self, url, rest))

    def _simulated(self, method: str, path: str, query: Mapping[str, Any]) -> Response:
        """Nothing leaves the machine: reading messages is answered here, the rest is not there."""
        provider = self._services.provider
        one = _MESSAGE.search(path)
        try:
            if method.upper() == "GET" and one:
                return Response(_OK, json.dumps(provider.fetch(one["sid"])))
            if method.upper() == "GET" and _MESSAGES.search(path):
                filters = {name: str(value) for name, value in query.items()}
                return Response(_OK, json.dumps(provider.list_messages(filters)))
        except GatewayError as error:
            return _failed(error)
        return _failed(TwilioError(404, 20404, "The simulated network has nothing here"))


class _Request:
    """One create request of the library, as the provider that carries the message out."""

    name = NAME

    def __init__(self, client: GatedHttpClient, url: str, rest: Mapping[str, Any]) -> None:
        self._client = client
        self._url = url
        headers = dict(rest.get("headers") or {})
        others = {name: each for name, each in headers.items() if name.lower() != "content-type"}
        self._rest = {**rest, "headers": {**others, "Content-Type": _FORM}}

    def send(self, message: OutgoingMessage) -> Acceptance:
        fields = form(message)
        return accepted(
            exchange(lambda: self._client.forward("POST", self._url, data=fields, **self._rest))
        )


def _failed(error: GatewayError) -> Response:
    failure = error_from(error)
    return Response(failure.status, json.dumps(failure.body()))


def _pairs(data: Any) -> Form:
    """The library's fields in the form that goes over the wire."""
    if not isinstance(data or {}, Mapping):
        raise TwilioError(400, 20001, "The fields of a message must be given as a dictionary")
    pairs: list[tuple[str, str]] = []
    for name, value in (data or {}).items():
        values = value if isinstance(value, list | tuple) else [value]
        pairs += [(name, str(each)) for each in values]
    return pairs
