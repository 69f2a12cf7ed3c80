"""Who may ask: the middlewares at the two doors of the API.

On `control.sock` the kernel names the user; on `web.sock` every request came through the proxy and counts as sent by any
web page.
"""

from __future__ import annotations

from aiohttp import web
from aiohttp.typedefs import Middleware

from devdns.control import peers
from devdns.control.answers import Handler, refusal
from devdns.control.gate import Asked, Gate

#: Set by the proxy on each request, never by our own client.
PROXIED = ("Devdns-Hop", "Forwarded")


def local() -> Middleware:
    """Lets in our own user, root and the owner of the state folder, but nobody through the proxy.

    The proxy runs as our own user: a route that leads to this socket would make any web page a trusted peer.
    """

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        sock = request.transport.get_extra_info("socket") if request.transport else None
        peer = peers.uid(sock)
        if any(field in request.headers for field in PROXIED):
            return refusal(403, "what comes through the proxy may not control this devdns")
        if peers.trusted(peer):
            return await handler(request)
        return refusal(403, f"user id {peer} may not control this devdns")

    return guard


def from_web(gate: Gate) -> Middleware:
    """Lets in what `gate` does not refuse."""

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        refused = gate.refusal(asked(request))
        return refusal(403, refused) if refused else await handler(request)

    return guard


def asked(request: web.Request) -> Asked:
    """The facts the gate decides on."""
    headers = request.headers
    return Asked(
        method=request.method,
        hosts=tuple(headers.getall("Host", ())),
        origin=headers.get("Origin"),
        site=headers.get("Sec-Fetch-Site", ""),
        mode=headers.get("Sec-Fetch-Mode", ""),
        content_type=headers.get("Content-Type", ""),
        authorization=headers.get("Authorization", ""),
        scheme=headers.get("X-Forwarded-Proto", "http"),
    )
