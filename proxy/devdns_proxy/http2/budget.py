"""What an HTTP/2 client may ask for without having work done: frames that are cheap to send and not to answer.

Each costs something, and what it costs is forgiven with time. So PING, SETTINGS, PRIORITY, empty DATA, small windows and requests that
are taken back at once (CVE-2023-44487) are bounded by one figure each, and who keeps to the use they are meant for never comes near.
"""

from __future__ import annotations

#: What may be owed at most, and what is forgiven per second.
MOST = 2_000.0
FORGIVEN = 1_000.0
#: What a client that is sent much may have saved up: it tells of what it has read in frames of its own.
SAVED = 20_000.0
FRAME_COST = 1.0
#: A request that is taken back has cost a connection to a service and its request.
RESET_COST = 5.0


class Budget:
    """What one connection owes."""

    __slots__ = ("_owed", "_since")

    def __init__(self, now: float) -> None:
        self._owed = 0.0
        self._since = now

    def spend(self, cost: float, now: float) -> bool:
        """False when that is too much."""
        if now > self._since:
            self._owed = min(self._owed, max(0.0, self._owed - FORGIVEN * (now - self._since)))
            self._since = now
        self._owed += cost
        return self._owed <= MOST

    def earn(self, cost: float) -> None:
        """Something was sent that has an answer of the client's."""
        self._owed = max(-SAVED, self._owed - cost)
