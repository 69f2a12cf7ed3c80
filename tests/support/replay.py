"""A Docker Engine's HTTP API on a socket of ours, replaying what tests put in: for what a real engine cannot be made to do.

It writes down every request, can refuse a path, drop its event streams, and tell of a thousand containers at once.
"""

import json
import queue
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from support.inspections import summary

END = object()


class Replay:
    """`containers` maps ids to inspections; `refuse` maps the end of a path to a status."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.containers: dict[str, dict[str, Any]] = {}
        self.refuse: dict[str, int] = {}
        self.info: dict[str, Any] = {"OperatingSystem": "Debian", "SecurityOptions": ["name=seccomp,profile=default"]}
        self.asked: list[tuple[str, str]] = []
        self._names: dict[str, str] = {}
        self._streams: list[queue.Queue[Any]] = []
        self._silent: tuple[str, ...] = ()
        self._speaks = threading.Event()
        self._speaks.set()

    def put(self, inspection: dict[str, Any], *actions: str) -> None:
        """This is how the container is now; each action is an event of it."""
        self.containers[inspection["Id"]] = inspection
        self._names[inspection["Id"]] = inspection["Name"].removeprefix("/")
        for action in actions:
            self.emit(inspection["Id"], action)

    def drop(self, identity: str) -> None:
        del self.containers[identity]
        self.emit(identity, "destroy")

    def emit(self, identity: str, action: str) -> None:
        said = {"name": self._names.get(identity, ""), **({"exitCode": "137"} if action == "die" else {})}
        self.send({"Type": "container", "Action": action, "Actor": {"ID": identity, "Attributes": said}})

    def send(self, event: dict[str, Any]) -> None:
        for stream in self._streams:
            stream.put(event)

    @contextmanager
    def silent(self, *about: str) -> Iterator[None]:
        """Meanwhile no request gets an answer; or none `about` these containers."""
        self._silent = about or ("",)
        self._speaks.clear()
        try:
            yield
        finally:
            self._speaks.set()

    @contextmanager
    def away(self) -> Iterator[None]:
        """The engine went away, and is back after."""
        self.refuse[""] = 503
        self.hang_up()
        try:
            yield
        finally:
            del self.refuse[""]

    @contextmanager
    def shut(self) -> Iterator[None]:
        """The same, and its socket is not there either."""
        at = Path(self.url.removeprefix("unix://"))
        aside = at.rename(at.with_suffix(".aside"))
        self.hang_up()
        try:
            yield
        finally:
            aside.rename(at)

    def hang_up(self) -> None:
        """Ends the event streams, as a daemon that stops."""
        for stream in self._streams:
            stream.put(END)
        self._streams.clear()

    def answer(self, path: str) -> Any:
        """The JSON for a path without its version, None where there is nothing."""
        if path == "/version":
            return {"Version": "20.10.24", "ApiVersion": "1.41", "MinAPIVersion": "1.12"}
        if path == "/info":
            return self.info
        if path == "/containers/json":
            return [summary(each) for each in list(self.containers.values())]
        return self.containers.get(path.removeprefix("/containers/").removesuffix("/json"))

    def subscribe(self) -> "queue.Queue[Any]":
        stream: queue.Queue[Any] = queue.Queue()
        self._streams.append(stream)
        return stream


class _Threads(socketserver.ThreadingMixIn):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, *_: Any) -> None:
        """A provider that was cancelled leaves without a word."""


class _Unix(_Threads, socketserver.UnixStreamServer):
    pass


class _Tcp(_Threads, socketserver.TCPServer):
    pass


def _handler(replay: Replay) -> type[BaseHTTPRequestHandler]:
    class Answer(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            path = "/" + path.split("/", 2)[2] if path.startswith("/v1.") else path
            replay.asked.append(("GET", path))
            if any(each in path for each in replay._silent):  # its own face
                replay._speaks.wait(10)
            refused = next((status for end, status in replay.refuse.items() if path.endswith(end)), 0)
            if refused:
                self._whole(refused, {"message": "not allowed"})
            elif path == "/events":
                self._events()
            else:
                found = replay.answer(path)
                self._whole(
                    200 if found is not None else 404, found if found is not None else {"message": "No such container"}
                )

        def do_POST(self) -> None:
            replay.asked.append((self.command, self.path))
            self._whole(403, {"message": "only GET"})

        do_DELETE = do_PUT = do_HEAD = do_POST  # noqa: N815 # the names http.server looks for

        def _whole(self, status: int, value: Any) -> None:
            body = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _events(self) -> None:
            stream = replay.subscribe()
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            with suppress(OSError):
                while (event := stream.get()) is not END:
                    line = json.dumps(event).encode() + b"\n"
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
                self.wfile.write(b"0\r\n\r\n")
            self.close_connection = True

        def log_message(self, *_: Any) -> None:
            pass

    return Answer


@contextmanager
def replaying(path: Path | None = None) -> Iterator[Replay]:
    """An engine on the socket `path`, or on a TCP port of this machine."""
    replay = Replay(f"unix://{path}")
    handler = _handler(replay)
    with _Unix(str(path), handler) if path else _Tcp(("127.0.0.1", 0), handler) as server:
        if path is None:
            replay.url = f"tcp://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield replay
        finally:
            replay.hang_up()
            server.shutdown()
            thread.join()
            if path:
                path.unlink()
