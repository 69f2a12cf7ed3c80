"""The hands for the steps of `devdns system`: files, the hosts file, kernel settings, systemd and launchd."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from devdns.core.errors import DevdnsError
from devdns.system import files, hosts, hosts_file
from devdns.system.journal import State, digest
from devdns.system.steps import Block, Enable, Load, Setting, Step, Write

#: The program that has to read its files again, and the command that makes it, where it runs under systemd.
RELOADS = {
    "systemd": ("systemctl", "daemon-reload"),
    "systemd-resolved": ("systemctl", "restart", "systemd-resolved"),
    "NetworkManager": ("nmcli", "general", "reload", "dns-full"),
    "dnsmasq": ("systemctl", "restart", "dnsmasq"),
    "unbound": ("systemctl", "restart", "unbound"),
}
BOOTED = Path("/run/systemd/system")
SYSCTL = Path("/proc/sys")
BOUND = 60.0
THERE = digest(b"there")


class Machine:
    """Looks, applies and undoes; `tell` hears what a person has to do where we cannot."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell

    def look(self, step: Step) -> State:
        """What is at the step's place now."""
        match step:
            case Write(path=path, user=user):
                with files.acting(user):
                    return files.look(Path(path))
            case Block(path=path, owner=owner):
                return State(THERE) if hosts.has_block(_read(path), owner) else State()
            case Setting(path=path):
                content = _read(str(SYSCTL / path)).strip()
                return State(digest(content), content)
            case Enable():
                return State(THERE) if _is_enabled(step) else State()
            case Load(plist=plist):
                return State(THERE) if _ran("launchctl", "list", Path(plist).stem) else State()

    def aim(self, step: Step) -> str:
        """The digest of what will be there."""
        match step:
            case Write(text=text) | Setting(value=text):
                return digest(text.encode())
        return THERE

    def apply(self, step: Step, before: State) -> None:
        """Raises `DevdnsError` naming what could not be done; what was there is then as it was."""
        with _named(step):
            match step:
                case Write(path=path, text=text, tells=tells, user=user):
                    with files.acting(user):
                        files.write(Path(path), text.encode(), before)
                    self._reload(tells)
                case Block(path=path, owner=owner, names=names):
                    hosts_file.change(Path(path), partial(hosts.with_block, owner=owner, names=names))
                case Setting(path=path, value=value):
                    (SYSCTL / path).write_text(value)
                case Enable(units=units):
                    self._systemctl(step, "daemon-reload")
                    self._systemctl(step, "enable", "--now", *units)
                case Load(plist=plist):
                    self._must("launchctl", "load", "-w", plist)

    def undo(self, step: Step, before: State) -> None:
        """Brings back what was before; raises `DevdnsError` when that cannot be."""
        with _named(step):
            match step:
                case Write(path=path, tells=tells, user=user):
                    with files.acting(user):
                        files.restore(Path(path), before)
                    self._reload(tells)
                case Block(path=path, owner=owner):
                    hosts_file.change(Path(path), partial(hosts.without_block, owner=owner))
                case Setting(path=path):
                    (SYSCTL / path).write_bytes(before.content)
                case Enable(units=units) if not before.digest:
                    self._systemctl(step, "disable", "--now", *units)
                case Load(plist=plist) if not before.digest:
                    self._must("launchctl", "unload", "-w", plist)

    def differ(self, step: Step, now: State) -> str:
        """How what is there differs from what the step made, as a unified diff."""
        match step:
            case Write(text=text) | Setting(value=text):
                return files.difference(text.encode(), now, step.key)
        return f"{step.key}: somebody else took it out"

    def _reload(self, program: str) -> None:
        """A program that cannot be told is told of: its files are right all the same."""
        if not program:
            return
        command = RELOADS[program]
        if BOOTED.is_dir() and _ran(*command):
            self._tell(f"told     {program} to read its settings again")
        else:
            self._tell(
                f"by hand  make {program} read its settings again (restart it): {' '.join(command)} does not work here"
            )

    def _systemctl(self, step: Enable, *words: str) -> None:
        self._must("systemctl", *_whose(step), *words)

    def _must(self, *command: str) -> None:
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=BOUND, check=False)  # noqa: S603 - no shell; the words are ours
        except (OSError, subprocess.TimeoutExpired) as error:
            raise DevdnsError(f"{' '.join(command)} failed: {error}") from None
        if done.returncode:
            why = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
            raise DevdnsError(f"{' '.join(command)} failed: {why[:500]}")


@contextmanager
def _named(step: Step) -> Iterator[None]:
    """Translates what the system refuses into a line that names the step."""
    try:
        yield
    except OSError as error:
        raise DevdnsError(f"{step.key!r} cannot be changed: {error.strerror or error}") from None


def _whose(step: Enable) -> Sequence[str]:
    """Root speaks to the user's own systemd by name."""
    if not step.user:
        return ()
    return ("--user", f"--machine={step.user}@.host") if os.geteuid() == 0 else ("--user",)


def _is_enabled(step: Enable) -> bool:
    return _ran("systemctl", *_whose(step), "--quiet", "is-enabled", *step.units)


def _ran(*command: str) -> bool:
    try:
        done = subprocess.run(command, capture_output=True, timeout=BOUND, check=False)  # noqa: S603 - no shell; the words are ours
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise DevdnsError(f"{path!r} cannot be read: {error.strerror}") from None
