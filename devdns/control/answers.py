"""Answers of the API: JSON bodies, bodies read from requests, and every refusal as `{"error", "detail", "code"}`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import structlog
from aiohttp import web

from devdns.control.registry import Unheard
from devdns.control.shapes import error_shape, text
from devdns.core.errors import ConfigRefused, DevdnsError, NameRefused, TargetRefused, word

JSON = "application/json"
MOST_BODY = 64 << 10

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
log = structlog.get_logger()


def answer(body: dict[str, Any], status: int = 200) -> web.Response:
    """A JSON body, which ends its line for who reads it in a terminal."""
    return web.Response(body=text(body) + b"\n", status=status, content_type=JSON)


def refusal(status: int, detail: str, error: str = "") -> web.Response:
    """An error body. `detail` is for people, one line."""
    return answer(error_shape(error or word(status), detail, status), status)


async def body_of(request: web.Request) -> dict[str, Any]:
    """The JSON object a request carries; answers 413, 415 or 400 otherwise."""
    if request.content_type != JSON:
        raise web.HTTPUnsupportedMediaType(text=f"the body must be {JSON}")
    body = msgspec.json.decode(await request.read())
    if not isinstance(body, dict):
        raise web.HTTPBadRequest(text="the body must be a JSON object")
    return body


@web.middleware
async def errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turns every refusal into its JSON; the one catch-all of the API."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        return _of_http(request, error)
    except Unheard as error:
        return refusal(503, one_line(error))
    except DevdnsError as error:
        return refusal(400, one_line(error), _kind(error))
    except (msgspec.DecodeError, UnicodeError) as error:
        return refusal(400, f"the body is not JSON: {error}")
    except RecursionError:
        return refusal(400, "the body is nested too deep")
    except OSError as error:
        if isinstance(error, ConnectionError):
            raise
        log.warning("state not written", path=request.path, error=str(error))
        return refusal(507, f"cannot write {error.filename or 'the state folder'}: {error.strerror}")
    except Exception:
        log.exception("request failed", method=request.method, path=request.path)
        return refusal(500, "this is a fault of devdns; its log says more: devdns logs")


def _of_http(request: web.Request, error: web.HTTPException) -> web.Response:
    detail = error.text if error.text and not error.text.startswith(f"{error.status}:") else error.reason
    if error.status == 404 and detail == error.reason:
        detail = f"nothing is at {request.path!r}"
    if error.status == 405:
        detail = f"{request.method} is not allowed at {request.path!r}"
    response = refusal(error.status, detail)
    if "Allow" in error.headers:
        response.headers["Allow"] = error.headers["Allow"]
    return response


def _kind(error: DevdnsError) -> str:
    if isinstance(error, NameRefused):
        return "bad_name"
    return "bad_target" if isinstance(error, TargetRefused) else "bad_request"


def one_line(error: DevdnsError) -> str:
    """The error as one line, with its hint."""
    if isinstance(error, ConfigRefused):
        return "; ".join(error.problems) + (f" - {error.hint}" if error.hint else "")
    return str(error)
