"""A connection to devdns's own names: what aiohttp cannot read or handle is answered in our form, and logged as we log."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import Any

import structlog
from aiohttp import hdrs, web

from devdns_proxy.crowds import Crowds
from devdns_proxy.own import SIGNED, spoken
from devdns_proxy.problems import Problem

#: Seconds between two requests, and for the whole of the next head: its bytes so far do not prolong them.
IDLE = 15.0
#: aiohttp logs what a peer sends with a traceback of many lines; that is the peer's matter and goes nowhere.
SILENT = logging.Logger("aiohttp of own names", logging.CRITICAL)
log = structlog.get_logger()


class Connection(web.RequestHandler):
    """One connection, from its hand-over to its end. It counts among those of its client at `address`."""

    __slots__ = ("_address", "_crowds")

    def __init__(self, crowds: Crowds, address: str, server: web.Server, **settings: Any) -> None:
        super().__init__(server, **settings)
        self._crowds = crowds
        self._address = address

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if not self._crowds.enter(self, self._address):
            self.force_close()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._crowds.leave(self, self._address)
        super().connection_lost(exc)

    def waits(self) -> bool:
        """True when it is the client's turn: no answer of ours is being made."""
        return self._current_request is None

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 # it repeats what the peer has sent
    ) -> web.StreamResponse:
        """The answer to what is no request, or to a fault of ours; the connection ends after it."""
        if request.writer.output_size > 0:
            raise ConnectionError("an answer has begun already")
        if status < 500:
            problem = Problem(status, "Bad request", "This is not a request that HTTP/1.1 allows.")
        else:
            log.error("request to our own name failed", reason=repr(exc), status=status)
            problem = Problem(status, "This is a fault of devdns", hint="its log says more: devdns logs")
        response = spoken(problem)
        response.headers[hdrs.SERVER] = SIGNED
        response.force_close()
        return response


def connections(server: web.Server, idle: float = IDLE) -> Callable[[Crowds, str], Connection]:
    """Makes the connections of `server`, in the running loop."""
    return partial(
        Connection,
        server=server,
        loop=asyncio.get_running_loop(),
        logger=SILENT,
        access_log=None,  # aiohttp's own way to have none
        keepalive_timeout=idle,
    )
