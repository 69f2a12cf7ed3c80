"""A real Podman of our own, asked as a Docker Engine is: its API service, unpacked, with its own folders and addresses.

It sees a private /etc, /run, /var/cache and /var/lib, and no packet filter. Where it differs from Docker is what it is here
for: no daemon holds the containers, its events have words of their own, and without root nothing leads to their own addresses.
"""

import ipaddress
import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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
    "libslirp0",
    "libsubid4",
    "slirp4netns",
    "uidmap",
)
USER = 20_000 + os.getpid() % 40_000  # who has no rights, and 65,536 more of its kind
DOWN_WITHIN = 20.0
#: What it reads and writes in fixed places is its own; once nobody holds the other end of `cat`, it ends with all it runs.
INSIDE = f"""
mount --make-rprivate /
mount --bind "$UNPACKED" files  # not below /run, of which Podman without root shows its plugins another one
mount -t tmpfs none /run
mkdir -p /run/user/{USER}
chown {USER}:{USER} /run/user/{USER} home
chmod 700 /run/user/{USER}
cp -a /etc etc
cp -a files/etc/containers etc/
mount --bind etc /etc
echo "dvt:x:{USER}:{USER}::$PWD/home:/bin/sh" >> /etc/passwd
echo "dvt:x:{USER}:" >> /etc/group
echo "dvt:200000:65536" | tee /etc/subuid > /etc/subgid
mount -t tmpfs none /var/cache
echo "$PWD"/files/usr/lib/*-linux-gnu > /etc/ld.so.conf.d/podman.conf  # conmon starts it with an environment of its own
ldconfig
mount -t tmpfs none /var/lib
mknod tun c 10 200
chmod 666 tun
test ! -e /dev/net/tun || mount --bind tun /dev/net/tun
echo up
cat
$PODMAN rm --all --force --time 0
pkill -f -- "$PLACE" || true
pkill -U {USER} || true
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
network_cmd_path = "{files}/usr/bin/slirp4netns"
[network]
network_backend = "cni"
cni_plugin_dirs = ["{files}/usr/lib/cni"]
"""


class Podman(Engine):
    """Made and asked as an `Engine` is; its containers outlive its service. `rootless`: only published ports lead to them."""

    def __init__(self, folder: Path, *, rootless: bool = False) -> None:
        super().__init__(folder)
        self.rootless = rootless
        self.bridge = f"dvp{os.getpid()}"
        self.home = folder / "home"
        self.files = folder / "files"
        self.socket = self.home / "podman.sock"
        self.url = f"unix://{self.socket}"
        nobody = ("setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups") if rootless else ()
        self._program = (
            *nobody,
            "env",
            f"CONTAINERS_CONF={folder / 'containers.conf'}",
            f"HOME={self.home}",
            f"XDG_RUNTIME_DIR=/run/user/{USER if rootless else 0}",
            f"PATH={self.files}/usr/bin:{os.environ['PATH']}",
            "podman",
            f"--root={self.home / 'store'}",
            f"--runroot={self.home / 'run'}",
        )

    def up(self) -> None:
        self.folder.chmod(0o711)
        self.home.mkdir(mode=0o711)
        self.files.mkdir()
        networks = self.folder / "networks"
        networks.mkdir()
        (networks / "podman.conflist").write_text(json.dumps(network(self.bridge, self.subnet)))
        own = "" if self.rootless else f'network_config_dir = "{networks}"\n'
        (self.folder / "containers.conf").write_text(SETTINGS.format(files=self.files) + own)
        self._warden = subprocess.Popen(
            ["unshare", "--mount", "sh", "-ec", INSIDE],
            cwd=self.folder,
            env=os.environ
            | {"UNPACKED": str(unpacked(*PACKAGES)), "PODMAN": " ".join(self._program), "PLACE": str(self.home)},
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

    def down(self) -> None:
        if self._warden is not None:
            with suppress(subprocess.TimeoutExpired):
                self._warden.communicate(timeout=DOWN_WITHIN)
        super().down()

    def _command(self) -> list[str]:
        assert self._warden is not None
        inside = ("nsenter", f"--mount=/proc/{self._warden.pid}/ns/mnt")
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


@contextmanager
def _running(*, rootless: bool) -> Iterator[Podman]:
    need("runc", "busybox", "ip", "unshare", "nsenter", "setpriv", "pkill")
    need_root("a Podman of its own")
    made = Podman(Path(tempfile.mkdtemp(prefix="devdns-podman-")), rootless=rootless)
    try:
        made.up()
        yield made
    finally:
        made.down()


@pytest.fixture(scope="session")
def _podman() -> Iterator[Podman]:
    with _running(rootless=False) as made:
        yield made


@pytest.fixture
def podman(_podman: Podman) -> Iterator[Podman]:
    """The session's Podman, empty of containers before and after."""
    _podman.clear()
    yield _podman
    _podman.clear()


@pytest.fixture
def rootless() -> Iterator[Podman]:
    """A Podman that a user without rights has started."""
    with _running(rootless=True) as made:
        yield made
