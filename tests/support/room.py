"""A machine of our own for what changes machines: a namespace with a private /etc and /run, a network and a server on it."""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from support.debian import unpacked
from support.parts import need, need_root
from support.stack import Stack, clean_environ, open_folder
from support.waiting import wait_until

SERVER, OUTSIDE, ADDRESS = "192.0.2.53", "www.example.org", "192.0.2.80"
INSIDE = f"""
mount --make-rprivate /
ip link set lo up
ip link add wire type veth peer name far
ip address add 192.0.2.10/24 dev wire
ip address add {SERVER}/24 dev wire
ip link set wire up
ip link set far up
cp -a /etc etc
mount --bind etc /etc
umount /etc/resolv.conf /etc/hosts 2>/dev/null || true
rm -f /etc/resolv.conf
mount -t tmpfs none /run
mkdir -p /run/systemd
chmod 755 /run /run/systemd
echo "127.0.0.1 localhost" > /etc/hosts
echo "hosts: files dns" > /etc/nsswitch.conf
echo "systemd-resolve:x:65533:65533::/:/bin/false" >> /etc/passwd
echo "systemd-resolve:x:65533:" >> /etc/group
echo up
exec cat
"""
BOUND = 60.0
DNSMASQ = ("dnsmasq", "--keep-in-foreground", "--no-hosts", "--bind-interfaces", "--user=root", "--pid-file=")


class Room:
    """Programs run in it by `run`; `etc` is its /etc as seen from outside."""

    def __init__(self, pid: int, folder: Path) -> None:
        self.folder = folder
        self.etc = folder / "etc"
        self.state = folder / "state"
        self.prefix = ["nsenter", f"--mount=/proc/{pid}/ns/mnt", f"--net=/proc/{pid}/ns/net"]

    def run(self, *command: str, bound: float = BOUND, **environ: str) -> subprocess.CompletedProcess[str]:
        environ = clean_environ(DEVDNS_STATE_DIR=str(self.state), **environ)
        return subprocess.run(
            [*self.prefix, *command],
            capture_output=True,
            text=True,
            check=False,
            timeout=bound,
            env=environ,
            cwd=self.folder,
        )

    def devdns(self, *arguments: str, check: int = 0, **environ: str) -> str:
        """What a devdns command prints, on both streams."""
        done = self.run(sys.executable, "-m", "devdns.cli.main", *arguments, **environ)
        assert done.returncode == check, f"{arguments}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    def finds(self, name: str) -> set[str]:
        """The addresses that glibc finds."""
        return {line.split()[0] for line in self.run("getent", "hosts", name).stdout.splitlines()}

    def up(self, *flags: str) -> Stack:
        """devdns, with its resolver where `devdns system install` said."""
        listen = ("--http", "127.0.0.1:8080", "--https", "off")
        return Stack(self.folder, "routes: {api: 5173}\n", *listen, *flags, prefix=self.prefix)

    @contextlib.contextmanager
    def program(self, *command: str, answers: str = OUTSIDE, **environ: str) -> Iterator[None]:
        """A program until the end of the block, once glibc finds the name `answers` through it."""
        log = self.folder / f"{Path(command[0]).name}.log"
        with (
            log.open("ab") as out,
            subprocess.Popen(
                [*self.prefix, *command], stdout=out, stderr=out, env={**os.environ, **environ}
            ) as process,
        ):
            try:
                wait_until(lambda: process.poll() is not None or self.finds(answers), what=f"{command[0]} answering")
                assert process.poll() is None, log.read_text()
                yield
            finally:
                process.terminate()
                process.wait(10)

    def picture(self) -> dict[str, str]:
        """What is in its /etc."""
        return picture(self.etc)


def picture(folder: Path) -> dict[str, str]:
    """Everything in a folder: files with their bytes, links as links, mode and owner."""
    found = {}
    for path in sorted(folder.rglob("*")):
        entry = path.lstat()
        what = os.readlink(path) if path.is_symlink() else _digest(path) if path.is_file() else "folder"  # noqa: PTH115 - as it is written
        found[str(path.relative_to(folder))] = f"{what} {entry.st_mode:o} {entry.st_uid}:{entry.st_gid}"
    return found


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@contextlib.contextmanager
def room() -> Iterator[Room]:
    """The machine, with a server for other names on its network, until the end of the block."""
    need("unshare", "nsenter", "ip", "dnsmasq")
    need_root("namespaces and port 53")
    with open_folder() as folder:
        enter = ["unshare", "--mount", "--net", "sh", "-ec", INSIDE]
        with subprocess.Popen(enter, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
            assert holder.stdout is not None
            assert holder.stdout.readline() == b"up\n"
            made = Room(holder.pid, folder)
            serve = (
                f"--listen-address={SERVER}",
                "--no-resolv",
                f"--host-record={OUTSIDE},{ADDRESS}",
                "--conf-file=/dev/null",
            )
            (made.etc / "resolv.conf").write_text(f"nameserver {SERVER}\n")
            with made.program(*DNSMASQ, *serve):
                yield made
            holder.stdin.close()
            holder.wait(10)


def resolved() -> tuple[list[str], dict[str, str]]:
    """The command of systemd-resolved and its environment; installed, it would take the machine's own port 53."""
    root = unpacked("systemd-resolved", "libsystemd-shared", "libapparmor1", "libip4tc2", "libkmod2")
    libraries = ":".join(sorted({str(path.parent) for path in root.rglob("lib*.so*")}))
    return [str(root / "lib/systemd/systemd-resolved")], {"LD_LIBRARY_PATH": libraries}
