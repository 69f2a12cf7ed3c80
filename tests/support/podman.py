"""A real Podman of our own, asked as a Docker Engine is: its API service, unpacked, with its own folders, bridge and addresses.

It sees a private /etc, /run and /var/lib, and no packet filter: containers are reached at their own addresses. Where it
differs from Docker is what it is here for: no daemon holds the containers, and its events have words of their own.
"""

import ipaddress
import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.debian import unpacked
from support.engine import Engine
from support.parts import need, need_root

PACKAGES = (
    "podman",
    "conmon",
    "containernetworking-plugins",
    "golang-github-containers-common",
    "golang-github-containers-image",
    "libgpgme11",
    "libsubid4",
)
#: What it reads and writes in fixed places is its own; once nobody holds the other end of `cat`, it ends with all it runs.
INSIDE = """
mount --make-rprivate /
cp -a /etc etc
cp -a "$FILES"/etc/containers etc/
mount --bind etc /etc
mount -t tmpfs none /var/cache
echo "$FILES"/usr/lib/*-linux-gnu > /etc/ld.so.conf.d/podman.conf  # conmon starts it with an environment of its own
ldconfig
mount -t tmpfs none /run
mount -t tmpfs none /var/lib
echo up
cat
$PODMAN rm --all --force --time 0
pkill -f -- "$SOCKET" || true
"""
SETTINGS = """
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
compat_api_enforce_docker_hub = false
conmon_path = ["{files}/usr/bin/conmon"]
helper_binaries_dir = ["{files}/usr/lib/podman"]
[network]
network_backend = "cni"
network_config_dir = "{folder}/networks"
cni_plugin_dirs = ["{files}/usr/lib/cni"]
"""


class Podman(Engine):
    """Made and asked as an `Engine` is; its containers outlive its service."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.bridge = f"dvp{os.getpid()}"
        self._files = unpacked(*PACKAGES)
        self._settings = folder / "containers.conf"
        self._program = (
            str(self._files / "usr/bin/podman"),
            f"--root={folder / 'store'}",
            f"--runroot={folder / 'run'}",
        )
        self._environ = {
            **os.environ,
            "CONTAINERS_CONF": str(self._settings),
            "FILES": str(self._files),
            "PODMAN": " ".join(self._program),
            "SOCKET": self.url,
        }

    def up(self) -> None:
        self._settings.write_text(SETTINGS.format(files=self._files, folder=self.folder))
        (self.folder / "networks").mkdir()
        (self.folder / "networks/podman.conflist").write_text(json.dumps(network(self.bridge, self.subnet)))
        self._warden = subprocess.Popen(
            ["unshare", "--mount", "sh", "-ec", INSIDE],
            cwd=self.folder,
            env=self._environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._warden.stdout is not None
        assert self._warden.stdout.readline() == b"up\n"
        self.daemon_start()
        self.base()

    def daemon_start(self) -> None:
        self.socket.unlink(missing_ok=True)
        super().daemon_start()
        self.socket.chmod(0o666)  # as a SocketMode of podman.socket says it

    def _command(self) -> list[str]:
        assert self._warden is not None
        inside = ("nsenter", f"--mount=/proc/{self._warden.pid}/ns/mnt", "env", f"CONTAINERS_CONF={self._settings}")
        return [*inside, *self._program, "system", "service", "--time=0", self.url]


def network(bridge: str, subnet: ipaddress.IPv4Network) -> dict[str, object]:
    """Podman's network of this name: a bridge that the host routes to, and nothing in the packet filter."""
    ranges = [[{"subnet": str(subnet), "gateway": str(subnet[1])}]]
    plugin = {
        "type": "bridge",
        "bridge": bridge,
        "isGateway": True,
        "ipMasq": False,
        "ipam": {"type": "host-local", "routes": [{"dst": "0.0.0.0/0"}], "ranges": ranges},
    }
    return {"cniVersion": "0.4.0", "name": "podman", "plugins": [plugin]}


@pytest.fixture(scope="session")
def _podman() -> Iterator[Podman]:
    need("runc", "busybox", "ip", "unshare", "nsenter", "pkill")
    need_root("a Podman of its own")
    made = Podman(Path(tempfile.mkdtemp(prefix="devdns-podman-")))
    try:
        made.up()
        yield made
    finally:
        made.down()


@pytest.fixture
def podman(_podman: Podman) -> Iterator[Podman]:
    """The session's Podman, empty of containers before and after."""
    _podman.clear()
    yield _podman
    _podman.clear()
