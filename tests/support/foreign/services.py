"""The sample service on servers that others wrote, each a process of its own: aiohttp, uvicorn, gunicorn, Node and nginx.

Any path answers "METHOD LENGTH SHA256" of its body; `/echo` streams it back as it comes; `/events` sends one event that says
when (seconds of the monotonic clock, which all processes share) and waits; `/endless` never ends; `/cut` breaks off after "part" (`?sized`: of
100 bytes); `/status/N` has that status and no body; `/ws` sends back what it gets (`?refuse`: 403), "close CODE REASON" and "abort"
end it; `/log` tells what the service noticed: who left, with which close code. nginx passes all of it on to aiohttp, unbuffered.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from support.node import MODULES, NODE, need_node
from support.parts import need
from support.ports import free_port
from support.waiting import wait_until

HERE = Path(__file__).parent
NGINX = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx.errors;
events {{ worker_connections 1024; }}
http {{
  access_log off; client_max_body_size 0; client_body_temp_path {folder}/bodies; proxy_temp_path {folder}/replies;
  fastcgi_temp_path {folder}/1; uwsgi_temp_path {folder}/2; scgi_temp_path {folder}/3;
  map $http_upgrade $switching {{ default upgrade; "" ""; }}
  server {{
    listen 127.0.0.1:{port};
    location /files/ {{ alias {folder}/; gzip on; gzip_types text/plain; gzip_min_length 100; }}
    location / {{
      proxy_pass http://127.0.0.1:{behind}; proxy_http_version 1.1; proxy_set_header Host $http_host;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $switching;
      proxy_buffering off; proxy_request_buffering off;
    }}
  }}
}}
"""


class Served:
    """The sample service on one server: where it listens, and what it has noticed."""

    def __init__(self, name: str, port: int, folder: Path) -> None:
        self.name = name
        self.port = port
        self.folder = folder

    def noticed(self) -> list[str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        with contextlib.closing(connection):
            connection.request("GET", "/log")
            return connection.getresponse().read().decode().splitlines()


def command(name: str, port: int) -> list[str]:
    """How to start the sample service on the server `name`."""
    if name == "aiohttp":
        return [sys.executable, str(HERE / "service_aiohttp.py"), str(port)]
    if name == "node":
        need_node()
        return [str(NODE), str(HERE / "service.js"), str(port)]
    if name == "gunicorn":
        threads = ["-k", "gthread", "--threads", "8", "--no-control-socket"]
        return [sys.executable, "-m", "gunicorn", *threads, "-b", f"127.0.0.1:{port}", "service_wsgi:app"]
    sockets = ["--ws", "wsproto", "--ws-max-size", str(1 << 30), "--log-level", "critical"]
    return [sys.executable, "-m", "uvicorn", *sockets, "--port", str(port), "service_asgi:app"]


def listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("localhost", port), 1):
        return True
    return False


@contextlib.contextmanager
def process(line: list[str], port: int, out: Path) -> Iterator[None]:
    """Runs a server until the end of the block; inside, it listens."""
    environ = {**os.environ, "NODE_PATH": str(MODULES)}
    with out.open("wb") as output:
        running = subprocess.Popen(line, cwd=HERE, env=environ, stdout=output, stderr=output)
    try:
        wait_until(lambda: running.poll() is not None or listens(port), bound=20, what=f"{line[0]} listening")
        assert running.poll() is None, out.read_text()
        yield
    finally:
        running.terminate()
        running.wait(10)


@contextlib.contextmanager
def serving(name: str, folder: Path) -> Iterator[Served]:
    """The sample service on the server `name`, with its files in `folder`."""
    port, out = free_port(), folder / "out"
    with contextlib.ExitStack() as stack:
        if name == "nginx":
            need("nginx")
            behind = stack.enter_context(serving("aiohttp", folder))
            (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=port, behind=behind.port))
            line, out = (
                ["nginx", "-e", str(folder / "nginx.errors"), "-c", str(folder / "nginx.conf")],
                folder / "nginx.out",
            )
        else:
            line = command(name, port)
        stack.enter_context(process(line, port, out))
        yield Served(name, port, folder)
