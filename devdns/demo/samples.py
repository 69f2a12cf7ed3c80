"""Sample services: tiny HTTP servers that say who they are, on which port, and a nonce nobody else knows."""

from __future__ import annotations

import secrets
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HOST = "127.0.0.1"


class Sample:
    """One service on a free port of loopback. `nonce` is new with every start, so a wrong backend is told apart."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.nonce = secrets.token_hex(4)
        self._server = ThreadingHTTPServer((HOST, 0), _page(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def page(self) -> str:
        """What the service says to everybody."""
        return f"hello from {self.name} on port {self.port}, nonce {self.nonce}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _page(sample: Sample) -> type[BaseHTTPRequestHandler]:
    class Page(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 1 << 13  # head and body leave together: two small writes would wait for a delayed ACK (40 ms)

        def do_GET(self) -> None:
            body = f"{sample.page}\n".encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's signature
            """Says nothing: the terminal belongs to the demonstration."""

    return Page
