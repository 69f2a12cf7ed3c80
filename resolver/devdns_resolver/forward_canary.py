"""A question whose true answer is known, asked of the upstreams on each new network to learn whether they tell the truth.

Names below `invalid.` do not exist (RFC 6761 section 6.4). Who gives one an address is a portal that wants a log-in first, or a
provider that sells its visitors' typing errors: as long as that lasts, nothing that it says is kept.
"""

from __future__ import annotations

import os

from devdns_resolver.codes import Type
from devdns_resolver.forward_message import Answer, Found, Key
from devdns_resolver.wirename import Labels

#: Seconds after which a liar is asked again.
AGAIN = 5.0
IN = 1


class Canary:
    """What the upstreams said last: `lying`. `due` is when they are to be asked, by the forwarder's clock; `singing` while they are.

    Nobody is asked before the network in force is known.
    """

    __slots__ = ("_awake", "due", "lying", "singing")

    def __init__(self) -> None:
        self.lying = False
        self.singing = False
        self.due = float("inf")
        self._awake = False

    def wake(self, now: float) -> None:
        """The machine is on a network that is to be tried."""
        self._awake = True
        self.due = now

    def expect(self, now: float) -> None:
        """The upstreams are others: what was found before means nothing."""
        if self._awake:
            self.due = now

    def hear(self, answer: Answer | None, found: tuple[Found, ...], now: float) -> bool:
        """Takes what came, None for nothing; whether the upstreams are others than they seemed."""
        self.singing = False
        lying = self.lying if answer is None else any(each.rtype == Type.A and each.section == 0 for each in found)
        self.due = now + AGAIN if lying or answer is None else float("inf")
        changed, self.lying = lying != self.lying, lying
        return changed


def question() -> tuple[Key, Labels]:
    """A name that nobody has ever asked for, as a key and as labels."""
    name: Labels = (os.urandom(8).hex().encode(), b"invalid")
    wire = b"".join(bytes([len(label)]) + label for label in name) + b"\0"
    return wire + int(Type.A).to_bytes(2, "big") + IN.to_bytes(2, "big") + b"\0", name
