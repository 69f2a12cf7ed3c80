"""TLS to a client: a transport of plain bytes over one of encrypted ones, and the handshake before it.

In place of the event loop's own, because the first bytes of a connection have been read by then (`Greeting`), and because it
costs less: no task for a handshake, and no second look for each piece of data. Encrypted bytes go out at once, so that what is
buffered, and when to pause, is the matter of the transport below.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Any

MOST_READ = 16_384  # a record holds no more
NOBODY = asyncio.Protocol()


class Encrypted(asyncio.Protocol, asyncio.Transport):
    """`opened` is called once the handshake is done, and sets the protocol; `name` is what the client asked for (SNI)."""

    __slots__ = (
        "_closing",
        "_context",
        "_ended",
        "_error",
        "_incoming",
        "_loop",
        "_name",
        "_object",
        "_opened",
        "_outgoing",
        "_paused",
        "_protocol",
        "_raw",
    )

    def __init__(
        self,
        raw: asyncio.Transport,
        context: ssl.SSLContext,
        name: str | None,
        opened: Callable[[Encrypted], None],
        lost: asyncio.Protocol,
    ) -> None:
        super().__init__()
        self._raw = raw
        self._context = context
        self._name = name
        self._opened: Callable[[Encrypted], None] | None = opened
        self._protocol: Any = lost
        self._loop = asyncio.get_running_loop()
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._object = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._paused = self._closing = self._ended = False
        self._error: Exception | None = None

    # What the transport below tells

    def data_received(self, data: bytes) -> None:
        self._incoming.write(data)
        if self._opened is None:
            self._deliver()
        else:
            self._shake()

    def eof_received(self) -> bool:
        """The client's FIN; many send no close_notify before it, and a request says itself where it ends."""
        if self._opened is not None:
            return False
        return self._end()

    def connection_lost(self, exc: Exception | None) -> None:
        self._closing = True
        protocol, self._protocol = self._protocol, NOBODY  # else each would keep the other
        protocol.connection_lost(self._error or exc)

    def pause_writing(self) -> None:
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        self._protocol.resume_writing()

    # The handshake and the records

    def _shake(self) -> None:
        """Takes the handshake as far as what has come allows."""
        opened = self._opened
        try:
            self._object.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
            return
        except (ssl.SSLError, ValueError) as error:  # ValueError: a name that Python will not have
            self._fail(error)
            return
        self._flush()
        self._opened = None
        if opened is not None and not self._closing:
            opened(self)
            if self._incoming.pending:
                self._deliver()

    def _deliver(self) -> None:
        """Decrypts what has come, and hands it on while that is wanted."""
        tls, incoming = self._object, self._incoming
        while not (self._paused or self._closing):
            try:
                data = tls.read(min(incoming.pending + tls.pending(), MOST_READ) or 1)
            except ssl.SSLWantReadError:
                break
            except ssl.SSLError as error:
                self._fail(error)
                return
            if not data:
                self._close_notified()
                break
            self._protocol.data_received(data)
            if not (incoming.pending or tls.pending()):
                break
        if self._outgoing.pending:  # a key update or an alert is answered
            self._flush()

    def _close_notified(self) -> None:
        if not self._end():
            self.close()

    def _end(self) -> bool:
        """The client sends no more: tells it once; True when the other direction stays open."""
        if self._ended:
            return not self._closing
        self._ended = True
        return bool(self._protocol.eof_received()) and not self._closing

    def _fail(self, error: Exception) -> None:
        """Ends the connection with the alert that the library has written, if any."""
        self._error = error if self._opened is None else None
        self._flush()
        self._closing = True
        self._raw.close()

    def _flush(self) -> None:
        if self._outgoing.pending:
            self._raw.write(self._outgoing.read())

    # What a transport does

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._closing:
            return
        try:
            done = self._object.write(data) if data else 0
            while done < len(data):
                done += self._object.write(memoryview(data)[done:])
        except ssl.SSLError as error:
            self._fail(error)
            return
        self._raw.write(self._outgoing.read())

    @property
    def agreed(self) -> str | None:
        """The protocol that the handshake chose (ALPN)."""
        return self._object.selected_alpn_protocol()

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        """Ends our side alone (RFC 8446 section 6.1); a client of TLS 1.2 then ends its own."""
        self._notify()
        self._raw.write_eof()

    def close(self) -> None:
        if self._closing:
            return
        self._closing = True
        self._notify()
        self._raw.close()

    def _notify(self) -> None:
        """Says that nothing follows. The library then waits for the client to say the same, which nobody here does."""
        with suppress(ssl.SSLError):
            self._object.unwrap()
        self._flush()

    def abort(self) -> None:
        self._closing = True
        self._raw.abort()

    def is_closing(self) -> bool:
        return self._closing or self._raw.is_closing()

    def pause_reading(self) -> None:
        self._paused = True
        self._raw.pause_reading()

    def resume_reading(self) -> None:
        self._paused = False
        self._raw.resume_reading()
        if self._incoming.pending or self._object.pending():
            self._loop.call_soon(self._deliver)

    def is_reading(self) -> bool:
        return not self._paused

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        protocol: asyncio.BaseProtocol = self._protocol
        return protocol

    def get_write_buffer_size(self) -> int:
        return self._raw.get_write_buffer_size()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._raw.set_write_buffer_limits(high, low)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """`ssl_object`, `sslcontext` and `server_name`, else what the transport below knows."""
        if name == "ssl_object":
            return self._object
        if name == "sslcontext":
            return self._context
        if name == "server_name":
            return self._name
        return self._raw.get_extra_info(name, default)
