"""The HTTP client below the Twilio library: connections are kept, and no request waits for ever."""

from functools import lru_cache
from typing import Any
from urllib.parse import urlencode

import requests
from requests.adapters import HTTPAdapter
from twilio.http.http_client import TwilioHttpClient
from twilio.http.response import Response

# Seconds to connect and to wait for an answer: a claim that hangs holds up a STOP's answer.
TIMEOUT = (3.05, 10.0)

_KEPT_CONNECTIONS = 32  # at least one for each thread that sends
_FORM = "application/x-www-form-urlencoded"
_ADDRESSES = 64  # messages are created at one, or a few where a script has many accounts


class Transport(TwilioHttpClient):
    """The library's own, which prepares only once what two messages have in common.

    For every request `requests` looks through the environment for proxies and certificates, takes
    the address apart and encodes the credentials: more work than the exchange itself. Here that
    is done by it once for each address; what is no plain form goes the library's way.
    """

    def __init__(self) -> None:
        super().__init__()
        self.timeout = TIMEOUT  # the constructor takes a single number, requests takes two
        for scheme in ("https://", "http://"):
            self.session.mount(scheme, HTTPAdapter(pool_maxsize=_KEPT_CONNECTIONS))
        self._prepared = lru_cache(maxsize=_ADDRESSES)(self._prepare)

    def request(
        self,
        method: str,
        url: str,
        params: Any = None,
        data: Any = None,
        headers: Any = None,
        **rest: Any,
    ) -> Response:
        is_form = isinstance(data, dict) and (headers or {}).get("Content-Type") == _FORM
        if method != "POST" or not is_form or params or rest.get("allow_redirects"):
            return super().request(method, url, params, data, headers, **rest)
        prepared, settings = self._prepared(url, rest.get("auth"), tuple(headers.items()))
        request = prepared.copy()
        request.body = urlencode(data, doseq=True)
        request.headers["Content-Length"] = str(len(request.body))
        timeout = rest.get("timeout") or self.timeout
        answer = self.session.get_adapter(url).send(request, timeout=timeout, **settings)
        return Response(answer.status_code, answer.text, answer.headers)

    def _prepare(
        self, url: str, auth: tuple[str, str] | None, headers: tuple[tuple[str, str], ...]
    ) -> tuple[requests.PreparedRequest, dict[str, Any]]:
        """A request without its form; proxies and certificates, as the environment has them."""
        request = requests.Request("POST", url, headers=dict(headers), auth=auth)
        prepared = self.session.prepare_request(request)
        # The library gives one dict to every request, which keeps the first one's proxy in it.
        settings = self.session.merge_environment_settings(prepared.url, {}, None, None, None)
        return prepared, settings
