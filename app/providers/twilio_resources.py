"""Which of Twilio's resources a script may change through the drop-in client, and which send.

An allow-list: what is not on it is refused, so a product that Twilio adds tomorrow has to be
looked at before it is opened. Not on it are the products that text people without asking the
suppression list: Conversations, Chat, Flex, Frontline, Notify, Proxy, Studio, Verify, and the
SIM commands of Wireless and Super SIM.
"""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

_MESSAGES = re.compile(r"/2010-04-01/Accounts/[^/]+/Messages(?:\.json)?/?\Z", re.IGNORECASE)

# Reading and deleting text nobody.
_HARMLESS_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "DELETE"})

# A method that hides behind another one.
_TUNNELS = frozenset({"_method", "x-http-method-override", "x-method-override"})

# One spelling for each path: no `%4D`, `//`, `;` or backslash that a server may read differently.
_PLAIN_PATH = re.compile(r"(?:/[\w.+:@-]+)+\Z", re.ASCII)
_DOTS = re.compile(r"/\.+(?:/|\Z)")

# Calls are voice; what is refused of them is TwiML that texts.
_TEXTING_TWIML = re.compile(r"<\s*(?:sms|message)\b", re.IGNORECASE)

_HOST = re.compile(r"(?P<product>[a-z-]+)(?:\.[a-z0-9-]+){0,2}\.twilio\.com(?::443)?\Z")

_ACCOUNT = re.compile(
    r"/2010-04-01/Accounts(?:/[^/]+)?\.json\Z"
    r"|/2010-04-01/Accounts/[^/]+/(?:Addresses|Applications|Calls|Conferences|ConnectApps"
    r"|IncomingPhoneNumbers|Keys|OutgoingCallerIds|Queues|Recordings|SIP|SMS/ShortCodes"
    r"|SigningKeys|Tokens|Usage)(?:/.+)?\.json\Z"
    r"|/2010-04-01/Accounts/[^/]+/Messages/[^/]+(?:/Feedback)?\.json\Z"
)

# By the first part of the host: the paths that may be written to. The comments say what is left
# out of a product that is open otherwise.
_PRODUCTS = {
    "accounts": r"/v1/",
    "bulkexports": r"/v1/",
    "content": r"/v1/",
    "events": r"/v1/",
    "iam": r"/v1/",
    "insights": r"/v\d/",
    "intelligence": r"/v\d/",
    "lookups": r"/v2/",
    "messaging": r"/v1/(?:Services|LinkShortening|Tollfree)\b",  # a2p/…/SmsOtp; Typing
    "monitor": r"/v1/",
    "numbers": r"/v\d/(?!CallerIds)",  # CallerIds/SmsVerifications
    "oauth": r"/v\d/",
    "pricing": r"/v\d/",
    "routes": r"/v\d/",
    "serverless": r"/v1/",
    "sync": r"/v1/",
    "taskrouter": r"/v1/",
    "trunking": r"/v1/",
    "trusthub": r"/v1/",
    "video": r"/v1/",
    "voice": r"/v\d/",
}


def creates_message(method: str, url: str) -> bool:
    """Whether this is the one request that the gate lets through to a handset."""
    return method.upper() == "POST" and _MESSAGES.search(urlsplit(url).path) is not None


def may_pass(method: str, url: str, query: Any, data: Any, headers: Any) -> bool:
    """Whether a request that is not `creates_message` can go to Twilio without a gate."""
    parts = urlsplit(url)
    if _TUNNELS & _names(query) or _TUNNELS & _names(headers) or "_method" in parts.query:
        return False
    if method.upper() in _HARMLESS_METHODS:
        return True
    if not _PLAIN_PATH.match(parts.path) or _DOTS.search(parts.path):
        return False
    if _ACCOUNT.match(parts.path):
        return not _TEXTING_TWIML.search(str(data))
    host = _HOST.match(parts.netloc)
    opened = _PRODUCTS.get(host["product"]) if host and parts.scheme == "https" else None
    return opened is not None and re.match(opened, parts.path) is not None


def _names(fields: Any) -> set[str]:
    return {str(name).lower() for name in fields} if isinstance(fields, Mapping) else set()
