"""One client connection: reads requests strictly, one at a time and in order, and keeps the connection within its limits.

Requests that arrive while one is in hand wait in a bounded buffer (pipelining). What becomes of a request is the
`Exchange`'s matter.
"""

from __future__ import annotations

import asyncio
import fcntl
import re
import sys
import termios
from contextlib import suppress
from math import inf
from time import monotonic

import structlog

from devdns_proxy import refusals
from devdns_proxy.answering import BUSY, LINGER, READY
from devdns_proxy.context import Context
from devdns_proxy.door import PLAIN, Door
from devdns_proxy.fields import BARE, HeadRefused
from devdns_proxy.framing import Chunked, Sized
from devdns_proxy.heads import REQUEST_LINE, Meaning, form, read_block, refuse_line
from devdns_proxy.memo import ENTRY_BYTES
from devdns_proxy.problems import Problem
from devdns_proxy.rendering import rendered
from devdns_proxy.repeating import Repeating
from devdns_proxy.tunnel import half_close

log = structlog.get_logger()

SLASH = ord("/")
HEAD_END = re.compile(rb"\r\n\r\n")  # searched by re: bytes.find is slower for a pattern that begins at every line end
EMPTY_LINES = re.compile(rb"(?:\r\n)++")
PRIOR_KNOWLEDGE = b"PRI * HTTP/2.0\r\n\r\n"  # RFC 9113 section 3.4: no request of HTTP/1 begins like this
#: More than this is several pipelined requests, or none that is remembered.
MAX_RECALL = 2 * ENTRY_BYTES


def address_of(transport: asyncio.BaseTransport) -> str:
    """The client's address; that of this machine where it has none."""
    peer = transport.get_extra_info("peername")
    return str(peer[0]).removeprefix("::ffff:") if isinstance(peer, tuple) and peer else "127.0.0.1"


def unsent(transport: asyncio.WriteTransport) -> int:
    """Bytes that have not reached the client: it may take minutes until the kernel has room for more than it has."""
    pending = transport.get_write_buffer_size()
    with suppress(OSError, ValueError):  # ValueError: the socket is closed
        queued = fcntl.ioctl(transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, b"\0\0\0\0")
        pending += int.from_bytes(queued, sys.byteorder)
    return pending


class Client(Repeating):
    """A connection from a client, from its first byte to its last or until a tunnel or our own application takes it."""

    __slots__ = ("_asked", "_scanned", "_unsent", "_where")

    def __init__(self, context: Context, door: Door = PLAIN) -> None:
        super().__init__(context, door)
        self._asked: str | None = None  # the name in the TLS handshake
        self._scanned = 0
        self._unsent = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment] # asyncio says BaseTransport for every kind
        self._address = address_of(transport)
        self._where = f"{self._door.scheme} {self._address}"
        if self._door.secure:
            self._asked = transport.get_extra_info("server_name")
        self._context.clients.add(self)
        self._context.counters.connections += not self._door.http2
        if not self._context.crowds.enter(self, self._address):
            self._state = LINGER
            self._write(rendered(refusals.crowded(self._address), b"", self._context.date, keep=False, bodiless=False))
            self.transport.close()

    def data_received(self, data: bytes) -> None:
        self.received += len(data)
        if self._state == LINGER:
            return
        self._found = True
        try:
            if data == self._again and self._repeat():
                return
            if self._upstream is not None and self._body is not None:
                self._feed(self._upstream, self._body, data)
                return
            self._held = self._held + data if self._held else data
            if self._state == READY and not self.paused:
                self._pump()
            elif self._place is not None:
                self._pile()
            elif len(self._held) > self._context.limits.ahead:
                self.steer()
        except Exception:  # the edge of a connection: whatever it was, the client gets an answer
            log.exception("request failed")
            self.crash()
        finally:
            self._found = False

    def eof_received(self) -> bool:
        """The client sends no more. It may have left, or wait for its answers: with a whole request it gets a moment for those."""
        self._left = True
        if self._state != BUSY or self._place is not None:
            return False
        self._context.loop.call_later(self._context.limits.leave_time, self.transport.abort)
        return self._body is None or self._upstream is None

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 # the signature is asyncio's
        if self._state == BUSY:
            self._end("left")
        self._retire()
        self._let_go()

    def pause_writing(self) -> None:
        """The client does not keep up: the service has to wait, and both not for ever."""
        self.paused = True
        self._unsent = unsent(self.transport)
        self.deadline = self._context.now + self._context.limits.stall_time
        if self._upstream is not None:
            self._upstream.transport.pause_reading()

    def resume_writing(self) -> None:
        self.paused = False
        self.deadline = self._context.now + self._patience()
        if self._upstream is not None:
            self._upstream.transport.resume_reading()
        if self._state == READY and self._held:
            self._pump()
        self.steer()

    def _patience(self) -> float:
        """How long the state in hand may last from now on."""
        limits = self._context.limits
        if self._state == BUSY:
            return inf if self._begun else limits.reply_time
        return limits.idle_time if self._state == READY else limits.linger_time

    def steer(self) -> None:
        full = self._upstream is not None and self._upstream.full and self._body is not None
        waiting = self._state == BUSY or self.paused
        ahead = self._context.limits.ahead if self._place is None else self._place.ahead
        reading = not full and not (waiting and len(self._held) > ahead)
        if self._left and self._upstream is not None and self._body is not None:
            self.transport.abort()  # the rest of the body will never come
        if reading == self._reading or self._left or self.transport.is_closing():
            return
        self._reading = reading
        if reading:
            self.transport.resume_reading()
        else:
            self.transport.pause_reading()

    def _pump(self) -> None:
        """Begins the next request if its whole head is here; a refusal answers and ends the connection."""
        if self._context.view.hello is not self._context.hello:
            self._context.renew()
        try:
            while self._held and self._state == READY and not self.paused:
                data = self._held
                line, block = REQUEST_LINE.match(data), b""
                if line is not None and not self._scanned and len(data) <= MAX_RECALL:
                    block = data[line.end() :]
                    if self._recall(line, block, data):
                        continue
                found = HEAD_END.search(data, self._scanned)
                if found is None:
                    self._wait_for_head()
                    return
                self._scanned = 0
                if line is None or line.end() > self._context.limits.request_line:
                    self._skip_or_refuse(data, found.end())
                else:
                    self._read_head(line, data, found.end(), block)
        except HeadRefused as refused:
            self._refuse(refusals.refused_head(refused))

    def _wait_for_head(self) -> None:
        """Keeps a partial head within bounds of size and time, and refuses early what can never become whole."""
        empty = EMPTY_LINES.match(self._held)
        if empty:
            self._held, self._scanned = self._held[empty.end() :], 0
        held = self._held
        if not held:
            return
        if BARE.search(held, max(0, self._scanned - 1)):
            raise HeadRefused(400, "the request head holds a bare CR, a bare LF or a NUL")
        self._check_sizes(held, len(held))
        if not self._scanned:
            self.deadline = self._context.now + self._context.limits.head_time
        self._scanned = max(1, len(held) - 3)

    def _check_sizes(self, data: bytes, end: int) -> None:
        limits = self._context.limits
        line = data.find(b"\r\n", 0, limits.request_line + 2)
        if line < 0 and end > limits.request_line:
            raise HeadRefused(414, f"the request line is over {limits.request_line} bytes")
        if end - max(line, 0) > limits.request_head:
            raise HeadRefused(431, f"the header block is over {limits.request_head} bytes")

    def _recall(self, line: re.Match[bytes], block: bytes, data: bytes) -> bool:
        """Takes `data` for a request whose field block is remembered, and nothing after it; False when it is not.

        `block` is all of it after the request line. This is safe, and needs no search for the end of the head: what is in the memo is the block up to its first empty line,
        so data that equals it ends there too; everything else its meaning depends on is in the key; and the request line
        has just passed the check that every request line passes. Heads that carry more than a plain request (absolute
        form, CONNECT, Upgrade, Expect, a body) are never put in, so they are never found. The same holds for the last one that this
        connection found there: to compare with it costs less than to hash, and it lasts as long as the memo's (`epoch`).
        """
        context = self._context
        method, target, minor = line.groups()
        if target[0] != SLASH or line.end() > context.limits.request_line:
            return False
        again = False
        if self._epoch is context.epoch and block == self._block and method == self.method and minor == self.minor:
            meaning, again = self.meaning, target == self._target
        else:
            found = context.heads.get((self._where, method, minor, block))
            if found is None:
                return False
            meaning, self._epoch = found, context.epoch
        self.method, self.minor, self._target, self._block, self._held = method, minor, target, block, b""
        self._begin(meaning, data)
        if again:
            self._learn(data)
        return True

    def _read_head(self, line: re.Match[bytes], data: bytes, end: int, unknown: bytes) -> None:
        """Reads the head `data[:end]`; what follows waits, or is its body. `unknown` is a block that was not remembered."""
        self._check_sizes(data, end)
        context, meaning = self._context, None
        method, target, minor = line.groups()
        block = unknown if end == len(data) and unknown else data[line.end() : end]
        key = (self._where, method, minor, block)
        if block is not unknown and target[0] == SLASH:
            meaning = context.heads.get(key)
        if meaning is None:
            meaning = read_block(block, minor, context.origin(self._address, self._door.scheme))
            sent = form(method, target, meaning.authority, self._door)
            if meaning.memorable and sent is target:
                context.heads.put(key, len(block), meaning)
            target = sent
        self.method, self.minor, self._target, self._block, self._held = method, minor, target, block, data[end:]
        self._epoch = None
        self._begin(meaning, data)

    def _skip_or_refuse(self, data: bytes, end: int) -> None:
        """RFC 9112 section 2.2: an empty line before a request is skipped; what is no HTTP/1 is spoken otherwise or refused."""
        if data.startswith(PRIOR_KNOWLEDGE) and self.received == len(data) and self._context.http2 is not None:
            self._change_to(self._context.http2(self._context), data)
            return
        if not data.startswith(b"\r\n"):
            self._check_sizes(data, end)
            raise refuse_line(data)
        self._held = data[2:]

    def _begin(self, meaning: Meaning, data: bytes) -> None:
        """Makes the request at the start of `data` the one in hand, unless it is for us."""
        astray = self._asked is not None and meaning.host != self._asked and self._astray(meaning, self._asked)
        if meaning.own and not astray:
            self._hand_over(data)
            return
        context = self._context
        self._again = b""
        self.meaning = meaning
        self._state, self._begun, self._retries, self._route, self._own_id = BUSY, 0, 0, None, b""
        self._since = monotonic()
        self._body = Chunked() if meaning.chunked else Sized(meaning.length) if meaning.length else None
        plain = self._body is None and self.minor == b"1" and self.method != b"HEAD" and not context.draining
        self.plain, self.parting = plain and meaning.keep, plain and not meaning.keep
        self.deadline = context.now + context.limits.reply_time
        if astray:
            self._answer(refusals.misdirected(meaning, self._path(), self._asked or ""))
        elif not (context.view.faults and self._befall()):
            self._dispatch()

    def _astray(self, meaning: Meaning, asked: str) -> bool:
        """True for a request to another host than the one `asked` for in the TLS handshake (RFC 9110 section 15.5.20).

        Browsers put requests to several hosts on one connection whose certificate covers them all, and repeat what gets 421 on
        another one. Hosts that one route answers are one. No browser repeats the handshake of a WebSocket that came so.
        """
        route = self._context.route(meaning.host, self._target)
        if route is None or route is self._context.route(asked, self._target):
            return route is None
        return not (self._door.http2 and meaning.upgrade) or route.targets[0].scheme == "tls"

    def _hand_over(self, data: bytes) -> None:
        """Gives the connection, at a request boundary, to the application of our own names, with all bytes read."""
        self._held = b""
        self.steer()
        self._change_to(self._context.own(self._context.crowds, self._address), data)

    def _change_to(self, protocol: asyncio.Protocol, data: bytes) -> None:
        """Gives the connection away, with bytes that were read."""
        self._held = b""
        self._retire()
        self.transport.set_protocol(protocol)
        protocol.connection_made(self.transport)
        protocol.data_received(data)

    def _proceed(self) -> None:
        if not self.paused:  # else it has the time that it has for reading, and no more
            self.deadline = self._context.now + self._context.limits.idle_time
        if self._held:
            if self._ours:
                self._context.loop.call_soon(self._resume)
                return
            self._pump()
        if not self._reading:
            self.steer()
        if self._left and self._state == READY:
            self.transport.close()

    def _resume(self) -> None:
        """Goes on with what was sent ahead of an answer of our own: thousands of those must not stand on each other's shoulders."""
        if self.transport.is_closing():
            return
        self.data_received(b"")
        if not self._reading:
            self.steer()
        if self._left and self._state == READY:
            self.transport.close()

    def _linger(self) -> None:
        """Closes our side and reads on for a while: a RST would destroy the answer before the client has read it."""
        asked = self._state == BUSY and self._body is None and not self.meaning.keep
        self._state = LINGER
        self._held = b""
        self.deadline = self._context.now + self._context.limits.linger_time
        if self.transport.is_closing():
            return
        if asked or self._left:
            self.transport.close()
            return
        self.steer()
        half_close(self.transport)

    def expire(self) -> None:
        self.deadline = inf
        if self._arriving():
            self.deadline = self._context.now + self._context.limits.stall_time
        elif self._state == READY and self._held and not self.paused:
            self._refuse(Problem(408, refusals.TITLES[408], "The request head did not arrive in time."))
        elif self._place is not None:
            self._hold_over()
        elif self._state != BUSY or self.paused or self._begun:
            self.transport.abort()
        elif self._upstream is not None and self._cut_short:
            self._part_over(self._upstream)
        elif self._converses():
            self.deadline = self._context.now + self._context.limits.stall_time
        elif self._body is not None and self._reading:
            self._refuse(Problem(408, refusals.TITLES[408], "The request body did not arrive in time."))
        else:
            self._let_go()
            self._fail("it took the request and sent no answer in time", timed_out=True)

    def _converses(self) -> bool:
        """True in a body of HTTP/2 whose length nobody has said: a gRPC call, in which either side may wait for the other."""
        amid = self._upstream is not None and self._body is not None and self._reading
        return amid and self._door.http2 and self.meaning.length is None

    def waits(self) -> bool:
        """True when it is the client's turn: to send a request or the rest of one, or to read."""
        return self._state == READY or self._body is not None or self.transport.get_write_buffer_size() > 0

    def _arriving(self) -> bool:
        """True when it is a response that takes its time, and some of it has reached the client since this was last looked at."""
        waits = self._state == BUSY and not (self._begun or self.paused)
        asks = self._state == READY and self._held and not self.paused
        if waits or asks or not self.transport.get_write_buffer_size():
            return False
        before, self._unsent = self._unsent, unsent(self.transport)
        return self._unsent != before

    def _retire(self) -> None:
        super()._retire()
        self._context.crowds.leave(self, self._address)

    def retire(self) -> None:
        self.plain = self.parting = False
        if self._state == READY:
            self.transport.close()
        elif self._place is not None:
            self._turn_away()

    def deaf(self) -> bool:
        return not self._reading
