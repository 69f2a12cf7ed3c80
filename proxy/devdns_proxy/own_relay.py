"""Control behind devdns's own names: its API relayed to `web.sock` and back, and what the page for people is told.

To control everything from here is web origin. Only the fields it judges by are passed on, so that a client can spoof none.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import msgspec
import structlog
from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout, UnixConnector, hdrs, web

from devdns_proxy.pages_home import News

PATIENCE = 5.0
#: Seconds for the body of a request, which is small, and after which a reader that takes nothing has left.
BODY_TIME = 10.0
STALL = 60.0
#: Fields passed on to control, and back from it.
ASKED = (
    "Host", "Origin", "Authorization", "Content-Type", "Accept", "Last-Event-ID", "Sec-Fetch-Site", "Sec-Fetch-Mode",
)  # fmt: skip
ANSWERED = (
    "Content-Type", "Content-Length", "Allow", "Cache-Control", "Content-Security-Policy", "Cross-Origin-Resource-Policy",
    "X-Content-Type-Options", "Retry-After",
)  # fmt: skip
log = structlog.get_logger()


class Relay:
    """The way to control; `path` is where `web.sock` is."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._open: set[ClientResponse] = set()

    async def session(self, _: web.Application) -> AsyncIterator[None]:
        """Holds the client of `web.sock` while the application runs."""
        connector = UnixConnector(self._path, limit=0)
        async with ClientSession(connector=connector, auto_decompress=False) as self._client:
            yield

    def hang_up(self) -> None:
        """Ends the streams that are relayed, so that a stop need not wait for them."""
        for reply in self._open:
            reply.close()

    async def refusal(self, request: web.Request) -> str:
        """Why control lets no page like the one behind this request read it; empty when it does, or is away."""
        status = await self._told("/api/v1/status", asked(request))
        return str(status["detail"]) if status and "error" in status else ""

    async def news(self, host: str) -> News:
        """What stands in the page for who asks by this Host."""
        asking = {"Host": host}
        status, rates = await asyncio.gather(self._told("/api/v1/status", asking), self._told("/api/v1/rates", asking))
        return News(*(each if each and "error" not in each else None for each in (status, rates)))

    async def _told(self, path: str, headers: Mapping[str, str]) -> dict[str, Any] | None:
        """A body of the API, that of a refusal too, or None when control does not answer."""
        try:
            async with self._client.get(
                f"http://devdns{path}", headers=headers, timeout=ClientTimeout(total=PATIENCE)
            ) as reply:
                return msgspec.json.decode(await reply.read(), type=dict[str, Any])
        except (ClientError, OSError, msgspec.MsgspecError):
            return None

    async def relay(self, request: web.Request) -> web.StreamResponse:
        """Passes a request on to control and its answer back, as it comes."""
        body = await _body(request)
        try:
            reply = await self._client.request(
                request.method,
                request.url.with_scheme("http"),
                headers=asked(request),
                data=body or None,
                allow_redirects=False,
                skip_auto_headers=(hdrs.CONTENT_TYPE, hdrs.USER_AGENT, hdrs.ACCEPT_ENCODING),
                timeout=ClientTimeout(total=None, sock_connect=PATIENCE),
            )
        except (ClientError, OSError) as error:
            return _away(error)
        self._open.add(reply)
        try:
            return await _passed_on(reply, request)
        finally:
            self._open.discard(reply)
            reply.close()


def asked(request: web.Request) -> dict[str, str]:
    """The fields that control judges a request by."""
    headers = {name: request.headers[name] for name in ASKED if name in request.headers}
    return headers | {"X-Forwarded-Proto": _scheme(request)}


def _scheme(request: web.Request) -> str:
    """What the connection says; `request.scheme` would believe an absolute-form target."""
    return "https" if request.transport and request.transport.get_extra_info("sslcontext") else "http"


async def _body(request: web.Request) -> bytes:
    """The whole body; 408 for one that takes its time."""
    try:
        async with asyncio.timeout(BODY_TIME):
            return await request.read()
    except TimeoutError:
        raise web.HTTPRequestTimeout from None


async def _passed_on(reply: ClientResponse, request: web.Request) -> web.StreamResponse:
    """Control's answer, piece by piece as it comes."""
    response = web.StreamResponse(status=reply.status, reason=reply.reason)
    response.headers.extend((name, reply.headers[name]) for name in ANSWERED if name in reply.headers)
    await response.prepare(request)
    async for piece in reply.content.iter_any():
        await write(response, piece)
    return response


async def write(response: web.StreamResponse, data: bytes) -> None:
    """Writes to a reader, which takes it in time or counts as gone."""
    try:
        async with asyncio.timeout(STALL):
            await response.write(data)
    except TimeoutError:
        raise ConnectionResetError("the reader takes nothing") from None


def _away(error: Exception) -> web.Response:
    """503 in JSON: this is the API's place, whatever the client prefers."""
    log.warning("control does not answer", reason=str(error))
    detail = "control does not answer now; names and traffic go on, it is started again by itself"
    body = msgspec.json.encode({"error": "unavailable", "detail": detail, "code": 503})
    return web.Response(status=503, body=body + b"\n", content_type="application/json", headers={hdrs.RETRY_AFTER: "1"})
