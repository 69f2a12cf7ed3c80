"""The local web server of a session: loopback only, a token in every URL, plain forms.

Nobody else on the machine can guess the token; no other site can make the browser use it, since it is in no cookie, and a
request with a foreign Host or Origin is refused.
"""

from __future__ import annotations

import asyncio
import secrets
import traceback
from collections.abc import Awaitable, Callable
from importlib.resources import files
from pathlib import Path

from aiohttp import web

from devdns_study.errors import StudyRefused
from devdns_study.instrument import approach
from devdns_study.sandbox.guide import commands
from devdns_study.session import pages
from devdns_study.session.answers import Unheard
from devdns_study.session.seat import Seat

HOST = "127.0.0.1"
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'self' 'unsafe-inline'; script-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",  # with no-referrer a browser says Origin: null of our own forms
    "X-Content-Type-Options": "nosniff",
}
LARGEST = 1 << 20
STATIC = {"page.css": "text/css", "page.js": "text/javascript"}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
NOTES: web.AppKey[Callable[[str], Path]] = web.AppKey("notes")


class Desk:
    """The routes of one session; `over` is set once the last page has been sent."""

    def __init__(self, seat: Seat) -> None:
        self.seat, self.over = seat, asyncio.Event()

    def application(self, token: str) -> web.Application:
        """All routes below the token."""
        application = web.Application(middlewares=[guard], client_max_size=LARGEST)
        application[NOTES] = self.seat.note
        root = f"/{token}/"
        application.add_routes([
            web.get(root, self.show),
            web.get(root + "state", self.state),
            web.get(root + "withdraw", self.ask_withdraw),
            web.get(root + "{name:page\\.(?:css|js)}", static),
            web.post(root + "save", self.save),
            web.post(root + "next", self.next),
            web.post(root + "start", self.start),
            web.post(root + "finish", self.finish),
            web.post(root + "withdraw", self.withdraw),
        ])  # fmt: skip
        return application

    async def show(self, request: web.Request) -> web.StreamResponse:
        """The page of the current step."""
        if self.seat.over:
            return await self._last(request, pages.DECLINED if self.seat.declined else pages.THANKS)
        return page(self._current({}, self.seat.given()))

    def _current(self, notes: dict[str, str], given: dict[str, str]) -> str:
        seat, step, progress = self.seat, self.seat.step, self.seat.progress
        if step.kind in ("sheet", "form"):
            return pages.form_page(step, seat.form(), progress, given, notes)
        way = approach(step.approach)
        if step.kind == "brief":
            return pages.brief_page(step, way, progress)
        if not seat.running:
            return pages.card_page(step, seat.card, way, progress, stopped=seat.stopped())
        return pages.task_page(step, seat.card, way, progress, commands(seat.folder))

    async def state(self, _: web.Request) -> web.Response:
        """The key of the current step, for the script of a running task."""
        return web.Response(text=self.seat.step.key)

    async def save(self, request: web.Request) -> web.Response:
        """One answer of the current form."""
        posted = await request.post()
        if posted.get("step") != self.seat.step.key or self.seat.step.kind != "form":
            raise web.HTTPConflict(text="another step")
        self.seat.save(str(posted.get("item", "")), [str(value) for value in posted.getall("value", [])])
        return web.Response(status=204)

    async def next(self, request: web.Request) -> web.Response:
        """A whole form; shows it again with what is open."""
        posted = await request.post()
        if posted.get("step") == self.seat.step.key and self.seat.step.kind in ("sheet", "form", "brief"):
            given = {name: [str(value) for value in posted.getall(name)] for name in posted}
            if notes := self.seat.submit(given, asked_before="again" in posted):
                shown = {name: ",".join(values) for name, values in given.items()}
                return page(self._current(notes, shown), status=422)
        return back()

    async def start(self, request: web.Request) -> web.Response:
        """Begins the task of the current step."""
        posted = await request.post()
        if posted.get("step") == self.seat.step.key:
            await self.seat.start()
        return back()

    async def finish(self, request: web.Request) -> web.Response:
        """Ends the task of the current step."""
        posted = await request.post()
        if posted.get("step") == self.seat.step.key:
            await self.seat.finish(gave_up=posted.get("action") != "done", answer=str(posted.get("answer", ""))[:40])
        return back()

    async def ask_withdraw(self, _: web.Request) -> web.Response:
        """Asks before the answers are removed."""
        return page(pages.withdraw_page())

    async def withdraw(self, request: web.Request) -> web.StreamResponse:
        """Removes the answers and ends the session."""
        await self.seat.withdraw()
        return await self._last(request, pages.REMOVED)

    async def _last(self, request: web.Request, text: str) -> web.StreamResponse:
        response = page(pages.end_page(text))
        response.force_close()
        await response.prepare(request)
        await response.write_eof()
        self.over.set()
        return response


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuses what another site could send; turns whatever fails into a page for the researcher, and a note in a file."""
    here = request.host.rpartition(":")[0] in (HOST, "localhost")
    origin = request.headers.get("Origin")
    if not here or (origin is not None and origin != f"http://{request.host}"):
        raise web.HTTPForbidden(text="not from here")
    try:
        return await handler(request)
    except StudyRefused as refused:
        return page(pages.problem_page(str(refused)), status=503)
    except Unheard as unheard:
        raise web.HTTPBadRequest(text=str(unheard)) from None
    except web.HTTPException:
        raise
    except Exception as error:  # noqa: BLE001 - the edge: a session goes on, and the fault is written down
        note = request.app[NOTES](traceback.format_exc())
        return page(pages.problem_page(f"{type(error).__name__}: {error}. It is noted in {note}"), status=500)


def page(text: str, status: int = 200) -> web.Response:
    """An HTML answer that nobody keeps."""
    return web.Response(text=text, status=status, content_type="text/html", headers=HEADERS)


def back() -> web.Response:
    """To the page of the current step: a form that was sent is not sent again by a reload."""
    return web.Response(status=303, headers={**HEADERS, "Location": "./"})


async def static(request: web.Request) -> web.Response:
    """Style and script."""
    name = request.match_info["name"]
    text = files("devdns_study").joinpath("session").joinpath(name).read_text("utf-8")
    return web.Response(text=text, content_type=STATIC[name], headers=HEADERS)


async def serve(seat: Seat, port: int, ready: Callable[[str], object], stop: asyncio.Event) -> bool:
    """Serves until the last page is sent (True) or `stop` is set; `ready` gets the URL. Raises `StudyRefused` for a busy port."""
    desk, token = Desk(seat), secrets.token_urlsafe(16)
    runner = web.AppRunner(desk.application(token), access_log=None, shutdown_timeout=2)
    await runner.setup()
    try:
        await web.TCPSite(runner, HOST, port).start()
        ready(f"http://{HOST}:{runner.addresses[0][1]}/{token}/")
        endings = [asyncio.create_task(event.wait()) for event in (desk.over, stop)]
        await asyncio.wait(endings, return_when=asyncio.FIRST_COMPLETED)
        for each in endings:
            each.cancel()
    except OSError as error:
        raise StudyRefused(f"{HOST}:{port} cannot be had: {error.strerror}", "give another --port") from None
    finally:
        await seat.close()
        await runner.cleanup()
    return desk.over.is_set()
