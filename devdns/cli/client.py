"""The command's side of the control API: HTTP over `control.sock`, by the standard library alone.

No aiohttp, YAML or the like is imported on this path: `devdns routes` must answer in a fraction of a second.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from devdns.cli.state import is_running
from devdns.core.errors import DevdnsError, NotRunning

SOCKET = "control.sock"
SECONDS = 10.0
HEARTBEAT_SECONDS = 45.0  # the event stream says something every 15 s
STARTING_SECONDS = 15.0  # as long as the supervisor gives its children
LONGEST_PATH = 100  # sun_path holds 104 bytes on macOS, 108 on Linux
Body = dict[str, Any]


class ApiRefused(DevdnsError):
    """Control said no. `code` is the HTTP status, `error` its machine-readable word."""

    def __init__(self, code: int, body: Body) -> None:
        self.code = code
        self.error = str(body.get("error", ""))
        super().__init__(str(body.get("detail") or self.error or f"status {code}"), str(body.get("hint") or ""))
        self.exit_code = 2 if code in (400, 413, 422) else 1


class Unanswered(DevdnsError):
    """Control took the question and went away, as when it is restarted or stopped."""


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, seconds: float) -> None:
        super().__init__("localhost", timeout=seconds)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        try:
            if len(bytes(self._path)) <= LONGEST_PATH:
                self.sock.connect(str(self._path))
            else:
                with contextlib.chdir(self._path.parent):
                    self.sock.connect(self._path.name)
        except OSError:
            self.close()
            raise


class Client:
    """Asks the control process of one state folder. Raises `NotRunning`, `ApiRefused`, or `DevdnsError` for no answer."""

    def __init__(self, state_dir: Path, seconds: float = SECONDS) -> None:
        self._state_dir = state_dir
        self._seconds = seconds

    def ask(self, method: str, path: str, body: Body | None = None) -> Body:
        """One request; the answer's JSON object."""
        connection = self._connected(self._seconds)
        with contextlib.closing(connection), self._translated():
            payload = None if body is None else json.dumps(body)
            connection.request(method, path, payload, {"Content-Type": "application/json"} if payload else {})
            response = connection.getresponse()
            return _answer(response.status, response.read())

    def events(self, path: str) -> Iterator[tuple[str, Body]]:
        """The (event, data) pairs of a stream, until it ends or breaks."""
        connection = self._connected(HEARTBEAT_SECONDS)
        with contextlib.closing(connection):
            with self._translated():
                connection.request("GET", path, headers={"Accept": "text/event-stream"})
                response = connection.getresponse()
                if response.status != http.client.OK:
                    _answer(response.status, response.read())
            with contextlib.suppress(TimeoutError, http.client.HTTPException, ConnectionError):
                yield from parse_events(response)

    def _connected(self, seconds: float) -> _UnixConnection:
        """A connection; waits a little for a devdns that is just starting."""
        until = time.monotonic() + STARTING_SECONDS
        while True:
            connection = _UnixConnection(self._state_dir / SOCKET, seconds)
            try:
                connection.connect()
            except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
                if not is_running(self._state_dir) or time.monotonic() > until:
                    raise self._not_running() from None
                time.sleep(0.02)
            except PermissionError:
                raise DevdnsError(
                    f"{str(self._state_dir / SOCKET)!r} belongs to another user", "run the command as that user"
                ) from None
            else:
                return connection

    def _not_running(self) -> NotRunning:
        return NotRunning(f"no devdns runs with the state folder {str(self._state_dir)!r}", "start it with devdns up")

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except TimeoutError:
            raise DevdnsError(
                f"devdns did not answer within {self._seconds:.0f} s", "see devdns logs, or devdns status"
            ) from None
        except (http.client.HTTPException, ConnectionError) as error:
            if not is_running(self._state_dir):
                raise self._not_running() from None
            raise Unanswered(f"devdns closed the connection ({type(error).__name__})", "try again") from None


def _answer(status: int, payload: bytes) -> Body:
    try:
        body = json.loads(payload)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise DevdnsError(f"devdns answered with status {status} and no JSON", "is it another version? restart devdns")
    if status >= http.client.BAD_REQUEST:
        raise ApiRefused(status, body)
    return body


def parse_events(lines: Iterator[bytes] | http.client.HTTPResponse) -> Iterator[tuple[str, Body]]:
    """Server-sent events (HTML living standard, section 9.2.6), as far as control uses them: event and data."""
    event, data = "message", list[str]()
    for raw in lines:
        line = raw.decode("utf-8").rstrip("\r\n")
        field, _, value = line.partition(":")
        if not line and data:
            yield event, json.loads("\n".join(data))
            event, data = "message", []
        elif field == "event":
            event = value.removeprefix(" ")
        elif field == "data":
            data.append(value.removeprefix(" "))


def route_path(name: str) -> str:
    """The API path of a claim, whose slash stays one."""
    return "/api/v1/routes/" + quote(name, safe="/*")


def chaos_path(name: str) -> str:
    """The API path of the faults of a claim."""
    return "/api/v1/chaos/" + quote(name, safe="/*")


def explain_path(name: str) -> str:
    """The API path that explains a name or a URL, which travels as one segment."""
    return "/api/v1/explain/" + quote(name, safe="*")
