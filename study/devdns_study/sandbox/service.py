"""One service of the scene, a process of its own: `python -m devdns_study.sandbox.service NAME PORT NONCE STATUS`.

Prints its port once it listens, and ends when its standard input does, so that it never outlives its session.
Standard library only.
"""

from __future__ import annotations

import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HOST = "127.0.0.1"


def page(name: str, nonce: str) -> str:
    """What the service says to everybody; the nonce tells it from whatever else may answer."""
    return f"hello from {name}, nonce {nonce}"


def serve(name: str, port: int, nonce: str, status: int) -> None:
    """Serves until standard input ends. `status` 200 shows the page; 500 is a service with a fault of its own."""
    body = (page(name, nonce) if status == 200 else f"{name} failed: cannot open its database").encode() + b"\n"

    class Page(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 1 << 13  # head and body leave together: two small writes would wait for a delayed ACK

        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "text/plain; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's signature
            """Says nothing: standard output is for the port."""

    server = ThreadingHTTPServer((HOST, port), Page)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    os.write(1, f"{server.server_address[1]}\n".encode())
    sys.stdin.read()


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
