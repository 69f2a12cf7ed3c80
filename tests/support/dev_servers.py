"""A service that answers as the dev servers do which were not told of a host: the first label of the Host says whose answer it is."""

from __future__ import annotations

import http.server
import sys

SAID = {
    "vite": (
        403,
        'Blocked request. This host ("vite.dev.test") is not allowed.\n'
        'To allow this host, add "vite.dev.test" to `server.allowedHosts` in vite.config.js.',
    ),
    "webpack": (403, "Invalid Host header"),
    "django": (400, "<title>DisallowedHost at /</title>"),
    "rails": (403, "<h1>Blocked hosts: rails.dev.test</h1>"),
    "next": (403, "Unauthorized"),
    "broken": (500, "Traceback (most recent call last)"),
    "well": (200, "hello"),
    "away": (302, ""),
    "loop": (508, "round and round"),
}


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        status, text = SAID[self.headers["Host"].partition(".")[0]]
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "http://localhost:5173/")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


if __name__ == "__main__":
    server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Answer)
    sys.stdout.write("up\n")
    sys.stdout.flush()
    server.serve_forever()
