"""WebSocket messages there and back (RFC 6455): an echo server, and clients that wait for each echo before the next message.

    python -m devdns_bench.websocket --port 8001      # the server

Frames of up to 125 bytes only, which is what is measured; no library, so that the load costs little.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import hashlib
import time

import uvloop

from devdns_bench.probe_wire import Place

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
MASK = b"\1\2\3\4"


def accept(key: str) -> str:
    """What the server must answer to a key (section 4.2.2)."""
    return base64.b64encode(hashlib.sha1((key + GUID).encode(), usedforsecurity=False).digest()).decode()


def masked(text: bytes) -> bytes:
    """A client's frame: final, text, masked (section 5.2); ValueError beyond 125 bytes."""
    if len(text) > 125:
        raise ValueError(f"{len(text)} bytes in a short frame")
    return bytes([0x81, 0x80 | len(text)]) + MASK + bytes(byte ^ MASK[place % 4] for place, byte in enumerate(text))


class Echo(asyncio.Protocol):
    """The server: handshake, then every frame back, unmasked."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self._seen = b""
        self._open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment] # uvloop's is not a subclass of asyncio.Transport

    def data_received(self, data: bytes) -> None:
        self._seen += data
        if not self._open and not self._shake():
            return
        out = b""
        while len(self._seen) >= 6 and len(self._seen) >= 6 + (length := self._seen[1] & 0x7F):
            mask, text = self._seen[2:6], self._seen[6 : 6 + length]
            out += bytes([0x81, length]) + bytes(byte ^ mask[place % 4] for place, byte in enumerate(text))
            self._seen = self._seen[6 + length :]
        if out:
            self.transport.write(out)

    def _shake(self) -> bool:
        head, end, rest = self._seen.partition(b"\r\n\r\n")
        if not end:
            return False
        fields = dict(line.lower().split(b":", 1) for line in head.split(b"\r\n")[1:])
        raw = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key:"))
        if b"sec-websocket-key" not in fields:
            self.transport.close()
            return False
        key = raw.partition(b":")[2].strip().decode()
        self.transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept(key).encode() + b"\r\n\r\n"
        )
        self._open, self._seen = True, rest
        return True


async def load(place: Place, *, clients: int = 8, seconds: float = 2.0) -> int:
    """How many echoes of 32 bytes came back whole and right in `seconds`. Raises OSError or ValueError where the way is not open."""
    over = time.monotonic() + seconds
    return sum(await asyncio.gather(*(_client(place, over, b"x" * 32) for _ in range(clients))))


async def _client(place: Place, over: float, text: bytes) -> int:
    reader, writer = await asyncio.open_connection(place.ip, place.port)
    try:
        await _shaken(place, reader, writer)
        frame, back, count = masked(text), bytes([0x81, len(text)]) + text, 0
        while time.monotonic() < over:
            writer.write(frame)
            if await reader.readexactly(len(back)) != back:
                raise ValueError("another message came back")
            count += 1
        return count
    finally:
        writer.transport.abort()


async def _shaken(place: Place, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    key = base64.b64encode(b"sixteen bytes...").decode()
    writer.write(
        f"GET / HTTP/1.1\r\nHost: {place.host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    head = await reader.readuntil(b"\r\n\r\n")
    if b" 101 " not in head.split(b"\r\n")[0] or accept(key).encode() not in head:
        raise ValueError(f"no WebSocket: {head[:80]!r}")


async def serve(port: int) -> None:
    """Until it is ended."""
    server = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", port)
    await server.serve_forever()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m devdns_bench.websocket", description=__doc__.partition("\n")[0])
    parser.add_argument("--port", type=int, required=True)
    uvloop.run(serve(parser.parse_args().port))


if __name__ == "__main__":
    main()
