"""The approaches, as far as a scene needs them: the files a participant edits, and how a service is reached by them.

`wire` writes the files for name -> port; `reach` asks a service as a client of that approach would, and returns what came.
A way never mends anything: what the files say is what is tried.
"""

from __future__ import annotations

import http.client
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

HOST = "127.0.0.1"
ZONE = "dev.test"
SECONDS = 5.0
LINK = re.compile(r"^\s*(?:export\s+)?(?P<name>[A-Z]+)_URL\s*=\s*[\"']?(?P<url>\S+?)[\"']?\s*$", re.MULTILINE)


class Way(Protocol):
    """One approach in one folder. `front` is the port of its own front end, 0 where it has none."""

    folder: Path
    front: int

    def wire(self, ports: Mapping[str, int], clash: tuple[str, int] | None = None) -> None: ...

    def reach(self, name: str) -> str: ...


class Ports:
    """Plain ports: `links.env` holds an address for each service."""

    def __init__(self, folder: Path, front: int = 0) -> None:
        self.folder, self.front = folder, front

    def wire(self, ports: Mapping[str, int], clash: tuple[str, int] | None = None) -> None:
        """Writes the links; with a clash the name leads to that port."""
        wired = dict(ports) | dict([clash] if clash else [])
        lines = [f"{name.upper()}_URL={self._url(name, port)}" for name, port in wired.items()]
        (self.folder / "links.env").write_text(
            "\n".join(["# One line for each service: NAME_URL=http://...", *lines, ""])
        )

    def reach(self, name: str) -> str:
        url = links(self.folder).get(name)
        if url is None:
            return f"no {name.upper()}_URL in links.env"
        parts = urlsplit(url)
        try:
            host, port = parts.hostname or "", parts.port or 80
        except ValueError:
            return f"{url!r} is not an address"
        address = self._address(host)
        return fetch(address, port, parts.netloc) if address else f"{host!r} has no address"

    @staticmethod
    def _url(_: str, port: int) -> str:
        return f"http://{HOST}:{port}"

    def _address(self, host: str) -> str:
        return HOST if host in (HOST, "localhost") else ""


class Hosts(Ports):
    """Names by a hosts file, with their ports in `links.env`."""

    def wire(self, ports: Mapping[str, int], clash: tuple[str, int] | None = None) -> None:
        """Writes both files."""
        super().wire(ports, clash)
        lines = [f"{HOST} {name}.{ZONE}\n" for name in ports]
        (self.folder / "hosts").write_text("# As /etc/hosts: an address, then its names\n" + "".join(lines))

    @staticmethod
    def _url(name: str, port: int) -> str:
        return f"http://{name}.{ZONE}:{port}"

    def _address(self, host: str) -> str:
        for line in read(self.folder / "hosts").splitlines():
            address, *names = line.partition("#")[0].split() or [""]
            if host in names and address.startswith("127."):
                return address
        return ""


class Nginx:
    """A reverse proxy that a person configures: a server block for each name in `nginx.conf`."""

    def __init__(self, folder: Path, front: int = 0) -> None:
        self.folder, self.front = folder, front

    def wire(self, ports: Mapping[str, int], clash: tuple[str, int] | None = None) -> None:
        """Writes the blocks; of two with one name nginx takes the first."""
        wired = [*([clash] if clash else []), *ports.items()]
        part = self.folder / "parts"  # of large requests, which nobody sends here
        blocks = "".join(self._block(name, port) for name, port in wired)
        text = f"""pid {self.folder}/nginx.pid;
error_log {self.folder}/error.log;
daemon off;
events {{}}
http {{
    access_log off;
    client_body_temp_path {part};
    proxy_temp_path {part};
    fastcgi_temp_path {part};
    uwsgi_temp_path {part};
    scgi_temp_path {part};
    server {{ listen {HOST}:{self.front} default_server; return 404 "no such name\\n"; }}
{blocks}}}
"""
        (self.folder / "nginx.conf").write_text(text)

    def _block(self, name: str, port: int) -> str:
        place = f"proxy_pass http://{HOST}:{port};"
        return f"    server {{ listen {HOST}:{self.front}; server_name {name}.{ZONE}; location / {{ {place} }} }}\n"

    def reach(self, name: str) -> str:
        return fetch(HOST, self.front, f"{name}.{ZONE}:{self.front}")


class Devdns:
    """devdns: a watched file, `devdns add`, labels of containers."""

    def __init__(self, folder: Path, front: int = 0) -> None:
        self.folder, self.front = folder, front

    def wire(self, ports: Mapping[str, int], clash: tuple[str, int] | None = None) -> None:  # noqa: ARG002 - the clash is a manual route
        """Writes the routes."""
        lines = [f"  {name}: {port}\n" for name, port in ports.items()]
        (self.folder / "devdns.yml").write_text("routes:" + ("\n" + "".join(lines) if lines else " {}\n"))

    def reach(self, name: str) -> str:
        return fetch(HOST, self.front, f"{name}.{ZONE}:{self.front}")


WAYS: dict[str, type[Ports | Hosts | Nginx | Devdns]] = {
    "devdns": Devdns,
    "ports": Ports,
    "hosts": Hosts,
    "nginx": Nginx,
}


def links(folder: Path) -> dict[str, str]:
    """Service -> address, as `links.env` says; the last line of a name holds, as in a shell."""
    return {match["name"].lower(): match["url"] for match in LINK.finditer(read(folder / "links.env"))}


def read(path: Path) -> str:
    """A file that a participant may have removed or filled with anything."""
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""


def fetch(address: str, port: int, host: str) -> str:
    """The page at an address asked under a name, or in words what came instead; never raises."""
    connection = http.client.HTTPConnection(address, port, timeout=SECONDS)
    try:
        connection.request("GET", "/", headers={"Host": host, "Accept": "text/plain"})
        response = connection.getresponse()
        text = response.read(1 << 16).decode("utf-8", "replace").strip()
    except (OSError, http.client.HTTPException, ValueError) as error:
        return f"no answer from port {port}: {error}"
    finally:
        connection.close()
    return text if response.status == http.client.OK else f"status {response.status}: {text}"
