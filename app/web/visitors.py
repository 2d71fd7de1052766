"""What is known of a visitor: the address and what the browser calls itself."""

import ipaddress

from flask import Request

_LONGEST_NAME = 300  # characters of a browser's name that are kept

# This machine and private networks, where a host's own proxies are (RFC 1918, 4193, 6598).
_NEAR = tuple(
    map(
        ipaddress.ip_network,
        (
            *("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"),
            *("::1/128", "fc00::/7"),
        ),
    )
)


def address_of(request: Request, public_url: str) -> str:
    """The visitor's address: the connection's own, or what our own proxy says it is.

    Anybody can write an X-Forwarded-For. It is believed only where PUBLIC_URL is https and the
    connection comes from this machine or a private network, so that a proxy before the gateway
    ends TLS; and of it only the last entry, which that proxy has written.
    """
    peer = request.remote_addr or ""
    hops = request.headers.get("X-Forwarded-For", "").split(",")
    last = _plain(hops[-1])
    if last and public_url.startswith("https://") and _is_near(peer):
        return last
    return peer


def user_agent_of(request: Request) -> str:
    return request.headers.get("User-Agent", "")[:_LONGEST_NAME]


def _plain(hop: str) -> str | None:
    try:
        return str(ipaddress.ip_address(hop.strip()))
    except ValueError:
        return None


def _is_near(peer: str) -> bool:
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:  # a socket file: only this machine reaches it
        return True
    return any(address in network for network in _NEAR)
