"""What an Engine's event says: which container it is about, what happened, and whether it takes the service down. Pure.

Docker and Podman differ in a word here and there. An event that changes nothing of what we keep is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from devdns.core.written import clipped
from devdns.providers.docker_container import WORD

#: Events of a container that change nothing of it that we keep; health checks make exec_* all the time.
IDLE = ("exec_", "attach", "detach", "top", "resize", "export", "archive-path", "extract-to-dir", "commit", "create")
#: Events after which a service that was down may be up.
HOPEFUL = ("start", "restart", "unpause", "health_status", "network connect")
#: Signals that end a service, unless it ignores them: HUP, USR1 and the like are its own business.
ENDING = {"2": "SIGINT", "3": "SIGQUIT", "9": "SIGKILL", "15": "SIGTERM"}


class Event(Struct, frozen=True):
    """One event of a container. `downfall` says in words that its service goes down with it; empty when it does not.

    A `doubtful` one is a signal: the engine says that it runs for a while yet, and the service may ignore it for good.
    """

    id: str
    action: str
    downfall: str = ""
    doubtful: bool = False

    @property
    def removed(self) -> bool:
        """The container is gone for good (Podman says `remove`)."""
        return self.action in {"destroy", "remove"}

    @property
    def hopeful(self) -> bool:
        """A service that was down may be up."""
        return self.action.startswith(HOPEFUL)


def parse_event(event: Mapping[str, Any]) -> Event | None:
    """The event as it concerns us, None when it does not."""
    action = str(event.get("Action") or event.get("status") or "")
    actor = event.get("Actor") or {}
    said = actor.get("Attributes") or {}
    if event.get("Type") == "network":
        name = str(said.get("container") or "")
        return Event(name, f"network {action}") if name else None
    name = str(actor.get("ID") or event.get("id") or "")
    if not name or action.startswith(IDLE):
        return None
    if action == "kill":
        return _kill(name, said)
    return Event(name, action, _downfall(action, said))


def _kill(name: str, said: Mapping[str, Any]) -> Event | None:
    """A signal that ends most services, or none of our business."""
    signal = ENDING.get(str(said.get("signal") or ""))
    what = f"container {shown(said.get('name'))} is being stopped"
    return Event(name, f"kill ({signal})", what, doubtful=True) if signal else None


def _downfall(action: str, said: Mapping[str, Any]) -> str:
    name = shown(said.get("name"))
    if action in ("die", "died"):
        code = str(said.get("exitCode") or said.get("containerExitCode") or "")
        return stopped(name, code if code.isascii() and code.isdigit() else "")
    if action == "pause":
        return paused(name)
    return f"container {name} was removed" if action in ("destroy", "remove") else ""


def stopped(name: str, code: object) -> str:
    """Why a container that ended is down."""
    return f"container {name} stopped" + (f" (exit code {code})" if code != "" else "")


def paused(name: str) -> str:
    """Why a container that is paused is down, with the mend."""
    return f"container {name} is paused: docker unpause {name}"


def shown(name: object) -> str:
    """A container's name as a piece of a line."""
    text = str(name or "")
    return text if WORD.fullmatch(text) else clipped(repr(text))
