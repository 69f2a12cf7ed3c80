"""Containers of an engine of our own, made by the docker library: what runs in them, and where it is. They run busybox."""

import io
import secrets
import shutil
import tarfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import docker
import requests
from docker.models.containers import Container

IMAGE = "devdns-test:busybox"
SERVE = "mkdir -p /www && echo {nonce} > /www/index.html && exec httpd -f -p {port} -h /www"


class Containers:
    """`url` is what DOCKER_HOST would say; `client` is the docker library on it."""

    def __init__(self, folder: Path, socket: Path) -> None:
        self.folder = folder
        self.socket = socket
        self.url = f"unix://{socket}"
        self._client: docker.DockerClient | None = None

    @property
    def client(self) -> docker.DockerClient:
        if self._client is None:
            self._client = docker.DockerClient(self.url, timeout=30)
        return self._client

    def clear(self) -> None:
        """Removes every container and network that a test left."""
        every = self.client.api.containers(all=True, quiet=True)
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(self._remove, [each["Id"] for each in every]))
        self.client.networks.prune()

    def _remove(self, identity: str) -> None:
        with suppress(docker.errors.NotFound):
            self.client.api.remove_container(identity, force=True)

    def base(self) -> None:
        """The image that containers are of."""
        self.image(IMAGE, {"bin/busybox": Path(shutil.which("busybox") or "")})

    def image(self, tag: str, files: Mapping[str, Path]) -> None:
        """`docker import` of a root that holds `files` (path inside -> file here), busybox's applets linked in /bin."""
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as tar:
            for name, path in files.items():
                tar.add(path.resolve(), name)
            for applet in (
                "sh",
                "httpd",
                "sleep",
                "mkdir",
                "echo",
                "cat",
                "test",
                "nc",
                "wget",
                "hostname",
                "kill",
                "touch",
            ):
                link = tarfile.TarInfo(f"bin/{applet}")
                link.type, link.linkname = tarfile.SYMTYPE, "busybox"
                tar.addfile(link)
            tar.addfile(_folder("tmp"))
        # The tag within the name: Podman 4 does not look at the parameter that is meant for it.
        self.client.api.import_image_from_data(packed.getvalue(), repository=tag)

    def run(
        self,
        name: str | None = None,
        labels: Mapping[str, str] | None = None,
        ports: Mapping[str, Any] | None = None,
        *,
        listen: int = 8000,
        expose: Sequence[int] | None = None,
        command: Sequence[str] | None = None,
        **options: Any,
    ) -> Container:
        """Starts a container: an HTTP server on `listen` that answers `/` with its nonce (see `nonce`), or `command`.

        `expose` are the ports it offers as an image's EXPOSE would (default: the one it listens on); `ports` publishes, in the docker
        library's form ({"8000/tcp": ("127.0.0.1", None)}); `options` are those of its host config (network_mode, restart_policy, ...),
        and network, healthcheck, environment.
        """
        container = self.create(name, labels, ports, listen=listen, expose=expose, command=command, **options)
        container.start()
        container.reload()
        return container

    def create(
        self,
        name: str | None = None,
        labels: Mapping[str, str] | None = None,
        ports: Mapping[str, Any] | None = None,
        *,
        listen: int = 8000,
        expose: Sequence[int] | None = None,
        command: Sequence[str] | None = None,
        image: str = IMAGE,
        **options: Any,
    ) -> Container:
        word = secrets.token_hex(8)
        bindings = {port: [place] if isinstance(place, tuple) else place for port, place in (ports or {}).items()}
        offered = {f"{port}/tcp" for port in (expose if expose is not None else [listen])} | set(bindings)
        own = {key: options.pop(key) for key in ("healthcheck", "environment", "working_dir") if key in options}
        api = self.client.api
        made = api.create_container(
            image,
            list(command) if command else ["sh", "-c", SERVE.format(nonce=word, port=listen)],
            name=name,
            labels={**(labels or {}), "test.nonce": word},
            ports=[tuple(port.split("/")) for port in sorted(offered)],
            stop_signal="SIGKILL",
            host_config=api.create_host_config(
                port_bindings=bindings,
                network_mode=options.pop("network", options.pop("network_mode", "default")),
                **options,
            ),
            **own,
        )
        return self.client.containers.get(made["Id"])

    def network(self, name: str, **options: Any) -> Any:
        return self.client.networks.create(name, driver=options.pop("driver", "bridge"), **options)


def nonce(container: Container) -> str:
    """What this container, and no other, answers."""
    return str(container.labels["test.nonce"])


def address(container: Container, network: str = "bridge") -> str:
    container.reload()
    return str(container.attrs["NetworkSettings"]["Networks"][network]["IPAddress"])


def published(container: Container, port: str = "8000/tcp") -> int:
    container.reload()
    return int(container.ports[port][0]["HostPort"])


def body(host: str, port: int, path: str = "/") -> str:
    """What answers there now; raises OSError when nothing does."""
    return requests.get(f"http://{host}:{port}{path}", timeout=5).text.strip()


def _folder(name: str) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode = tarfile.DIRTYPE, 0o1777
    return entry
