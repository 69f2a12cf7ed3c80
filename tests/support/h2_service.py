"""A service that speaks HTTP/2 by another library than the proxy does (h2), to the letter of a test's script."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived, StreamEnded, StreamReset, TrailersReceived
from h2.settings import SettingCodes

from support.http_proxy import listening

Fields = list[tuple[bytes, bytes]]


class Asked:
    """A request as the service has it so far; `reset` is the code that cancelled it."""

    def __init__(self, connection: Connection, number: int, fields: Fields) -> None:
        self.connection, self.number, self.fields = connection, number, fields
        self.h2 = connection.h2
        self.body = b""
        self.trailers: Fields = []
        self.whole = False
        self.reset: int | None = None

    def __getitem__(self, name: bytes) -> bytes:
        return dict(self.fields)[name]

    def head(self, status: int = 200, *fields: tuple[bytes, bytes], end: bool = False) -> None:
        self.h2.send_headers(self.number, [(b":status", b"%d" % status), *fields], end_stream=end)
        self.connection.flush()

    def data(self, data: bytes, *, end: bool = False) -> None:
        self.h2.send_data(self.number, data, end_stream=end)
        self.connection.flush()

    def trail(self, *fields: tuple[bytes, bytes]) -> None:
        self.h2.send_headers(self.number, fields, end_stream=True)
        self.connection.flush()

    def cancel(self, code: int) -> None:
        self.h2.reset_stream(self.number, code)
        self.connection.flush()

    def ok(self) -> None:
        self.head(200, (b"content-length", b"2"), (b"date", b"now"))
        self.data(b"ok", end=True)


Script = Callable[[Asked], None]


class Connection(asyncio.Protocol):
    """`reads`: windows are widened as bytes come."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.reads = service.reads
        self.h2 = H2Connection(
            H2Configuration(
                client_side=False,
                header_encoding=None,
                validate_outbound_headers=False,
                normalize_outbound_headers=False,
            )
        )
        self.streams: dict[int, Asked] = {}

    def connection_made(self, transport) -> None:
        self.transport = transport
        self.service.connections.append(self)
        if self.service.settings:
            self.h2.local_settings.update(self.service.settings)
            self.h2.local_settings.acknowledge()
        if self.service.greets:
            self.h2.initiate_connection()
            self.flush()

    def data_received(self, data: bytes) -> None:
        for event in self.h2.receive_data(data):
            self._react(event)
        self.flush()

    def _react(self, event: object) -> None:
        asked = self.streams.get(getattr(event, "stream_id", None))
        if isinstance(event, RequestReceived):
            asked = self.streams[event.stream_id] = Asked(self, event.stream_id, list(event.headers))
            self.service.asked.append(asked)
            self.service.begun(asked)
        elif isinstance(event, DataReceived):
            asked.body += event.data
            if self.reads and event.flow_controlled_length:
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            self.service.more(asked)
        elif isinstance(event, TrailersReceived):
            asked.trailers = list(event.headers)
        elif isinstance(event, StreamReset):
            asked.reset = event.error_code
        elif isinstance(event, StreamEnded):
            asked.whole = True
            self.service.answer(asked)

    def flush(self) -> None:
        if not self.transport.is_closing():
            self.transport.write(self.h2.data_to_send())

    def go_away(self, last: int, code: int = 0) -> None:
        self.h2.close_connection(code, last_stream_id=last)
        self.h2.state_machine.state = type(self.h2.state_machine.state).SERVER_OPEN  # h2 supposes that all is over
        self.flush()


class Service:
    """`answer` is called with each whole request, `begun` with its head, `more` with each piece of a body."""

    def __init__(self, answer: Script, begun: Script, more: Script) -> None:
        self.answer, self.begun, self.more = answer, begun, more
        self.connections: list[Connection] = []
        self.asked: list[Asked] = []
        self.settings: dict[SettingCodes, int] = {}
        self.greets = self.reads = True
        self.port = 0
        self._server: asyncio.Server | None = None

    async def listen(self, tls: ssl.SSLContext | None = None) -> None:
        listener = listening() if not self.port else _again(self.port)
        self.port = listener.getsockname()[1]
        self._server = await asyncio.get_running_loop().create_server(lambda: Connection(self), sock=listener, ssl=tls)

    def stop(self) -> None:
        """As a process that is killed: nothing is said."""
        if self._server is not None:
            self._server.close()
        for connection in self.connections:
            connection.transport.abort()

    @property
    def target(self) -> str:
        return f"h2c://127.0.0.1:{self.port}"


def _again(port: int) -> socket.socket:
    listener = socket.create_server(("127.0.0.1", port))
    listener.setblocking(False)
    return listener


def nothing(_: Asked) -> None:
    """Says nothing."""


@asynccontextmanager
async def h2_service(
    answer: Script = Asked.ok, *, begun: Script = nothing, more: Script = nothing, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Service]:
    service = Service(answer, begun, more)
    await service.listen(tls)
    try:
        yield service
    finally:
        with suppress(OSError):
            service.stop()
