"""What the kernel tells of a process."""

from pathlib import Path

LISTENING = "0A"  # TCP_LISTEN in /proc/net/tcp


def resident(pid: int | str) -> int:
    """The resident memory of a process, bytes."""
    line = next(each for each in Path(f"/proc/{pid}/status").read_text().splitlines() if each.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


def queued(pid: int | str) -> float:
    """Seconds for which the first thread of a process was ready to run and others had the processors (Linux's /proc/PID/schedstat)."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9


def descriptors(pid: int | str) -> int:
    """How many files and sockets a process has open."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def connections(pid: int | str, port: int) -> int:
    """How many connections to its IPv4 `port` a process has accepted and not yet closed."""
    inodes = set()
    for each in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = each.split()
        if fields[1].endswith(f":{port:04X}") and fields[3] != LISTENING:
            inodes.add(f"socket:[{fields[9]}]")
    return sum(str(each.readlink()) in inodes for each in Path(f"/proc/{pid}/fd").iterdir())


def stopped(pid: int | str) -> bool:
    """True once SIGSTOP has taken effect."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
