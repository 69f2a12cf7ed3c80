"""Which connections this machine still has to an address, asked of the kernel (sock_diag(7)): what a relay has not let go of.

docker-proxy reads the end of a container's process in its own time, and takes requests for it until then.
"""

import os
import re
import signal
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

SOCK_DIAG, BY_FAMILY = 4, 20  # NETLINK_SOCK_DIAG, SOCK_DIAG_BY_FAMILY
DUMP = 0x301  # NLM_F_REQUEST, NLM_F_DUMP
ERROR, DONE = 2, 3
CONNECTED = 1 << 1 | 1 << 8  # ESTABLISHED, CLOSE_WAIT
LOCAL = r"\|-- (\S+)\n\s+/32 host LOCAL"


@contextmanager
def halted(port: int) -> Iterator[None]:
    """Meanwhile the docker-proxy of a published port gets no turn, as on a machine that has other things to do."""
    said = b"\0".join((b"-host-port", b"%d" % port, b""))
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit() and said in _line(entry)]
    assert pids, f"no docker-proxy on port {port}"
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def _line(entry: Path) -> bytes:
    try:
        return (entry / "cmdline").read_bytes()
    except OSError:
        return b""


def own_address(pid: int) -> str | None:
    """The first one of the network namespace that a process runs in, loopback left out; None where there is none or it is gone."""
    try:
        trie = Path(f"/proc/{pid}/net/fib_trie").read_text()
    except OSError:
        return None
    return next((each for each in re.findall(LOCAL, trie) if not each.startswith("127.")), None)


def connected(address: str) -> set[int]:
    """The local ports of TCP connections to `address` that this side has not closed, whatever the other side did but a reset."""
    found = set[int]()
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, SOCK_DIAG) as kernel:
        kernel.send(_question(address))
        while True:
            answer = kernel.recv(1 << 16)
            while answer:
                length, kind = struct.unpack_from("IH", answer)
                if kind == DONE:
                    return found
                assert kind != ERROR, struct.unpack_from("i", answer, 16)
                found.add(struct.unpack_from("!H", answer, 20)[0])
                answer = answer[(length + 3) & ~3 :]


def _question(address: str) -> bytes:
    """An inet_diag_req_v2 with one condition on the other side's address, any port."""
    to = struct.pack("BBxxi4s", socket.AF_INET, 32, -1, socket.inet_aton(address))
    condition = struct.pack("BBH", 8, 4 + len(to), 8 + len(to)) + to  # INET_DIAG_BC_D_COND: go on, or jump past the end
    attribute = struct.pack("HH", 4 + len(condition), 1) + condition  # INET_DIAG_REQ_BYTECODE
    request = struct.pack("BBBxI48x", socket.AF_INET, socket.IPPROTO_TCP, 0, CONNECTED) + attribute
    return struct.pack("IHHII", 16 + len(request), BY_FAMILY, DUMP, 1, 0) + request
