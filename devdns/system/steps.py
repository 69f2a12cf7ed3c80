"""The steps that `devdns system` knows, and a plan of them. Values only: what they do is in `hands.py`."""

from __future__ import annotations

from msgspec import Struct

#: What is to be told of a change, and the command that tells it where systemd runs; in words elsewhere.
SERVICES = {
    "systemd": ("systemctl", "daemon-reload"),
    "systemd-resolved": ("systemctl", "restart", "systemd-resolved"),
    "NetworkManager": ("systemctl", "reload", "NetworkManager"),
    "dnsmasq": ("systemctl", "restart", "dnsmasq"),
    "unbound": ("systemctl", "restart", "unbound"),
}


class Write(Struct, frozen=True, tag="write", omit_defaults=True):
    """A whole file with this text, for everybody to read. `tells` is the service of `SERVICES` that has to read it again.

    `user` (uid, gid) owns the file and its new folders where it lies in that user's home.
    """

    path: str
    text: str
    tells: str = ""
    user: tuple[int, int] | None = None

    @property
    def key(self) -> str:
        return self.path


class Block(Struct, frozen=True, tag="block"):
    """A block of names in a hosts file, marked with `owner`; everything outside it is somebody else's."""

    path: str
    owner: str
    names: tuple[str, ...]

    @property
    def key(self) -> str:
        return f"{self.path} (block of {self.owner})"


class Setting(Struct, frozen=True, tag="setting"):
    """A value of the running kernel, by its path below /proc/sys."""

    path: str
    value: str

    @property
    def key(self) -> str:
        return self.path


class Enable(Struct, frozen=True, tag="enable"):
    """Units of systemd that are started now and at each start; with `user` those of that user's login."""

    units: tuple[str, ...]
    user: str = ""

    @property
    def key(self) -> str:
        return f"{'user ' if self.user else ''}units {' '.join(self.units)}"


Step = Write | Block | Setting | Enable


class Plan(Struct, frozen=True):
    """Steps in their order, whether root is needed, and what a person should know of them."""

    steps: tuple[Step, ...] = ()
    notes: tuple[str, ...] = ()
