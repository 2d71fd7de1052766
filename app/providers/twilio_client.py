"""The drop-in client: a twilio.rest.Client that cannot reach a suppressed number.

The gate stands in the library's HTTP client, below all of its resources, so that there is no
method, old or new, that goes round it.
"""

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from twilio.base.exceptions import TwilioRestException
from twilio.http import HttpClient
from twilio.http.http_client import TwilioHttpClient
from twilio.http.response import Response
from twilio.rest import Client as TwilioClient

from app.core.errors import (
    EXPLANATIONS,
    InvalidNumberError,
    NotSentError,
    ProviderError,
    Reason,
)
from app.core.gate import Scope
from app.core.provider import Acceptance, OutgoingMessage
from app.core.services import Services
from app.providers.twilio import NAME, accepted, exchange, form
from app.twilio_messages import TwilioError, code_of, draft_from, error_from

_MESSAGES = re.compile(r"/2010-04-01/Accounts/[^/]+/Messages(?:\.json)?/?\Z")
_MESSAGE = re.compile(r"/2010-04-01/Accounts/[^/]+/Messages/(?P<sid>[^/]+?)(?:\.json)?/?\Z")

# Other ways to make Twilio text somebody. They know nothing of the suppression list, so the
# client does not open them; what is not listed here and writes nothing to a handset passes.
_OTHER_WAYS = re.compile(
    r"//(?:conversations|verify|notify|proxy|studio|chat|flex-api|ip-messaging|comms|preview)\."
    r"|/(?:v\d+|v\d+beta)/(?:Messages|Broadcasts|Executions|Notifications|Verifications)\b"
    r"|/SMS/Messages",
    re.IGNORECASE,
)

_OK, _CREATED = 200, 201


class RecipientRefused(TwilioRestException):
    """The gate did not let a message through. `reason`: one of the closed list of reasons."""

    def __init__(self, reason: Reason, uri: str = "/Messages.json") -> None:
        message = f"Attempt to send to unsubscribed recipient: {EXPLANATIONS[reason]}"
        super().__init__(400, uri, message, code_of(reason), "POST", {"reason": str(reason)})
        self.reason = reason


class Client(TwilioClient):
    """`twilio.rest.Client` with the same arguments and resources, behind the gate."""

    def __init__(
        self,
        *args: Any,
        services: Services,
        scope: Scope,
        http_client: HttpClient | None = None,
        **kwargs: Any,
    ) -> None:
        if http_client is not None and http_client.is_async:
            raise TypeError("the gated client needs a synchronous http_client")
        transport = http_client or TwilioHttpClient(timeout=10.0)
        super().__init__(*args, http_client=GatedHttpClient(services, scope, transport), **kwargs)


class GatedHttpClient(HttpClient):
    """The library's HTTP client with the gate in it; everything else goes to `transport`."""

    def __init__(self, services: Services, scope: Scope, transport: HttpClient) -> None:
        super().__init__(transport.logger, is_async=False, timeout=transport.timeout)
        self._services = services
        self._scope = scope
        self._transport = transport

    def request(
        self, method: str, url: str, params: Any = None, data: Any = None, **rest: Any
    ) -> Response:
        """As the library calls it. Raises RecipientRefused where the gate refuses."""
        path = urlsplit(url).path
        if method.upper() == "POST" and _MESSAGES.search(path):
            request = _Request(self._transport, url, rest)
            return self._create(data or {}, path, request)
        if method.upper() not in {"GET", "DELETE"} and _OTHER_WAYS.search(url):
            raise TwilioRestException(
                403, path, "This way of sending has no gate: use client.messages.create", 20003
            )
        if self._services.provider.name != NAME:
            return self._simulated(method, path, params or {})
        return self._transport.request(method, url, params=params, data=data, **rest)

    def _create(self, data: Mapping[str, Any], path: str, request: "_Request") -> Response:
        services = self._services
        outbox = services.outbox
        if services.provider.name == NAME:
            # The client's own account, address and connection carry the message.
            outbox = outbox.through(request)
        try:
            draft = draft_from(_pairs(data), self._scope, "client", services.policy.sender)
            receipt = outbox.send(draft)
        except TwilioError as fault:
            return Response(fault.status, json.dumps(fault.body()))
        except NotSentError as refusal:
            raise RecipientRefused(refusal.reason, path) from refusal
        except (InvalidNumberError, ProviderError) as error:
            failure = error_from(error)
            return Response(failure.status, json.dumps(failure.body()))
        return Response(_CREATED, json.dumps(receipt.resource))

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
        except ProviderError as error:
            failure = error_from(error)
            return Response(failure.status, json.dumps(failure.body()))
        missing = TwilioError(404, 20404, "The simulated network has nothing here")
        return Response(missing.status, json.dumps(missing.body()))


class _Request:
    """One create request of the library, as the provider that carries the message out."""

    name = NAME

    def __init__(self, transport: HttpClient, url: str, rest: Mapping[str, Any]) -> None:
        self._transport = transport
        self._url = url
        self._rest = rest

    def send(self, message: OutgoingMessage) -> Acceptance:
        return accepted(
            exchange(
                lambda: self._transport.request("POST", self._url, data=form(message), **self._rest)
            )
        )


def _pairs(data: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The library's fields in the form that goes over the wire."""
    pairs: list[tuple[str, str]] = []
    for name, value in data.items():
        values = value if isinstance(value, list | tuple) else [value]
        pairs += [(name, str(each)) for each in values]
    return pairs
