"""The sample service (see `services`) as a WSGI application, for gunicorn: all of it but WebSocket."""

import hashlib
import time

LOG = []
PIECE = bytes(65_536)


def digest(environ, start_response):
    body = environ["wsgi.input"].read()
    text = f"{environ['REQUEST_METHOD']} {len(body)} {hashlib.sha256(body).hexdigest()}".encode()
    start_response("200 OK", [("Content-Length", str(len(text)))])
    return [text]


def echo(environ, start_response):
    start_response("200 OK", [])
    while piece := environ["wsgi.input"].read(10_000):
        yield piece


def events(_, start_response):
    """A thread learns only by writing that its client has left."""
    start_response("200 OK", [("Content-Type", "text/event-stream")])
    try:
        yield b"data: %f\n\n" % time.monotonic()
        while True:
            time.sleep(0.02)
            yield b":\n\n"
    finally:
        LOG.append("left /events")


def endless(_, start_response):
    start_response("200 OK", [])
    sent = 0
    try:
        while True:
            yield PIECE
            sent += len(PIECE)
    finally:
        LOG.append(f"left /endless {sent}")


def cut(environ, start_response):
    start_response("200 OK", [("Content-Length", "100")] if environ["QUERY_STRING"] == "sized" else [])
    yield b"part"
    raise RuntimeError("in the middle")


def empty(environ, start_response):
    start_response(environ["PATH_INFO"].rpartition("/")[2] + " Said", [])
    return []


def log(_, start_response):
    start_response("200 OK", [])
    return ["\n".join(LOG).encode()]


PATHS = {"/echo": echo, "/events": events, "/endless": endless, "/cut": cut, "/log": log}


def app(environ, start_response):
    path = environ["PATH_INFO"]
    return (empty if path.startswith("/status/") else PATHS.get(path, digest))(environ, start_response)
