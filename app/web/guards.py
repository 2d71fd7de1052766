"""Who may ask: guards that a blueprint attaches to the whole of itself."""

from flask import request
from werkzeug.exceptions import Forbidden, UnsupportedMediaType

_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_MAX_PAGE_REQUEST_BYTES = 16 * 1024


def own_pages_only() -> None:
    """What changes something must come as JSON, and never from somebody else's page.

    Browsers say where a request comes from; another site's page can neither hide that nor send
    JSON unasked. Programs that are no browsers say nothing, and carry nobody's cookies.
    """
    if request.method in _READING:
        return
    if _from_another_site():
        raise Forbidden("this request comes from another site's page")
    if not request.is_json:
        raise UnsupportedMediaType("send JSON, with Content-Type: application/json")
    request.max_content_length = _MAX_PAGE_REQUEST_BYTES


def own_forms_only() -> None:
    """A form is taken only from our own pages, as browsers tell; see `own_pages_only`.

    Under our Referrer-Policy they send `Origin: null` with a form, so where a browser says more
    (Sec-Fetch-Site, all since 2023) that alone counts.
    """
    if request.method in _READING:
        return
    site = request.headers.get("Sec-Fetch-Site")
    if site not in {None, "same-origin", "none"} or (site is None and _has_foreign_origin()):
        raise Forbidden("this request comes from another site's page")
    request.max_content_length = _MAX_PAGE_REQUEST_BYTES


def _from_another_site() -> bool:
    if request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
        return True
    origin = request.headers.get("Origin")
    return origin is not None and _host_of(origin) != request.host


def _has_foreign_origin() -> bool:
    origin = request.headers.get("Origin")
    return origin not in {None, "null"} and _host_of(origin or "") != request.host


def _host_of(origin: str) -> str:
    """Only the host: behind a proxy that ends TLS the scheme differs."""
    return origin.partition("://")[2]
