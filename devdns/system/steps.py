"""The steps that `devdns system` knows, and a plan of them. Values only: what they do is in `machine.py`."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from msgspec import Struct

from devdns.core.errors import DevdnsError
from devdns.system.journal import State

User = tuple[int, int]
INSTALLED = "installed.json"
#: Every file that a plan of ours may write, besides `INSTALLED` in the state folder: a journal lies in a folder of the user's,
#: and what it says of other files is not believed.
PLACES = tuple(
    re.compile(pattern)
    for pattern in (
        r"/etc/systemd/resolved\.conf\.d/zz-devdns\.conf",
        r"/etc/NetworkManager/dnsmasq\.d/devdns\.conf",
        r"/etc/dnsmasq\.d/devdns\.conf",
        r"/etc/unbound/unbound\.conf\.d/devdns\.conf",
        r"/etc/resolv\.conf",
        r"/etc/hosts",
        r"/etc/resolver/[a-z0-9.-]+",
        r"/etc/sysctl\.d/50-devdns\.conf",
        r"/etc/systemd/system/devdns[a-z-]*\.(socket|service)",
        r"/Library/Launch(Daemons|Agents)/devdns\.plist",
    )
)
PLACES_AT_HOME = (
    re.compile(r".*/\.config/systemd/user/devdns[a-z-]*\.(socket|service)"),
    re.compile(r".*/Library/LaunchAgents/devdns\.plist"),
)
PLACES_OF_ROOT = tuple(re.compile(rf"/(?:var/)?root{each.pattern.removeprefix('.*')}") for each in PLACES_AT_HOME)
PORT = re.compile(rb"[0-9]{1,5}")
SETTINGS = ("net/ipv4/ip_unprivileged_port_start",)
UNIT = re.compile(r"devdns[a-z-]*\.(socket|service)")
NAME = re.compile(r"[A-Za-z0-9_.-]*\$?")


class Write(Struct, frozen=True, tag="write", omit_defaults=True):
    """A whole file with this text, for everybody to read. `tells` names the program that has to read it again.

    With `user` (uid, gid) the file is in that user's home, and made with that user's rights alone.
    """

    path: str
    text: str
    tells: str = ""
    user: User | None = None

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
        return self.path


class Setting(Struct, frozen=True, tag="setting"):
    """A value of the running kernel, by its path below /proc/sys."""

    path: str
    value: str

    @property
    def key(self) -> str:
        return self.path


class Enable(Struct, frozen=True, tag="enable", omit_defaults=True):
    """Units of systemd that are started now and at each start; with `user`, a name, at each login of that user."""

    units: tuple[str, ...]
    user: str = ""

    @property
    def key(self) -> str:
        return " ".join(self.units)


class Load(Struct, frozen=True, tag="load"):
    """A job of launchd that is loaded now; what is in its folder is loaded at each start or login."""

    plist: str

    @property
    def key(self) -> str:
        return f"launchd {self.plist}"


Step = Write | Block | Setting | Enable | Load


class Plan(Struct, frozen=True):
    """Steps in their order, and what a person should know of them."""

    steps: tuple[Step, ...] = ()
    notes: tuple[str, ...] = ()

    def __add__(self, other: Plan) -> Plan:
        return Plan(self.steps + other.steps, self.notes + other.notes)


def needs_root(step: Step) -> bool:
    """What is in the user's own home, or is started at the user's login, needs none."""
    match step:
        case Write(user=user):
            return user is None
        case Enable(user=name):
            return not name
        case Load(plist=plist):
            return plist.startswith("/Library/LaunchDaemons/")
    return True


def is_ours(step: Step) -> bool:
    """Whether the step writes a file of the machine's that is devdns's alone by its name."""
    return isinstance(step, Write) and step.user is None and "devdns" in PurePosixPath(step.path).name


def refuse_strange(step: Step, before: State, state_dir: str, owner: User) -> None:
    """Raises `DevdnsError` for an entry that no plan of ours makes: somebody else wrote the journal, as its `owner` can.

    Of a file that is ours nothing was there before, so that neither a text nor a link of the journal can get into one that root
    reads. What root does as a user, it does as the owner; and nothing that it brings back is the owner's to change.
    """
    match step:
        case Write(path=path, user=user):
            known = _is_place(path, user, before, state_dir, owner)
        case Block(path=path):
            known = path == "/etc/hosts"
        case Setting(path=path):
            known = path in SETTINGS and PORT.fullmatch(before.content or b"0") is not None
        case Enable(units=units, user=name):
            known = all(map(UNIT.fullmatch, units)) and NAME.fullmatch(name) is not None
        case Load(plist=path):
            known = any(each.fullmatch(path) for each in (*PLACES, *PLACES_AT_HOME))
    if not known or ".." in step.key:
        raise DevdnsError(f"the journal names {step.key!r}, which devdns never changes", "remove the journal")


def _is_place(path: str, user: User | None, before: State, state_dir: str, owner: User) -> bool:
    if any(not path.startswith(f"{folder}/") for folder in before.folders):
        return False
    nothing = not (before.digest or before.link or before.content)
    if user is None:
        ours = "devdns" in PurePosixPath(path).name
        return any(each.fullmatch(path) for each in PLACES) and (nothing or not (ours or _is_open(before, owner)))
    if path == str(PurePosixPath(state_dir, INSTALLED)):
        return nothing and _may_act(user, owner)
    if user[0] == 0 and owner[0]:
        return nothing and any(each.fullmatch(path) for each in PLACES_OF_ROOT)
    return _may_act(user, owner) and any(each.fullmatch(path) for each in PLACES_AT_HOME)


def _may_act(user: User, owner: User) -> bool:
    """Root itself may be named, too: then it had the folder before its owner."""
    return user in (owner, (0, 0)) or owner[0] == 0


def _is_open(before: State, owner: User) -> bool:
    """Whether what was there could be changed by the owner of the journal, who is not root, or by everybody."""
    return owner[0] != 0 and bool(before.owner[0] == owner[0] or (not before.link and before.mode & 0o022))
