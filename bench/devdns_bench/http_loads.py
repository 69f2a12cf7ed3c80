"""What is measured: each mode is a load, the service it needs and what one unit of it is."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from msgspec import Struct

from devdns_bench.http_contenders import Contender
from devdns_bench.http_request import HEADERS

FRESH = """
local n = 0
request = function() n = n + 1; return wrk.format(nil, nil, {["X-Trace"] = tostring(n) .. tostring(wrk.thread)}) end
"""


class Mode(Struct, frozen=True):
    """A load. `tool` is wrk or a load of `http_clients`; `size` the bytes of a body or message; `rate` requests a second.

    `unit` is what the cost is of, `files` that nginx is the service, with one file of `size` bytes. `tls`: to the listeners for TLS; wrk resumes no session.
    """

    name: str
    tool: str = "wrk"
    unit: str = "request"
    size: int = 64
    rate: int = 0
    files: bool = True
    fresh_header: bool = False
    new_connections: bool = False
    tls: bool = False


GIB = 1 << 30
MODES = (
    Mode("plain"),
    Mode("fresh-header", fresh_header=True),
    Mode("new-connections", new_connections=True),
    Mode("https", tls=True),
    Mode("handshakes", tls=True, new_connections=True),
    Mode("body", size=100_000),
    Mode("download", tool="download", unit="MB", size=GIB, files=False),
    Mode("upload", tool="upload", unit="MB", size=GIB, files=False),
    Mode("websocket", tool="echo", unit="message", size=1_024, files=False),
    Mode("paced", tool="paced", rate=5_000),
)


class Reading(Struct, frozen=True):
    """One slice of load: CPU microseconds per unit, units per second, MB by which memory grew at most, p99 in ms (paced)."""

    cost: float
    rate: float
    growth: float
    late: float = 0.0


class Settings(Struct, frozen=True):
    """How long a slice of load lasts (where it is not a body), over how many connections, and on which core."""

    seconds: int
    connections: int
    core: int


def measure(contender: Contender, mode: Mode, settings: Settings, folder: Path) -> Reading:
    """Puts the load of `mode` on `contender`."""
    contender.forget_peak()
    memory, before = contender.memory(), contender.cpu()
    told = _wrk(contender, mode, settings, folder) if mode.tool == "wrk" else _client(contender, mode, settings)
    spent, units = contender.cpu() - before, told["units"]
    growth = contender.memory("VmHWM") - memory
    return Reading(spent / units * 1e6, units / told["seconds"], growth, told.get("late_ms", 0.0))


def _wrk(contender: Contender, mode: Mode, settings: Settings, folder: Path) -> dict[str, float]:
    connection = ("Connection", "close" if mode.new_connections else "keep-alive")
    headers = [part for name, value in (*HEADERS, connection) for part in ("-H", f"{name}: {value}")]
    script = folder / "fresh.lua"
    script.write_text(FRESH)
    command = ["wrk", "-t1", f"-c{settings.connections}", f"-d{settings.seconds}s", *headers]
    command += [*(["-s", str(script)] if mode.fresh_header else []), _url(contender, mode)]
    out = _run(contender, settings.core, command)
    found = re.search(r"(\d+) requests in ", out)
    if not found or "Non-2xx" in out or "Socket errors" in out:
        raise SystemExit(f"{contender.name}: the load did not go through:\n{out}")
    return {"units": float(found[1]), "seconds": settings.seconds}


def _url(contender: Contender, mode: Mode) -> str:
    return f"https://127.0.0.1:{contender.secure}/" if mode.tls else f"http://127.0.0.1:{contender.port}/"


def _client(contender: Contender, mode: Mode, settings: Settings) -> dict[str, float]:
    numbers = (contender.port, settings.connections, settings.seconds, mode.size, mode.rate)
    command = [sys.executable, "-m", "devdns_bench.http_clients", mode.tool, *map(str, numbers)]
    told: dict[str, float] = json.loads(_run(contender, settings.core, command))
    return told


def _run(contender: Contender, core: int, command: list[str]) -> str:
    command = ["taskset", "-c", str(core), *command]
    done = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603 # our own command line
    if done.returncode:
        raise SystemExit(f"{contender.name}: the load did not go through:\n{done.stdout}{done.stderr}")
    return done.stdout
