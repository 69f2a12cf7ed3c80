"""The backend that the prober asks: answers every request with its identity and the request's nonce. Standard library only.

    python probe_backend.py IDENTITY --port 8000 [--boot S] [--warm S] [--takes S] [--stop abrupt|graceful] [--stamps FILE]

It runs anywhere by itself, as the first process of a container too. FILE gets a line `up|down SECONDS IDENTITY` when it
serves and when it is told to stop, by the machine's monotonic clock: its own downtime is known without asking anybody.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import time
from contextlib import suppress

BACKLOG = 1024


class Backend:
    """`takes`: seconds from a request to its answer. Whatever it is asked while it is not `warm` gets 503, `/healthz` too."""

    def __init__(self, identity: str, takes: float = 0.0) -> None:
        self.identity, self.takes = identity, takes
        self.warm = True
        self.ending = False
        self._idle: set[asyncio.StreamWriter] = set()
        self._busy: set[asyncio.StreamWriter] = set()
        self._answered = asyncio.Event()

    async def serve(self, host: str, port: int) -> asyncio.Server:
        """Listens."""
        return await asyncio.start_server(self._converse, host, port, backlog=BACKLOG)

    async def drain(self) -> None:
        """Lets every request in hand be answered, each with `Connection: close`; the other connections are closed."""
        self.ending = True
        for writer in self._idle:
            writer.close()
        if self._busy:
            await self._answered.wait()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        keep = True
        try:
            while keep and not self.ending:
                self._idle.add(writer)
                first = await reader.readline()
                self._idle.discard(writer)
                if not first:
                    return
                self._busy.add(writer)
                keep = await self._answer(first, reader, writer)
                self._busy.discard(writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the other side went away
        finally:
            self._idle.discard(writer)
            self._busy.discard(writer)
            if self.ending and not self._busy:
                self._answered.set()
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _answer(self, first: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Reads the rest of one request and answers it; False when the connection is to be closed."""
        length, keep = 0, True
        while (line := (await reader.readline()).strip().lower()) != b"":
            name, _, value = line.partition(b":")
            if name == b"content-length":
                length = int(value)
            elif name == b"connection":
                keep = value.strip() != b"close"
        nonce = (await reader.readexactly(length) or first.split()[1].rpartition(b"/")[2]).decode()
        if self.takes:
            await asyncio.sleep(self.takes)
        keep = keep and not self.ending
        writer.write(response(f"{self.identity} {nonce}", "200 OK" if self.warm else "503 Warming Up", keep=keep))
        await writer.drain()
        return keep


def response(body: str, status: str = "200 OK", *, keep: bool = True) -> bytes:
    """A short text."""
    close = "" if keep else "Connection: close\r\n"
    return f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n{close}\r\n{body}".encode()


def stamp(path: str, word: str, identity: str) -> None:
    """One line, whole or not at all, among those of other backends."""
    if path:
        with open(path, "a", encoding="ascii") as file:  # noqa: PTH123 - pathlib takes its time at every start
            file.write(f"{word} {time.monotonic():.6f} {identity}\n")


async def _run(options: argparse.Namespace) -> None:
    loop, told = asyncio.get_running_loop(), asyncio.Event()

    def stop() -> None:
        stamp(options.stamps, "down", options.identity)
        if options.stop == "abrupt":
            os._exit(0)
        told.set()

    loop.add_signal_handler(signal.SIGTERM, stop)
    if options.boot:
        await asyncio.sleep(options.boot)
    backend = Backend(options.identity, options.takes)
    backend.warm = not options.warm
    server = await backend.serve(options.host, options.port)
    if options.warm:
        await asyncio.sleep(options.warm)
        backend.warm = True
    stamp(options.stamps, "up", options.identity)
    await told.wait()
    server.close()
    await backend.drain()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("identity")
    parser.add_argument("--host", default="0.0.0.0")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--boot", type=float, default=0.0, help="seconds before it listens")
    parser.add_argument("--warm", type=float, default=0.0, help="seconds for which it listens and answers 503")
    parser.add_argument("--takes", type=float, default=0.0, help="seconds from a request to its answer")
    parser.add_argument("--stop", choices=("abrupt", "graceful"), default="abrupt", help="what SIGTERM does")
    parser.add_argument("--stamps", default="", help="the file that gets its ups and downs")
    asyncio.run(_run(parser.parse_args()))


if __name__ == "__main__":
    main()
