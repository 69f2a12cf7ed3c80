"""WebSocket clients that others wrote, each as a function that holds one whole conversation with the sample service.

A conversation echoes binary messages of `sizes`, a text, a message in two fragments, pings, closes with 4000; then asks to
be closed with 4001; then offers where it is refused. It returns what the client saw of that, the same for every client.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path

import websocket
import websockets
from support.node import node

Seen = dict[str, object]
Conversation = Callable[[int, str, tuple[int, ...], bool], Awaitable[Seen]]
BOUND = 60.0


def expected(sizes: tuple[int, ...], *, deflate: bool) -> Seen:
    """What every client sees when nothing is lost or changed on the way."""
    return {
        "echoed": list(sizes),
        "text": "text ä",
        "fragments": "fragments",
        "pong": "are you there",
        "deflate": deflate,
        "said": [4001, "mine"],
        "refused": 403,
    }


async def by_websockets(port: int, name: str, sizes: tuple[int, ...], deflate: bool) -> Seen:  # noqa: FBT001 # as its type
    options = {"host": "127.0.0.1", "port": port, "max_size": None, "compression": "deflate" if deflate else None}
    seen: Seen = {"echoed": []}
    async with asyncio.timeout(BOUND), websockets.connect(f"ws://{name}/ws", **options) as first:
        for size in sizes:
            await first.send(b"\xa5" * size)
            seen["echoed"] += [size] if await first.recv() == b"\xa5" * size else []
        await first.send("text ä")
        seen["text"] = await first.recv()
        await first.send(["frag", "ments"])
        seen["fragments"] = await first.recv()
        await (await first.ping("are you there"))  # done only by the pong that repeats it
        seen["pong"] = "are you there"
        seen["deflate"] = bool(first.protocol.extensions)
        await first.close(4000, "yours")
    async with asyncio.timeout(BOUND), websockets.connect(f"ws://{name}/ws", **options) as second:
        await second.send("close 4001 mine")
        await second.wait_closed()
        seen["said"] = [second.close_code, second.close_reason]
    with contextlib.suppress(websockets.InvalidStatus):
        try:
            await websockets.connect(f"ws://{name}/ws?refuse", **options)
        except websockets.InvalidStatus as refused:
            seen["refused"] = refused.response.status_code
    return seen


async def by_websocket_client(port: int, name: str, sizes: tuple[int, ...], deflate: bool) -> Seen:  # noqa: FBT001
    assert not deflate, "websocket-client knows no extensions"
    return await asyncio.to_thread(_conversation, port, name, sizes)


def _conversation(port: int, name: str, sizes: tuple[int, ...]) -> Seen:
    def opened(path: str = "/ws") -> websocket.WebSocket:
        return websocket.create_connection(f"ws://127.0.0.1:{port}{path}", host=name, timeout=BOUND)

    seen: Seen = {"echoed": [], "deflate": False}
    first = opened()
    for size in sizes:
        first.send_binary(b"\xa5" * size)
        seen["echoed"] += [size] if first.recv() == b"\xa5" * size else []
    first.send("text ä")
    seen["text"] = first.recv()
    first.send_frame(websocket.ABNF.create_frame("frag", websocket.ABNF.OPCODE_TEXT, 0))
    first.send_frame(websocket.ABNF.create_frame("ments", websocket.ABNF.OPCODE_CONT, 1))
    seen["fragments"] = first.recv()
    first.ping("are you there")
    opcode, frame = first.recv_data_frame(control_frame=True)
    seen["pong"] = frame.data.decode() if opcode == websocket.ABNF.OPCODE_PONG else ""
    first.close(4000, b"yours")
    second = opened()
    second.send("close 4001 mine")
    opcode, frame = second.recv_data_frame(control_frame=True)
    seen["said"] = [int.from_bytes(frame.data[:2]), frame.data[2:].decode()]
    second.shutdown()  # its close() leaves the socket open after the server's own
    try:
        opened("/ws?refuse")
    except websocket.WebSocketBadStatusException as refused:
        seen["refused"] = refused.status_code
    return seen


async def by_ws(port: int, name: str, sizes: tuple[int, ...], deflate: bool) -> Seen:  # noqa: FBT001
    script = Path(__file__).with_name("sockets.js")
    arguments = (str(port), name, "deflate" if deflate else "", ",".join(map(str, sizes)))
    seen = await asyncio.to_thread(node, script, *arguments)
    assert isinstance(seen, dict)
    return seen


CLIENTS: dict[str, Conversation] = {
    "websockets": by_websockets,
    "websocket-client": by_websocket_client,
    "ws": by_ws,
}
