"""What devdns's own names answer through the proxy: the page for people, its event stream, and control's API.

A request for any other host on such a connection is misdirected (RFC 9110 section 15.5.20).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from itertools import islice
from pathlib import Path
from urllib.parse import urlsplit

import structlog
from aiohttp import ClientError, HttpVersion11, hdrs, web

from devdns.core.frames import TableView
from devdns.core.names import Zones, parse_authority
from devdns.core.routes import Route
from devdns_proxy.own_live import Live
from devdns_proxy.own_relay import Relay
from devdns_proxy.pages import render
from devdns_proxy.pages_home import MOST_ROWS, content, home
from devdns_proxy.pages_html import LIVE_HEADERS
from devdns_proxy.problems import Problem

MOST_BODY = 64 << 10
SIGNED = "devdns"
RELAYED = ("/healthz", "/metrics")
SCRIPT = Path(__file__).with_name("page.js").read_bytes()

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
log = structlog.get_logger()


def application(view: TableView, web_path: str) -> web.Application:
    """The aiohttp application for own names; `web_path` is where `web.sock` is."""
    own = Own(view, web_path)
    app = web.Application(middlewares=[problems, own.directed], client_max_size=MOST_BODY)
    app.cleanup_ctx.append(own.relay.session)
    app.on_shutdown.append(own.hang_up)
    app.on_response_prepare.append(_signed)
    for path, answer in {"/": own.page, "/page.js": own.script, "/live": own.follow}.items():
        app.router.add_get(path, answer, expect_handler=own.expected)
    for path in (*RELAYED, "/api/v1/{rest:.+}"):
        app.router.add_route("*", path, own.relay.relay, expect_handler=own.expected)
    app.router.add_route("*", "/{rest:.+}", own.unknown, expect_handler=own.expected)
    return app


class Own:
    """The answers at own names."""

    def __init__(self, view: TableView, web_path: str) -> None:
        self._view = view
        self.relay = Relay(web_path)
        self._live = Live(self._content, lambda: view.table)

    async def hang_up(self, _: web.Application) -> None:
        """Ends all streams, so that a stop need not wait for them."""
        self._live.close()
        self.relay.hang_up()

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
        host = request.headers[hdrs.HOST]
        refused = await self.relay.refusal(request)
        if refused:
            return said(request, Problem(403, "This page is not for that address", refused))
        body = home(self._routes(), await self.relay.news(host), _port(host))
        return web.Response(body=body, headers=dict((*LIVE_HEADERS, ("Cache-Control", "no-store"))))

    async def script(self, _: web.Request) -> web.Response:
        """The one script of the page."""
        return web.Response(
            body=SCRIPT, content_type="text/javascript", charset="utf-8", headers={hdrs.CACHE_CONTROL: "no-cache"}
        )

    async def follow(self, request: web.Request) -> web.StreamResponse:
        """The content of the page, now and whenever it is another; for a page of ours only."""
        refused = await self.relay.refusal(request)
        if refused:
            return said(request, Problem(403, "This page is not for that address", refused))
        return await self._live.stream(request)

    async def _content(self, host: str) -> str:
        return content(self._routes(), await self.relay.news(host), _port(host))

    def _routes(self) -> Iterator[Route]:
        return islice(self._view.table, MOST_ROWS)


def _port(host: str) -> int | None:
    """The port in a Host value that was found good."""
    found = parse_authority(host)
    return found[1] if found else None


def _authority(target: str) -> tuple[str, int | None] | None:
    """Host and port of an absolute-form target."""
    try:
        return parse_authority(urlsplit(target).netloc)
    except ValueError:
        return None


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
