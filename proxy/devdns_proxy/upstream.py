"""One connection to a service: reads a response and writes it to the client that waits for it.

It holds the state of one response at a time. A whole response that arrives in one piece, for a client that keeps its
connection, is one look-up and one write; everything else takes the longer way, with the same rules.
"""

from __future__ import annotations

import asyncio
import os
import select
from contextlib import suppress
from typing import TYPE_CHECKING

import structlog

from devdns.core.routes import Target
from devdns_proxy.framing import Body, Chunked, FramingRefused, Sized, UntilClose
from devdns_proxy.replies import NO_REPLY, Reply, ReplyRefused, read_reply
from devdns_proxy.tunnel import disagreement, join
from devdns_proxy.unread import was_reset

if TYPE_CHECKING:
    from devdns_proxy.context import Context
    from devdns_proxy.exchange import Exchange
    from devdns_proxy.pool import Shelf

log = structlog.get_logger()

#: What some services say before they close an idle connection; it is no answer to anybody.
GOODBYE = b"HTTP/1.1 408 "
MOST_READ = 65_536
#: The head of a response is compared with the last one up to this size.
MOST_REMEMBERED = 8_192


class Upstream(asyncio.Protocol):
    """A connection to `target`. `client` is who it works for, None while it is idle.

    `touched` tells whether a byte of the response has come; `since` when it became idle; `full` that it takes no more
    bytes for now; `shelf` where it lies while idle. `last` is who it worked for last, `turn` when it became idle or took on a
    request, `plain` that it is without TLS, and `looked` that the event loop has looked at it since. `unread`: the other side has
    gone without reading the last it was sent. `refused`: the service has said that it did not look at the request. `shared`: the
    connection carries others beside this one.
    """

    shared = False

    __slots__ = (
        "_body",
        "_context",
        "_early",
        "_eye",
        "_held",
        "_keep",
        "_known",
        "_remembered",
        "client",
        "full",
        "last",
        "looked",
        "plain",
        "refused",
        "shelf",
        "since",
        "target",
        "touched",
        "transport",
        "turn",
        "unread",
    )
    shelf: Shelf
    transport: asyncio.Transport

    def __init__(self, context: Context, target: Target) -> None:
        self.target = target
        self.client: Exchange | None = None
        self.last: Exchange | None = None
        self.plain = self.looked = False
        self.turn = 0
        self.since = 0.0
        self.touched = False
        self.unread = self.refused = False
        self.full = False
        self._context = context
        self._body: Body | None = None
        self._held = b""
        self._keep = self._early = False
        self._known, self._remembered = b"\n", NO_REPLY  # no head begins like this

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment] # asyncio says BaseTransport for every kind
        self.plain = transport.get_extra_info("sslcontext") is None
        self._eye = select.poll()  # kept, because to make one for each request is half of its cost
        self._eye.register(transport.get_extra_info("socket").fileno(), select.POLLIN)
        self._context.pool.add(self)

    def carry(self, client: Exchange) -> None:
        """Takes on the request of `client`, which is written before the event loop goes on.

        Where the loop was trusted to have looked (`looked`), what it found then and has not told yet it tells within this turn, in
        which no answer can come: so those bytes are none, and the request goes elsewhere.
        """
        self.client = self.last = client
        self.touched = False
        self._keep = True
        self._early = self.looked
        if self.looked:
            self.turn = self._context.this_turn()

    def data_received(self, data: bytes) -> None:
        client = self.client
        if client is None or client.transport.is_closing():
            # Nobody asked, or nobody is there any more: it must not become the answer to the next request.
            if client is None and not self.transport.is_closing() and not data.startswith(GOODBYE):
                self._context.pool.distrust(self.target)
            self.transport.abort()
            return
        if self._early:
            self._early = False
            if self.turn == self._context.turn:
                self._disown(client, data)
                return
        self.touched = True
        try:
            if self._body is None:
                if not (data.startswith(self._known) and self._pass_whole(client, data)):
                    self._read_head(client, data)
            else:
                self._relay(client, self._body, data)
        except Exception:  # the edge of a connection: whatever it was, the client is told
            log.exception("response failed", target=str(self.target))
            self.leave()
            client.crash()

    def _disown(self, client: Exchange, data: bytes) -> None:
        """These bytes were here before the request left: they are no answer to it."""
        if not data.startswith(GOODBYE):
            self._context.pool.distrust(self.target)
        self.client = None
        self.transport.abort()
        client.lost(self, None)

    def _pass_whole(self, client: Exchange, data: bytes) -> bool:
        """Passes on a whole response, in one piece, whose head is the one remembered; False when `data` is anything else.

        Safe without a search for the end of the head: `_known` ends with its own first empty line, so data that begins with it
        has the same head; nothing of an earlier piece is held, for that would be no beginning.
        """
        reply, known, plain = self._remembered, self._known, client.plain
        if self._held or len(data) - len(known) != reply.length or not (plain or client.parting):
            return False
        whole = (reply.ready if plain else reply.parting) + data[len(known) :]
        client.sent += len(whole)
        client.transport.write(whole)
        self.client = None
        if client.paused:
            self.transport.resume_reading()  # the next client must not inherit the slowness of this one
        self._context.pool.put(self)
        if plain:
            client.answered(self, reply.status)
        else:
            client.begin(reply.status, keep=False)
            client.finish()
        return True

    def _read_head(self, client: Exchange, data: bytes) -> None:
        if self._held:
            data, self._held = self._held + data, b""
        while True:
            end = data.find(b"\r\n\r\n") + 4
            if end == 3:
                self._hold(client, data)
                return
            reply = self._reply(client, data[:end])
            if reply is None:
                return
            if reply.status >= 200:
                self._answer(client, reply, data, end)
                return
            data = data[end:]
            self._keep = self._keep and reply.keep
            if reply.status == 101:
                self._switch(client, reply, data)
                return
            client.interim(reply)
            if not data:
                return

    def _hold(self, client: Exchange, data: bytes) -> None:
        if len(data) > self._context.limits.reply_head:
            self._refuse(client, "its head is too long")
        else:
            self._held = data

    def _reply(self, client: Exchange, head: bytes) -> Reply | None:
        """What a head means, remembered or read."""
        reply = self._context.replies.get(head)
        if reply is None:
            try:
                reply = read_reply(head)
            except ReplyRefused as refused:
                self._refuse(client, str(refused))
                return None
            self._context.replies.put(head, len(head), reply)
        return reply

    def _answer(self, client: Exchange, reply: Reply, data: bytes, end: int) -> None:
        if not reply.keep:
            self._keep = False
        plain = client.plain
        if (plain or client.parting) and reply.ready and reply.length == len(data) - end and not reply.bodiless:
            if self._keep and end <= MOST_REMEMBERED:
                self._known, self._remembered = data[:end], reply
            client.begin(reply.status, keep=plain)
            head = reply.ready if plain else reply.parting
            client.sent += len(head) + len(data) - end
            client.transport.write(head + data[end:])
            self._finish(client, b"")
        else:
            self._begin(client, reply, data[end:])

    def _begin(self, client: Exchange, reply: Reply, rest: bytes) -> None:
        """The longer way: framing as the client's version needs it."""
        self._context.pool.settle(self)
        old = client.minor == b"0"
        body = self._frame(client, reply, old=old)
        keep = client.may_keep() and not (old and isinstance(body, Chunked | UntilClose))
        lines = [reply.head]
        if not reply.dated:
            lines.append(self._context.date)
        if not old and not reply.bodiless and (reply.chunked or isinstance(body, UntilClose)):
            lines.append(b"Transfer-Encoding: chunked\r\n")
        if not keep:
            lines.append(b"Connection: close\r\n")
        elif old:
            lines.append(b"Connection: keep-alive\r\n")
        lines.append(b"\r\n")
        head = b"".join(lines)
        client.begin(reply.status, keep=keep)
        client.follows = reply.events
        self._body = body
        if body is not None and rest and not body.done:
            self._relay(client, body, rest, head)
            return
        client.sent += len(head)
        client.transport.write(head)
        if body is None or body.done:
            self._finish(client, rest)

    def _frame(self, client: Exchange, reply: Reply, *, old: bool) -> Body | None:
        if reply.bodiless:
            return None
        if client.method == b"HEAD":
            if reply.length != 0:
                self._keep = (
                    False  # a service that takes HEAD for GET sends the body too, after we have stopped reading
                )
            return None
        if reply.chunked:
            return Chunked(payload_only=old)
        if reply.length is not None:
            return Sized(reply.length)
        self._keep = False
        return UntilClose(chunk=not old)

    def _relay(self, client: Exchange, body: Body, data: bytes, head: bytes = b"") -> None:
        """Passes a piece of the body on, behind a `head` that is still to be written: one write is one system call."""
        try:
            out, rest = body.feed(data)
        except FramingRefused:
            client.transport.write(head)
            self._cut(client)
            return
        if head:
            out = head + out
        if out:
            client.sent += len(out)
            client.transport.write(out)
        if body.done:
            self._finish(client, rest)

    def _finish(self, client: Exchange, rest: bytes) -> None:
        """The response is complete. Bytes after its end make the connection useless, and are never shown to anybody."""
        self.client = self._body = None
        if rest:
            self._context.pool.distrust(self.target)
        if self._keep and not rest and client.sent_whole():
            if client.paused:
                self.transport.resume_reading()  # the next client must not inherit the slowness of this one
            self._context.pool.put(self)
        else:
            self.transport.abort()
        client.finish()

    def _switch(self, client: Exchange, reply: Reply, rest: bytes) -> None:
        """101: from here on both sides speak another protocol."""
        wrong = disagreement(client.meaning, reply)
        if wrong:
            self._refuse(client, wrong)
            return
        self.client = None
        self._context.pool.drop(self)
        join(self._context, client, self, reply, rest)

    def _refuse(self, client: Exchange, reason: str) -> None:
        self.client = None
        self.transport.abort()
        client.bad_reply(self.target, reason)

    def _cut(self, client: Exchange) -> None:
        """The response breaks off: the client must be able to see that."""
        self.client = None
        self.transport.abort()
        client.truncate()

    def leave(self) -> None:
        """The client is gone or will not have the rest: so does the request."""
        self.client = None
        self.transport.abort()

    def readable(self) -> bool:
        """Looks past the event loop: the service's FIN, or bytes that nobody asked for, may be in the kernel already."""
        return bool(self._eye.poll(0))

    def pause_writing(self) -> None:
        self.full = True
        if self.client is not None:
            self.client.steer()

    def resume_writing(self) -> None:
        self.full = False
        if self.client is not None:
            self.client.steer()

    def eof_received(self) -> None:
        client = self.client
        self.unread = was_reset(self.transport.get_extra_info("socket"))
        if client is not None and isinstance(self._body, UntilClose):
            end = self._body.end()
            if end:
                client.transport.write(end)
            self._finish(client, b"")

    def _read_last(self) -> None:
        """Reads what the kernel still has when writing fails: a service that answers early and closes resets the connection."""
        if self.transport.get_extra_info("sslcontext") is not None:
            return
        self._keep = False
        descriptor = self.transport.get_extra_info("socket").fileno()
        with suppress(OSError):
            while self.client is not None and (data := os.read(descriptor, MOST_READ)):
                self.data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None and self.client is not None:
            self.unread = isinstance(exc, ConnectionError)
            self._read_last()
        client, self.client = self.client, None
        self._context.pool.drop(self)
        if client is None:
            return
        if self._body is not None:
            client.truncate()
        else:
            client.lost(self, exc)
