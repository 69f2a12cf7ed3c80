"""What devdns's own names answer through the proxy: the page for people, and control's API relayed to `web.sock`.

To control everything from here is web origin. Only the fields it judges by are passed on, so that a client can spoof
none; a request for any other host on such a connection is misdirected (RFC 9110 section 15.5.20).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

import msgspec
import structlog
from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout, HttpVersion11, UnixConnector, hdrs, web

from devdns.core.frames import TableView
from devdns.core.names import Zones, parse_authority
from devdns_proxy.pages import render
from devdns_proxy.pages_home import MOST_ROWS, home
from devdns_proxy.pages_html import HEADERS
from devdns_proxy.problems import Problem

MOST_BODY = 64 << 10
PATIENCE = 5.0
#: Fields passed on to control, and back from it.
ASKED = (
    "Host", "Origin", "Authorization", "Content-Type", "Accept", "Last-Event-ID", "Sec-Fetch-Site", "Sec-Fetch-Mode",
)  # fmt: skip
ANSWERED = (
    "Content-Type", "Content-Length", "Allow", "Cache-Control", "Content-Security-Policy", "Cross-Origin-Resource-Policy",
    "X-Content-Type-Options", "Retry-After",
)  # fmt: skip
SIGNED = "devdns"
RELAYED = ("/healthz", "/metrics")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
log = structlog.get_logger()


def application(view: TableView, web_path: str) -> web.Application:
    """The aiohttp application for own names; `web_path` is where `web.sock` is."""
    own = Own(view, web_path)
    app = web.Application(middlewares=[problems, own.directed], client_max_size=MOST_BODY)
    app.cleanup_ctx.append(own.session)
    app.on_shutdown.append(own.hang_up)
    app.on_response_prepare.append(_signed)
    app.router.add_get("/", own.page, expect_handler=own.expected)
    for path in (*RELAYED, "/api/v1/{rest:.+}"):
        app.router.add_route("*", path, own.relay, expect_handler=own.expected)
    app.router.add_route("*", "/{rest:.+}", own.unknown, expect_handler=own.expected)
    return app


class Own:
    """The answers at own names."""

    def __init__(self, view: TableView, web_path: str) -> None:
        self._view = view
        self._path = web_path
        self._open: set[ClientResponse] = set()

    async def session(self, _: web.Application) -> AsyncIterator[None]:
        """Holds the client of `web.sock` while the application runs."""
        connector = UnixConnector(self._path, limit=0)
        async with ClientSession(connector=connector, auto_decompress=False) as self._client:
            yield

    async def hang_up(self, _: web.Application) -> None:
        """Ends the streams that are relayed, so that a stop need not wait for them."""
        for reply in self._open:
            reply.close()

    @web.middleware
    async def directed(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Only our own names pass; the proxy hands a connection over once, and what comes later on it may name another host."""
        if not self._ours(request):
            hosts = ", ".join(request.headers.getall(hdrs.HOST, []))
            problem = Problem(421, "This connection is for devdns itself", f"not for {hosts!r}", "connect again")
            response = said(request, problem)
            response.force_close()
            return response
        return await handler(request)

    def _ours(self, request: web.Request) -> bool:
        """True for a request whose one Host, and target where it names a host, are an own name."""
        hosts = request.headers.getall(hdrs.HOST, [])
        found = parse_authority(hosts[0]) if len(hosts) == 1 else None
        if request.raw_path[:1] != "/" and _authority(request.raw_path) != found:
            found = None  # RFC 9112 section 3.2.2: the target's authority counts, and it is another one
        hello = self._view.hello
        return found is not None and hello is not None and Zones(hello.config.zones).is_own(found[0])

    async def expected(self, request: web.Request) -> web.StreamResponse | None:
        """Answers Expect before the body comes (RFC 9110 section 10.1.1); None where the request goes on as any other."""
        if request.version < HttpVersion11 or not self._ours(request):
            return None
        if request.headers[hdrs.EXPECT].lower() != "100-continue":
            response = said(request, Problem(417, "Expectation refused", "the only one understood is 100-continue"))
            response.force_close()
            return response
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # the answer itself has not begun
        return None

    async def unknown(self, request: web.Request) -> web.Response:
        """Nothing is there."""
        return said(request, Problem(404, "Not Found", f"{request.method} {request.path}"))

    async def page(self, request: web.Request) -> web.Response:
        """The page for people."""
        found = parse_authority(request.headers[hdrs.HOST])
        status = await self._status(request)
        if status and "error" in status:
            return said(request, Problem(403, "This page is not for that address", str(status["detail"])))
        body = home(islice(self._view.table, MOST_ROWS), status, found[1] if found else None)
        return web.Response(body=body, headers=dict((*HEADERS, ("Cache-Control", "no-store"))))

    async def _status(self, request: web.Request) -> dict[str, Any] | None:
        """The body of `/api/v1/status`, that of control's refusal, or None when control does not answer."""
        try:
            async with self._client.get(
                "http://devdns/api/v1/status",
                headers={hdrs.HOST: request.headers[hdrs.HOST]},
                timeout=ClientTimeout(total=PATIENCE),
            ) as reply:
                return msgspec.json.decode(await reply.read(), type=dict[str, Any])
        except (ClientError, OSError, msgspec.MsgspecError):
            return None

    async def relay(self, request: web.Request) -> web.StreamResponse:
        """Passes a request on to control and its answer back, as it comes."""
        headers = {name: request.headers[name] for name in ASKED if name in request.headers}
        headers["X-Forwarded-Proto"] = _scheme(request)
        body = await request.read()
        try:
            reply = await self._client.request(
                request.method,
                request.url.with_scheme("http"),
                headers=headers,
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


def _authority(target: str) -> tuple[str, int | None] | None:
    """Host and port of an absolute-form target."""
    try:
        return parse_authority(urlsplit(target).netloc)
    except ValueError:
        return None


def _scheme(request: web.Request) -> str:
    """What the connection says; `request.scheme` would believe an absolute-form target."""
    return "https" if request.transport and request.transport.get_extra_info("sslcontext") else "http"


async def _passed_on(reply: ClientResponse, request: web.Request) -> web.StreamResponse:
    """Control's answer, piece by piece as it comes."""
    response = web.StreamResponse(status=reply.status, reason=reply.reason)
    response.headers.extend((name, reply.headers[name]) for name in ANSWERED if name in reply.headers)
    await response.prepare(request)
    async for piece in reply.content.iter_any():
        await response.write(piece)
    return response


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """What the application refuses, in the form the client wants; the one catch-all here."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        response = said(request, Problem(error.status, error.reason, f"{request.method} {request.path}"))
        if hdrs.ALLOW in error.headers:
            response.headers[hdrs.ALLOW] = error.headers[hdrs.ALLOW]
        return response
    except (ConnectionError, ClientError):
        raise  # one of the two sides is gone and the answer has begun: it must end visibly cut off
    except Exception:
        log.exception("request to our own name failed", path=request.path)
        return said(request, Problem(500, "This is a fault of devdns", hint="its log says more: devdns logs"))


async def _signed(_: web.Request, response: web.StreamResponse) -> None:
    """In place of the versions aiohttp would tell."""
    response.headers[hdrs.SERVER] = SIGNED
    response.headers.setdefault("X-Content-Type-Options", "nosniff")


def said(request: web.Request, problem: Problem) -> web.Response:
    """A problem in the form that the client wants."""
    return spoken(problem, ",".join(request.headers.getall(hdrs.ACCEPT, [])), request.headers.get(hdrs.USER_AGENT, ""))


def spoken(problem: Problem, accept: str = "", user_agent: str = "") -> web.Response:
    """A problem as an answer; in plain text for who has said nothing that could be read."""
    status, headers, body = render(problem, accept, user_agent)
    return web.Response(status=status, headers=dict(headers), body=body)


def _away(error: Exception) -> web.Response:
    """503 in JSON: this is the API's place, whatever the client prefers."""
    log.warning("control does not answer", reason=str(error))
    detail = "control does not answer now; names and traffic go on, it is started again by itself"
    body = msgspec.json.encode({"error": "unavailable", "detail": detail, "code": 503})
    return web.Response(status=503, body=body + b"\n", content_type="application/json", headers={hdrs.RETRY_AFTER: "1"})
