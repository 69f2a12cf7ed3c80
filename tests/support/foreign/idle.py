"""A service that accepts every WebSocket offer on the port it prints, and from then on sends back what it receives."""

import asyncio
import base64
import hashlib
import re

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Accepting(asyncio.Protocol):
    """One connection: a head, its 101, and an echo of bytes."""

    def __init__(self):
        self._held, self._open = b"", False

    def connection_made(self, transport):
        self._transport = transport

    def data_received(self, data):
        if self._open:
            self._transport.write(data)
            return
        self._held += data
        head, end, rest = self._held.partition(b"\r\n\r\n")
        if end:
            self._open = True
            key = re.search(rb"(?i)\r\nsec-websocket-key: *([^\r]+)", head)[1]
            accept = base64.b64encode(hashlib.sha1(key + GUID).digest())
            fields = b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %b\r\n\r\n" % accept
            self._transport.write(b"HTTP/1.1 101 Switching Protocols\r\n" + fields + rest)
            self._held = b""


async def serve():
    server = await asyncio.get_running_loop().create_server(Accepting, "127.0.0.1", 0, backlog=4_096)
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201 # how it tells whoever started it
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve())
