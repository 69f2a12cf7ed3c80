"""What waits on a UDP socket at one wake-up: every message gets its own reply, whichever listener reads it."""

from __future__ import annotations

import asyncio
import random
import socket

import pytest
from support import dns_wire as wire
from support.dns_scene import view

from devdns_resolver import mmsg
from devdns_resolver.responder import Responder
from devdns_resolver.udp import BatchListener, UdpListener

BATCHES = pytest.mark.skipif(not mmsg.available, reason="recvmmsg and sendmmsg are Linux's")
LISTENERS = [UdpListener, pytest.param(BatchListener, marks=BATCHES)]


def messages(count: int) -> list[bytes]:
    """Hits and misses in every spelling, with and without cookies, long ones, and some that get no reply; IDs in order."""
    rng = random.Random(7)
    out = []
    for ident in range(count):
        spelling = "".join(rng.choice((letter, letter.upper())) for letter in f"n{rng.randrange(20)}.dev.test")
        padded = rng.choice(((), ((10, rng.randbytes(8)),), ((12, bytes(rng.choice((400, 1000)))),)))
        data = wire.query(spelling, rng.choice((wire.A, wire.AAAA, 65, 97)), *([wire.opt(*padded)] if padded else []))
        data = rng.choice((data, data, data, data[: rng.randrange(40)], b"", wire.header(0x8000)))
        out.append(wire.u16(ident) + data[2:] if len(data) > 1 else data)
    return out


@pytest.mark.parametrize("listener", LISTENERS)
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_a_burst_from_several_clients_is_answered_message_by_message(
    listener: type[UdpListener], host: str
) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    server = socket.socket(family, socket.SOCK_DGRAM)
    server.bind((host, 0))
    clients = [socket.socket(family, socket.SOCK_DGRAM) for _ in range(3)]
    asked = messages(180)
    expected = {number: reply for number, data in enumerate(asked) if (reply := plain_reply(data)) is not None}
    heard: dict[int, bytes] = {}
    running = listener(server, Responder(view()))
    with clients[0], clients[1], clients[2]:
        for client in clients:
            client.connect(server.getsockname())
            client.setblocking(False)
        for number, data in enumerate(asked):
            clients[number % 3].send(data)
        loop = asyncio.get_running_loop()
        running.start(loop)
        async with asyncio.timeout(5):
            for which, client in enumerate(clients):
                for _ in [number for number in expected if number % 3 == which]:
                    reply = await loop.sock_recv(client, 65535)
                    heard[int.from_bytes(reply[:2], "big")] = reply
        running.stop()
    assert heard == expected


def plain_reply(data: bytes) -> bytes | None:
    """What a responder that has kept nothing says."""
    responder = Responder(view())
    responder.refresh()
    return responder.respond(responder.vantage(responder.desk("udp", "127.0.0.1"), "127.0.0.1"), data)


@BATCHES
def test_a_message_that_has_no_way_back_holds_up_no_other() -> None:
    """A source port of 0 can be claimed by anyone who writes raw packets; sending to it fails."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client,
    ):
        server.bind(("127.0.0.1", 0))
        client.connect(server.getsockname())
        client.settimeout(2)
        for number in range(3):
            client.send(b"%d" % number)
        batch = mmsg.Batch(server)
        assert batch.receive() == [1, 1, 1]
        batch.names[mmsg.NAME + 2 : mmsg.NAME + 4] = b"\0\0"
        for number in range(3):
            batch.lengths[number] = 1
        assert batch.send(0, 3) == 1
        assert [client.recv(9), client.recv(9)] == [b"0", b"2"]
        with pytest.raises(BlockingIOError):
            batch.receive()
