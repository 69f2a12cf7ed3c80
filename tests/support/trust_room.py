"""A machine for trust stores: this one, with private copies of what they are made of, and a network with nobody else on it.

Nothing in it reaches the real stores: they are covered by copies in a mount namespace, and homes are folders of the test. The
store is as its own program makes it, with few CAs (it runs programs for each) and without hooks: Java's store has the time of its
writing in it.
"""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

from devdns.control.signing.authority import Authority
from devdns.state_folder import LOCK
from support.cli import Ran
from support.cli import run as run_command
from support.parts import need, need_root

PRIVATE = ("/etc", "/usr/local/share")
STORES = ("/etc/ssl", "/usr/local/share/ca-certificates", "/etc/ca-certificates")
BOUND = 60.0
TESTS = Path(__file__).parents[1]  # what a program inside finds `support` by
#: Names and addresses of others, which lead to this machine inside: nobody real is asked.
FOREIGN_ADDRESS = "8.8.8.8"
HOSTS = "127.0.0.1 localhost app.dev.test other.dev.test sealed.dev.test example.com\n"
SETUP = """
set -e
mount --make-rprivate /
for place in {private}; do
    mkdir -p {copies}$place
    cp -a $place/. {copies}$place/
    mount --bind {copies}$place $place
done
cat >/etc/hosts <<END
{hosts}END
cat >/etc/passwd <<END
root:x:0:0::/root:/bin/sh
END
rm -rf /etc/ca-certificates/update.d/*
grep -v '^[#!]' /etc/ca-certificates.conf | head -n 5 >/etc/few
mv /etc/few /etc/ca-certificates.conf
rm -rf /etc/ssl/certs/*
update-ca-certificates >/dev/null 2>&1
ip link set lo up
ip address add {address}/32 dev lo
echo up
exec cat
"""


@dataclass
class Room:
    """`prefix` runs a program inside; `home` is that of the user who is at work there."""

    prefix: list[str]
    folder: Path
    home: Path
    state: Path

    def devdns(self, *arguments: str, **environ: str) -> Ran:
        """A devdns command, as this user."""
        variables = {"HOME": self.home, **environ}
        return run_command(*arguments, "--state-dir", self.state, prefix=self.prefix, **variables)

    def for_another(self, name: str) -> Room:
        """The same machine for somebody who has nothing yet: a new home, and a CA of their own that nobody trusts."""
        home, state = self.folder / f"home-{name}", self.folder / f"state-{name}"
        home.mkdir()
        write_ca(state)
        return replace(self, home=home, state=state)

    def run(self, *command: str, **more) -> subprocess.CompletedProcess[str]:
        """Any other program."""
        return subprocess.run(
            [*self.prefix, *command], capture_output=True, text=True, timeout=BOUND, check=False, **more
        )

    def stores(self) -> dict[str, str]:
        """Every file and link of the system's stores: its path -> its digest, or where it leads."""
        found = {}
        for store in STORES:
            copy = Path(f"{self.folder}/copies{store}")
            for path in sorted(copy.rglob("*")):
                name = str(path.relative_to(self.folder / "copies"))
                if path.is_symlink():
                    found[name] = f"-> {path.readlink()}"
                elif path.is_file():
                    found[name] = f"{path.stat().st_mode:o} {sha256(path.read_bytes()).hexdigest()}"
        return found


@contextlib.contextmanager
def room(folder: Path) -> Iterator[Room]:
    """A machine of its own below `folder`, with nothing in its home and no state folder yet."""
    need("unshare", "nsenter", "ip", "mount", "update-ca-certificates")
    need_root("mount and network namespaces")
    home, state = folder / "home", folder / "state"
    for each in (folder / "copies", home):
        each.mkdir()
    copies, private = folder / "copies", " ".join(PRIVATE)
    setup = SETUP.format(private=private, copies=copies, hosts=HOSTS, address=FOREIGN_ADDRESS)
    enter = ["unshare", "--mount", "--net", "sh", "-c", setup]
    with subprocess.Popen(enter, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"up\n"
        yield Room(
            ["nsenter", f"--mount=/proc/{holder.pid}/ns/mnt", f"--net=/proc/{holder.pid}/ns/net"], folder, home, state
        )


def write_ca(state: Path, zones: tuple[str, ...] = ("dev.test",)) -> Authority:
    """A new CA in a state folder, as devdns would have made it."""
    authority = Authority.new(zones, time.time())
    state.mkdir(0o700)
    (state / LOCK).touch()
    (state / "ca.pem").write_bytes(authority.pem())
    (state / "ca.key").write_bytes(authority.key_pem())
    (state / "ca.key").chmod(0o600)
    return authority
