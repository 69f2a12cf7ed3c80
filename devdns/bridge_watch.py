"""Which bridges there are, and when to look again: the kernel tells that links changed. Standard library only."""

from __future__ import annotations

import time
from collections.abc import Callable

from devdns import bridges, links

SETTLE = 0.05  # a bridge that comes up changes several times


class BridgeWatch:
    """`socket` turns readable when links change (None where the system has no such thing); `due` is when to look, 0 for never."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.socket = links.changes()
        self.due = 0.0
        self._say = say
        self._bridges: frozenset[bridges.Bridge] = frozenset()

    def stir(self) -> None:
        """Reads what the kernel told; the look is due once it has settled."""
        if self.socket is not None:
            links.drain(self.socket)
            self.due = self.due or time.monotonic() + SETTLE

    def look(self) -> frozenset[bridges.Bridge]:
        """The bridges there are; those there were when the look fails, since nothing that others call their links may stop us."""
        self.due = 0.0
        try:
            self._bridges = bridges.bridges()
        except Exception as error:  # noqa: BLE001 - the edge to whatever a system makes of its links
            self._say(f"the bridges of this machine cannot be looked at: {error!r}")
        return self._bridges

    def close(self) -> None:
        if self.socket is not None:
            self.socket.close()
