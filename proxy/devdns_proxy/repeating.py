"""A request that comes again on its connection: the same bytes, under the same table and hello, are not read twice."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from devdns_proxy.answering import BUSY, READY
from devdns_proxy.door import PLAIN, Door
from devdns_proxy.exchange import Exchange

if TYPE_CHECKING:
    from devdns.core.routes import RouteTable
    from devdns_proxy.context import Context


class Repeating(Exchange):
    """Keeps the bytes of the last request (`_again`), once it has come twice, and all of its head for the service but the id (`_stem`).

    `_epoch` and `_table` are what it was read under.
    """

    __slots__ = ("_again", "_epoch", "_stem", "_table")

    def __init__(self, context: Context, door: Door = PLAIN) -> None:
        super().__init__(context, door)
        self._epoch: object = None
        self._again = self._stem = b""
        self._table: RouteTable | None = None

    def _learn(self, data: bytes) -> None:
        """Remembers the request in hand as one that may come again on this connection; it has come twice."""
        route = self._route
        if (
            self.plain
            and self.method == b"GET"
            and route is not None
            and self._upstream is not None
            and self._own_id
            and len(route.targets) == 1
            and route.options.timeout is None
        ):
            self._again, self._table, self._stem = data, self._context.view.table, self._head[: -len(self._own_id) - 2]

    def _repeat(self) -> bool:
        """Takes `data` that equals the last request for the same again; False when anything is not as it was then.

        This is safe because all that was made of those bytes is still here and still holds: what they mean while the epoch
        lasts, the route while the table does. A request in between would have cleared `_again`. Only the request id is new.
        """
        context, upstream = self._context, self._partner
        if (
            upstream is None
            or self._state != READY
            or self.paused
            or self._held
            or self._epoch is not context.epoch
            or self._table is not context.view.table
            or context.hello is not context.view.hello
            or context.view.faults
            or context.draining
            or not context.pool.retake(upstream, self)
        ):
            return False
        self._since = monotonic()
        self._state, self._begun, self._retries, self._partner = BUSY, 0, 0, None
        self._upstream = upstream
        self.deadline = context.now + context.limits.reply_time
        self._own_id = own_id = context.request_id()
        self._head = head = b"%b%b\r\n" % (self._stem, own_id)
        context.counters.reused += 1
        upstream.carry(self)
        upstream.transport.write(head)
        return True
