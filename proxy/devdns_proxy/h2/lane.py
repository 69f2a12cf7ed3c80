"""One stream of HTTP/2 as the transport of an ordinary HTTP/1.1 connection, and the next one after it.

A lane carries one request at a time, as a kept connection does; so whoever reads requests from it (`Client`) knows nothing of HTTP/2. A response
that breaks off is a reset stream, and never an ended one.
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from math import inf
from typing import TYPE_CHECKING, Any

from devdns_proxy.framing import Body, Chunked, Sized, UntilClose
from devdns_proxy.h2 import responses
from devdns_proxy.h2.inlet import Inlet
from devdns_proxy.h2.requests import Asked
from devdns_proxy.h2.requests import trailers as request_trailers
from devdns_proxy.http2.wire import (
    CANCEL,
    END_STREAM,
    INTERNAL_ERROR,
    MOST_PAYLOAD,
    NO_ERROR,
    STREAM_CLOSED,
    Malformed,
    window_update,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from devdns_proxy.h2.sending import Sending
    from devdns_proxy.http2.hpack import Field

#: Bytes that wait for the client's window before the service has to wait too, and those at which it goes on.
HIGH = 65_536
LOW = 16_384
#: Nothing of the response has been written; some of it; bytes of another protocol.
HEAD, BODY, RAW = range(3)


class Shared:
    """The socket under all lanes of a connection: it can be looked at, but no lane sets its options."""

    __slots__ = ("_socket",)

    def __init__(self, under: socket.socket) -> None:
        self._socket = under

    @property
    def family(self) -> int:
        return self._socket.family

    def fileno(self) -> int:
        return self._socket.fileno()

    def setsockopt(self, *_: object) -> None:
        """Nothing: the other lanes have not asked for it."""


class Lane(asyncio.Transport):
    """`number` is the stream it carries, 0 between two; `window` what that may send before the client says more."""

    __slots__ = (
        "_body",
        "_closing",
        "_deaf",
        "_ending",
        "_fresh",
        "_full",
        "_gone",
        "_half",
        "_headless",
        "_inlet",
        "_partial",
        "_protocol",
        "_queue",
        "_reusable",
        "_size",
        "_stage",
        "_trunk",
        "_tunnel",
        "number",
        "window",
    )

    def __init__(self, trunk: Sending, protocol: asyncio.Protocol) -> None:
        super().__init__()
        self.number = self.window = 0
        self._trunk = trunk
        self._protocol = protocol
        self._fresh = self._reusable = True
        self._closing = self._gone = self._deaf = self._full = self._half = False
        self._headless = self._tunnel = False
        self._inlet: Inlet | None = None
        self._partial = b""
        self._stage = HEAD
        self._body: Body | None = None
        self._queue: deque[bytes | memoryview] = deque()
        self._size = 0
        self._ending: bytes | None = None  # the trailers, once the response is complete

    # What the client sends

    def open(self, number: int, asked: Asked, window: int, *, whole: bool) -> None:
        """Begins a stream; `whole`: no body follows."""
        self.number, self.window = number, window
        self._headless, self._tunnel = asked.method == b"HEAD", asked.tunnel
        self._stage, self._ending = HEAD, None
        self._inlet = None if whole else Inlet(asked)
        if self._fresh:
            self._fresh = False
            self._protocol.connection_made(self)
        self._protocol.data_received(asked.head)

    def take(self, data: bytes, size: int, *, ended: bool, section: bytes = b"\r\n") -> None:
        """A piece of the body, which used up `size` bytes of the window; raises `Malformed`."""
        inlet = self._inlet
        if inlet is None:
            raise Malformed("a body after the end of the request", STREAM_CLOSED)
        self._deliver(inlet, inlet.take(data, size, ended=ended, section=section))

    def trail(self, fields: list[Field], *, ended: bool) -> None:
        """The trailer section, which ends the request; raises `Malformed`."""
        if self._inlet is None or self._inlet.heard:
            raise Malformed("fields after the end of the request", STREAM_CLOSED)
        if not ended or self._tunnel:
            raise Malformed("a second field section does not end the request")
        self.take(b"", 0, ended=True, section=request_trailers(fields))

    def _deliver(self, inlet: Inlet, data: bytes) -> None:
        if data:
            self._protocol.data_received(data)
        if inlet.shut or inlet is not self._inlet:
            return
        if inlet.heard and self._stage == RAW and not self._protocol.eof_received():
            self.close()
        due = inlet.due()
        if due:
            self._trunk.send(window_update(self.number, due))

    def _resume(self) -> None:
        if self._inlet is not None and not self._deaf:
            self._deliver(self._inlet, self._inlet.kept())

    def lose(self, error: Exception | None) -> None:
        """The stream or the connection is gone."""
        self._empty()
        self._closing = True
        self._leave(error)

    # What it is sent

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self.number or self._ending is not None:
            return
        data = bytes(data)
        if self._stage == HEAD:
            self._begin(self._partial + data)
        elif self._stage == BODY:
            self._more(data)
        else:
            self._put(data)

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        self.write(b"".join(list_of_data))

    def _begin(self, data: bytes) -> None:
        """Heads up to the final one, and what is there of its body."""
        self._partial = b""
        while data:
            end = data.find(b"\r\n\r\n") + 4
            if end == 3:
                self._partial = data
                return
            answer = responses.answer(data[:end], tunnel=self._tunnel)
            data = data[end:]
            if answer.status >= 200:
                self._answer(answer, data)
                return
            self._trunk.say(self.number, answer.block, 0)
            if answer.status == 101:
                self._switch(data)
                return

    def _answer(self, answer: responses.Answer, data: bytes) -> None:
        length, trunk = answer.length, self._trunk
        if self._headless or answer.bodiless or length == 0:
            trunk.say(self.number, answer.block, END_STREAM)
            self._over()
        elif length == len(data) <= MOST_PAYLOAD and trunk.free(self, length):
            trunk.say(self.number, answer.block, 0)
            trunk.carry(self, data, END_STREAM)
            self._over()
        else:
            trunk.say(self.number, answer.block, 0)
            self._stage = BODY
            until_close = UntilClose(chunk=False)
            chunked = Chunked(payload_only=True) if answer.chunked else until_close
            self._body = chunked if length is None else Sized(length)
            if data:
                self._more(data)

    def _switch(self, data: bytes) -> None:
        """The service agrees to the other protocol: what the client sent ahead goes on."""
        self._stage = RAW
        if data:
            self._put(data)
        if self._inlet is not None:
            self._inlet.shut = self._deaf
            asyncio.get_running_loop().call_soon(self._resume)

    def _more(self, data: bytes) -> None:
        body = self._body
        if body is None:
            return
        out, _ = body.feed(data)
        if body.done:
            self._ending = responses.trailers(body.section) if isinstance(body, Chunked) else b""
        self._put(out)

    def _put(self, data: bytes) -> None:
        if data:
            self._queue.append(data)
            self._size += len(data)
        self.pump()
        if self._size > HIGH and not self._full:
            self._full = True
            self._protocol.pause_writing()

    def pump(self, turn: float = inf) -> None:
        """Sends what the windows and the connection allow, but for the last frame no more than `turn` bytes."""
        queue, trunk = self._queue, self._trunk
        while queue:
            room = trunk.room(self)
            if room <= 0 or turn <= 0:
                trunk.line_up(self)
                break
            data: bytes | memoryview = queue.popleft()
            if len(data) > room:
                data = memoryview(data)
                queue.appendleft(data[room:])
                data = data[:room]
            last = not queue and self._ending == b""
            trunk.carry(self, data, END_STREAM if last else 0)
            turn -= len(data)
            self._size -= len(data)
            if last:
                self._over()
        else:
            self._end()
        if self._full and self._size <= LOW:
            self._full = False
            self._protocol.resume_writing()

    def _end(self) -> None:
        """All is sent: ends the stream if the response is complete."""
        if self._ending is None or self._half or not self.number:
            return
        if self._ending:
            self._trunk.say(self.number, self._ending, END_STREAM)
        else:
            self._trunk.carry(self, b"", END_STREAM)
        self._over()

    def _over(self) -> None:
        """The response is sent whole: the lane is free if the request was heard whole too. A tunnel stays open the other way."""
        number, inlet = self.number, self._inlet
        heard = inlet is None or inlet.heard
        if self._stage == RAW and not (heard or self._closing):
            self._half = True
            return
        self._empty()
        if inlet is not None and inlet.whole:
            heard = True
            self._trunk.wait_for_end(number)
        elif not heard:
            self._trunk.reset(number, NO_ERROR)  # RFC 9113 section 8.1
        if heard and self._reusable and not self._closing:
            self._trunk.part(number, self)
            return
        self._trunk.part(number, None)
        self._closing = True
        self._leave(None)

    def _empty(self) -> None:
        self.number = self._size = 0
        self._queue.clear()
        self._inlet = self._body = None
        self._partial = b""

    def _leave(self, error: Exception | None) -> None:
        if not self._gone:
            self._gone = True
            asyncio.get_running_loop().call_soon(self._protocol.connection_lost, error)

    # What a transport offers besides

    def close(self) -> None:
        """Ends it when what was written has gone out; a response that is not complete is reset."""
        if self._closing:
            return
        self._closing = True
        if not self.number:
            self._leave(None)
        elif self._half:
            self._over()
        elif self._stage == RAW:
            asyncio.get_running_loop().call_later(self._trunk.stall_time, self.abort)
            self._ending = b""
            self.pump()
        elif self._ending is None:
            self._reset(INTERNAL_ERROR)

    def abort(self) -> None:
        self._closing = True
        self._reset(CANCEL if self._stage == RAW else INTERNAL_ERROR)

    def _reset(self, code: int) -> None:
        number = self.number
        self._empty()
        if number:
            self._trunk.reset(number, code)
            self._trunk.part(number, None)
        self._leave(None)

    def can_write_eof(self) -> bool:
        return self._stage == RAW

    def write_eof(self) -> None:
        if self.number and self._ending is None:
            self._ending = b""
            self.pump()

    def is_closing(self) -> bool:
        return self._closing

    def is_reading(self) -> bool:
        return not self._deaf

    def pause_reading(self) -> None:
        self._deaf = True
        if self._inlet is not None:
            self._inlet.shut = True

    def resume_reading(self) -> None:
        self._deaf = False
        if self._inlet is not None and (self._stage == RAW or not self._tunnel):
            self._inlet.shut = False
            asyncio.get_running_loop().call_soon(self._resume)

    def get_write_buffer_size(self) -> int:
        return self._size

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._trunk.shared if name == "socket" else self._trunk.transport.get_extra_info(name, default)

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Another protocol takes the rest of this stream, and no stream after it."""
        self._protocol = protocol  # type: ignore[assignment] # asyncio says BaseProtocol for every kind
        self._reusable = False
