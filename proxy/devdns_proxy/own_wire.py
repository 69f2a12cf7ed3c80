"""A connection to devdns's own names: what aiohttp cannot read or handle is answered in our form, and logged as we log."""

from __future__ import annotations

import asyncio
import logging
from functools import partial

import structlog
from aiohttp import hdrs, web

from devdns_proxy.own import SIGNED, spoken
from devdns_proxy.problems import Problem

#: aiohttp logs what a peer sends with a traceback of many lines; that is the peer's matter and goes nowhere.
SILENT = logging.Logger("aiohttp of own names", logging.CRITICAL)
IDLE = 75.0
log = structlog.get_logger()


class Connection(web.RequestHandler):
    """One connection, from its hand-over to its end."""

    __slots__ = ()

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


def connections(server: web.Server) -> partial[Connection]:
    """Makes the connections of `server`, in the running loop."""
    return partial(
        Connection,
        server,
        loop=asyncio.get_running_loop(),
        logger=SILENT,
        access_log=None,  # type: ignore[arg-type] # aiohttp's own way to have none
        keepalive_timeout=IDLE,
    )
