"""What one proxied request costs: our proxy and nginx, interleaved, pinned to one core, the load and the service on another.

`python -m devdns_bench.http_cost [--seconds S] [--repeats N] [--connections C] [--fresh-header] [--new-connections]` prints versions, CPU microseconds per
request (utime + stime from /proc) and requests per second for each contender, and the ratio of the medians.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

from msgspec import Struct

from devdns_bench.ports import free_port

HOST = "api.dev.test"
#: What a browser sends to a development server.
HEADERS = (
    ("Host", HOST),
    ("sec-ch-ua", '"Chromium";v="130", "Not?A_Brand";v="99"'),
    ("sec-ch-ua-mobile", "?0"),
    ("sec-ch-ua-platform", '"Linux"'),
    ("Upgrade-Insecure-Requests", "1"),
    ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36"),
    ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"),
    ("Sec-Fetch-Site", "none"),
    ("Sec-Fetch-Mode", "navigate"),
    ("Sec-Fetch-User", "?1"),
    ("Sec-Fetch-Dest", "document"),
    ("Accept-Encoding", "gzip, deflate, br, zstd"),
    ("Accept-Language", "en-US,en;q=0.9"),
    ("Cookie", "session=0123456789abcdef0123456789abcdef; theme=dark"),
)  # fmt: skip
SERVICE = """
worker_processes 1; pid {folder}/service.pid; error_log {folder}/service.log; daemon off;
events {{ worker_connections 1024; }}
http {{ access_log off; keepalive_requests 1000000000; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{ listen 127.0.0.1:{port}; default_type text/plain; root {folder}/root; location / {{ try_files /body =404; }} }} }}
"""
NGINX = """
worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx.log; daemon off;
events {{ worker_connections 1024; }}
http {{ access_log off; keepalive_requests 1000000000; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  upstream service {{ server 127.0.0.1:{service}; keepalive 64; keepalive_requests 1000000000; }}
  server {{ listen 127.0.0.1:{port}; server_name {host}; location / {{
    proxy_pass http://service; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $http_host;
    proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Host $http_host;
    proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Forwarded-Port $server_port;
    proxy_set_header Forwarded "for=$remote_addr;host=\\"$http_host\\";proto=$scheme";
    proxy_set_header X-Request-ID $request_id; }} }} }}
"""
FRESH = """
local n = 0
request = function() n = n + 1; return wrk.format(nil, nil, {["X-Trace"] = tostring(n) .. tostring(wrk.thread)}) end
"""


class Contender(Struct):
    """One proxy under load: its port, the process whose CPU time counts, and its runs as (us per request, requests/s)."""

    name: str
    version: str
    port: int
    pid: int
    runs: list[tuple[float, float]] = []


def cpu_seconds(pid: int) -> float:
    """The utime and stime of a process and its children (nginx's worker is one)."""
    pids = [pid, *(int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]
    ticks = 0
    for each in pids:
        fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


@contextmanager
def started(core: int, port: int, *command: str) -> Iterator[int]:
    """A server on `core`, once it listens; ended at the end."""
    process = subprocess.Popen(["taskset", "-c", str(core), *command])  # noqa: S603, S607 # our own command lines
    try:
        wait_for(port, process)
        yield process.pid
    finally:
        process.terminate()
        process.wait(10)


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    """Returns once something accepts on `port`; exits with a reason when `process` ends first or it takes over 10 s."""
    deadline = time.monotonic() + 10
    while True:
        if process.poll() is not None:
            raise SystemExit(f"{process.args!r} ended with {process.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise SystemExit(f"nothing listens on {port} after 10 s") from None
            time.sleep(0.05)
        else:
            return


def serve(port: int, service: int) -> None:
    """Runs our proxy alone, with one route."""
    import uvloop  # noqa: PLC0415 # only the child needs it

    from devdns.core.config import Config  # noqa: PLC0415
    from devdns.core.frames import Hello, TableView  # noqa: PLC0415
    from devdns.core.routes import Route, RouteTable, parse_target  # noqa: PLC0415
    from devdns_proxy.server import Proxy  # noqa: PLC0415

    async def run() -> None:
        route = Route(host=HOST, targets=(parse_target(service),), source="manual")
        proxy = Proxy(TableView(Hello(1, "bench", Config()), RouteTable([route])), "web.sock")
        await proxy.start([socket.create_server(("127.0.0.1", port))])
        await asyncio.Event().wait()

    uvloop.run(run())


def load(contender: Contender, arguments: argparse.Namespace, script: str | None) -> tuple[float, float]:
    """One slice of load: CPU microseconds per request, requests per second."""
    connection = ("Connection", "close" if arguments.new_connections else "keep-alive")
    headers = [part for name, value in (*HEADERS, connection) for part in ("-H", f"{name}: {value}")]
    command = [
        "taskset",
        "-c",
        str(arguments.load_core),
        "wrk",
        "-t1",
        f"-c{arguments.connections}",
        f"-d{arguments.seconds}s",
    ]
    command += [*headers, *(["-s", script] if script else []), f"http://127.0.0.1:{contender.port}/"]
    before = cpu_seconds(contender.pid)
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603 # our own command line
    spent = cpu_seconds(contender.pid) - before
    found = re.search(r"(\d+) requests in ([\d.]+)(m?)s", out)
    if not found or "Non-2xx" in out or "Socket errors" in out:
        raise SystemExit(f"{contender.name}: the load did not go through:\n{out}")
    requests = int(found[1])
    return spent / requests * 1e6, requests / arguments.seconds


def version_of(command: list[str]) -> str:
    """The first line a program prints about itself."""
    done = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603 # our own command line
    return (done.stdout + done.stderr).splitlines()[0]


def contenders(stack: ExitStack, folder: str, arguments: argparse.Namespace) -> list[Contender]:
    """Starts the service and both proxies before it."""
    service, ours, nginx = free_port(), free_port(), free_port()
    Path(folder).chmod(0o755)  # nginx's worker is another user when it is started as root
    Path(folder, "root").mkdir()
    Path(folder, "root", "body").write_bytes(b"x" * arguments.size)
    files = {
        "service.conf": SERVICE.format(folder=folder, port=service),
        "nginx.conf": NGINX.format(folder=folder, port=nginx, service=service, host=HOST),
    }
    for name, text in files.items():
        Path(folder, name).write_text(text)
    proxy_core, load_core = arguments.proxy_core, arguments.load_core
    stack.enter_context(started(load_core, service, "nginx", "-c", f"{folder}/service.conf"))
    mine = (sys.executable, "-m", "devdns_bench.http_cost", "--serve", str(ours), str(service))
    pid = stack.enter_context(started(proxy_core, ours, *mine))
    theirs = stack.enter_context(started(proxy_core, nginx, "nginx", "-c", f"{folder}/nginx.conf"))
    return [
        Contender("devdns", f"python {sys.version.split()[0]}", ours, pid),
        Contender("nginx", version_of(["nginx", "-v"]), nginx, theirs),
    ]


def report(every: list[Contender]) -> str:
    """Medians and ranges, and the ratio of the first contender to the second."""
    lines = []
    for each in every:
        costs, rates = zip(*each.runs, strict=True)
        lines.append(
            f"{each.name:8} {median(costs):7.2f} us/request ({min(costs):.2f} to {max(costs):.2f})"
            f"  {median(rates):8.0f} requests/s  {each.version}"
        )
    ratio = median(cost for cost, _ in every[0].runs) / median(cost for cost, _ in every[1].runs)
    lines.append(f"{every[0].name} / {every[1].name}: {ratio:.3f}")
    return "\n".join(lines)


def options() -> argparse.Namespace:
    """What to measure, and how long."""
    parser = argparse.ArgumentParser(prog="devdns_bench.http_cost", description=__doc__)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--size", type=int, default=64, help="bytes of the response's body")
    parser.add_argument("--fresh-header", action="store_true", help="send a header whose value never repeats")
    parser.add_argument("--new-connections", action="store_true", help="open a connection for every request")
    parser.add_argument("--proxy-core", type=int, default=0)
    parser.add_argument("--load-core", type=int, default=1)
    parser.add_argument("--serve", type=int, nargs=2, metavar=("PORT", "SERVICE"), help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    """Measures, or says what is missing."""
    arguments = options()
    if arguments.serve:
        serve(*arguments.serve)
        return
    missing = [tool for tool in ("wrk", "nginx", "taskset") if shutil.which(tool) is None]
    if missing:
        raise SystemExit(f"missing: {', '.join(missing)} - apt-get install wrk nginx-light util-linux")
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        every = contenders(stack, folder, arguments)
        script = str(Path(folder, "fresh.lua")) if arguments.fresh_header else None
        if script:
            Path(script).write_text(FRESH)
        for _ in range(arguments.repeats):
            for each in every:
                each.runs.append(load(each, arguments, script))
        sys.stdout.write(report(every) + "\n")


if __name__ == "__main__":
    main()
