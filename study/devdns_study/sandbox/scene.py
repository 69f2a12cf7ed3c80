"""What a scene is, written down: enough to set it up again as it was. Kept in its folder as `.scene.json`."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

from devdns_study.errors import StudyRefused

SERVICES = ("shop", "api", "docs")
CAUSES = ("stopped", "wrong-port", "missing", "failing")
FILE = ".scene.json"


class Service(msgspec.Struct):
    """One service: where it listens, what tells it apart, whether it runs and what it answers."""

    nonce: str
    port: int = 0
    up: bool = True
    status: int = 200


class Scene(msgspec.Struct):
    """`front` is the port of the approach's own front end; `cause` why a name does not answer, where that is asked."""

    approach: str
    task: str
    tag: str
    image: str
    front: int = 0
    cause: str = ""
    services: dict[str, Service] = {}

    def container(self, name: str) -> str:
        """The container of a service."""
        return f"devdns-study-{self.tag}-{name}"

    def ports(self) -> dict[str, int]:
        """Service -> the port it listens on."""
        return {name: service.port for name, service in self.services.items()}


def fresh(approach: str, task: str, salt: str, image: str) -> Scene:
    """A scene that nothing has been started of. The salt makes its nonces and its cause: the same ones, drawn again."""
    services = {name: Service(_drawn(f"{salt}:{approach}:{task}:{name}")[:8]) for name in SERVICES}
    cause = CAUSES[int(_drawn(f"{salt}:{approach}:cause"), 16) % len(CAUSES)]
    return Scene(approach, task, _drawn(f"{salt}:{approach}:{task}")[:10], image, cause=cause, services=services)


def keep(scene: Scene, folder: Path) -> None:
    """Writes it whole or not at all."""
    part = folder / f"{FILE}.part"
    part.write_bytes(msgspec.json.encode(scene))
    part.replace(folder / FILE)


def kept(folder: Path) -> Scene | None:
    """The scene of this folder; None where there is none."""
    try:
        return msgspec.json.decode((folder / FILE).read_bytes(), type=Scene)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise StudyRefused(f"the scene in {str(folder)!r} cannot be read: {error}") from None


def _drawn(salt: str) -> str:
    return hashlib.sha256(salt.encode()).hexdigest()
