"""Whose address counts: limits and evidence rest on it."""

import pytest
from werkzeug.test import EnvironBuilder

from app.web.visitors import address_of

PUBLIC, LOCAL = "https://sms.example.org", "http://127.0.0.1:8000"


@pytest.mark.parametrize(
    ("peer", "forwarded", "public_url", "address"),
    [
        ("203.0.113.7", None, PUBLIC, "203.0.113.7"),
        ("203.0.113.7", "198.51.100.1", PUBLIC, "203.0.113.7"),
        ("127.0.0.1", "198.51.100.1", PUBLIC, "198.51.100.1"),
        ("10.0.0.5", "6.6.6.6, 198.51.100.1", PUBLIC, "198.51.100.1"),
        ("fd00::1", "6.6.6.6, 2001:db8::1", PUBLIC, "2001:db8::1"),
        ("127.0.0.1", "198.51.100.1", LOCAL, "127.0.0.1"),
        ("10.0.0.5", "unknown", PUBLIC, "10.0.0.5"),
        ("", "198.51.100.1", PUBLIC, "198.51.100.1"),
    ],
)
def test_a_forwarded_address_counts_only_from_our_own_proxy(peer, forwarded, public_url, address):
    """Only the last hop, only from a near peer, only behind TLS; else the connection's own."""
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    builder = EnvironBuilder(headers=headers, environ_base={"REMOTE_ADDR": peer})

    assert address_of(builder.get_request(), public_url) == address
