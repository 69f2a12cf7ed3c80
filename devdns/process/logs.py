"""Logging: structlog, pretty on a terminal and JSON otherwise, always one line an event, on standard error.

Values come from labels, TXT records and hosts, so control and bidirectional characters are written as escapes.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Any

import structlog

STDERR = 2
UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
#: What every line has, in this order.
FIRST = ("timestamp", "level", "part", "event")
_UTC = structlog.processors.TimeStamper(fmt="iso", utc=True)
SECRET = re.compile(r"token|secret|password|authorization|cookie|(?:^|_)key(?:$|_)", re.IGNORECASE)


class Lines:
    """A logger that writes straight to standard error. A line that cannot be written (a full disk, a reader that left) is lost.

    Nothing may fail because it wanted to say something, and nothing stays in a buffer to fail later.
    """

    def __init__(self, *_: object) -> None:
        """Takes what structlog gives its loggers, and needs none of it."""

    def msg(self, message: str) -> None:
        with suppress(OSError, ValueError):
            os.write(STDERR, message.encode("utf-8", "backslashreplace") + b"\n")

    log = debug = info = warn = warning = error = err = critical = fatal = failure = exception = msg


def configure(part: str, *, debug: bool = False) -> None:
    """Sets structlog up for this process; every event carries `part` (the process's role)."""
    terminal = os.isatty(STDERR)
    clock = structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False) if terminal else _UTC
    renderer = (
        structlog.dev.ConsoleRenderer(pad_event_to=0, pad_level=False)
        if terminal
        else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            clock,
            structlog.processors.format_exc_info,
            guard,
            in_order,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG if debug else logging.INFO),
        logger_factory=Lines,
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(part=part)


def in_order(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """What every line has comes first; what is empty says nothing and goes."""
    first = {key: event[key] for key in FIRST if key in event}
    return first | {key: value for key, value in event.items() if key not in first and value not in ("", None)}


def guard(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Hides secrets by their key and escapes what could forge a line or drive a terminal."""
    return {key: "hidden" if SECRET.search(key) else _plain(value) for key, value in event.items()}


def _plain(value: object) -> object:
    if isinstance(value, str):
        return UNSAFE.sub(lambda found: found.group().encode("unicode_escape").decode("ascii"), value)
    if isinstance(value, int | float | bool | None):
        return value
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return _plain(str(value))
