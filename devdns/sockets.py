"""Every listening socket of a stack: those of the plan, on bridges, of raw TCP names, and control's own. Standard library only.

The supervisor keeps them all and each part is given its own; a part that dies leaves them open.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from devdns.bridges import Bridge
from devdns.doors import Doors, Named, role_of
from devdns.listeners import Address, Listeners, Wanted, open_listeners
from devdns.raw_doors import RawDoors

ROLES = {"resolver": ("dns",), "proxy": ("http", "https")}  # whose sockets a part is given


class Sockets:
    """What is open. `notes` is what a person should know of what could not be had; whoever says it clears it."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.control: list[Named] = []
        self._listeners = Listeners()
        self._doors = Doors({})
        self._raw = RawDoors({})

    def open(self, wanted: Iterable[Wanted], handed: Iterable[Named]) -> None:
        """Binds what was not handed over already; raises `UsageRefused` for what cannot be had."""
        self._listeners = open_listeners(wanted, handed)
        self._doors = Doors(self.bound)
        self._raw = RawDoors(self.bound)
        self.notes += self._listeners.told()

    @property
    def bound(self) -> dict[str, list[Address]]:
        """The addresses of the plan's listeners, by role."""
        return self._listeners.addresses

    def addresses(self) -> dict[str, list[Address]]:
        """All addresses by role, those on bridges too."""
        return {role: [*each, *self._doors.addresses(role)] for role, each in self.bound.items()}

    def resolver(self) -> list[Named]:
        return [each for each in self._listeners.sockets if each[0].startswith("dns")]

    def proxies(self, count: int) -> list[list[Named]]:
        """What each of `count` proxies is given."""
        return self._listeners.spread(ROLES["proxy"], count)

    def later(self, part: str) -> list[Named]:
        """What came after the start and is this part's."""
        return [*self._doors.named(*ROLES.get(part, ())), *(self._raw.sockets() if part == "proxy" else ())]

    def on_bridges(self, found: Iterable[Bridge]) -> tuple[list[Named], list[str]]:
        """Opens and closes listeners as bridges came and went: the new sockets, and the places that are closed."""
        changed = self._doors.reconcile(found)
        self.notes += self._doors.notes
        self._doors.notes.clear()
        return changed

    def raw(self, wanted: Iterable[Address]) -> tuple[list[Named], list[str]]:
        """The same for the doors of raw TCP names."""
        return self._raw.reconcile(wanted)

    def raw_told(self) -> dict[str, list[list[Any]]]:
        """What control is told of the doors of raw TCP names."""
        return self._raw.told()

    def close_to_traffic(self) -> None:
        """From now on whoever connects to a name is refused; names still resolve."""
        self._doors.close()
        self._raw.close()
        for sock in self._listeners.named(*ROLES["proxy"]):
            sock.close()

    def close(self) -> None:
        self._listeners.close()
        for _, sock in self.control:
            sock.close()


def theirs(part: str, opened: Iterable[Named]) -> list[Named]:
    """Which of these a part is given."""
    return [each for each in opened if role_of(each) in ROLES.get(part, ())]
