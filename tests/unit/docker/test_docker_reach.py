"""How a container's port is reached: knocks at real sockets."""

import asyncio
import socket
import struct
import threading
from contextlib import ExitStack, contextmanager, suppress
from types import SimpleNamespace

import pytest
from support.h2_service import h2_service
from support.inspections import inspection

from devdns.providers import docker_reach
from devdns.providers.docker_container import NOWHERE, Ground, Published, Reach, parse
from devdns.providers.docker_reach import AT_LEAST, HUNG_UP, TIMES, Knock, Relay, knock, knock_published, reach, spot

FAMILY = {False: socket.AF_INET, True: socket.AF_INET6}
#: Where a machine of the test is that drops what it gets.
NOBODY = "127.0.0.66"


@contextmanager
def dropping(port=0):
    """A port of `NOBODY` that answers no connect, as a host without a route: its queue is full. Yields the port."""
    with socket.socket() as sock, ExitStack() as waiting:
        sock.bind((NOBODY, port))
        sock.listen(0)
        for _ in range(3):
            caller = waiting.enter_context(socket.socket())
            caller.setblocking(False)
            caller.connect_ex(sock.getsockname())
        yield sock.getsockname()[1]


@contextmanager
def listening(behave=None, host="127.0.0.1"):
    """A server that lets `behave` loose on each connection, or just lets them be; yields its port."""
    with ExitStack() as open_ones, socket.create_server((host, 0), family=FAMILY[":" in host]) as server:

        def serve():
            with suppress(OSError):
                while True:
                    behave(open_ones.enter_context(server.accept()[0]))

        thread = threading.Thread(target=serve)
        if behave:
            thread.start()
        yield server.getsockname()[1]
        if behave:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


def hangs_up(sock):
    """As docker-proxy does when nothing listens in the container."""
    sock.close()


def resets(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def greets(sock):
    sock.sendall(b"220 hello\r\n")


def closed_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def box(port, *addresses, published=(), mode="default"):
    places = {f"{port}/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(each)} for each in published]}
    return parse(
        inspection(
            exposed=(), published=places, addresses={f"n{n}": each for n, each in enumerate(addresses)}, mode=mode
        )
    )


async def test_a_knock_is_open_refused_or_silent():
    with listening() as port:
        assert await knock("127.0.0.1", port) is Knock.OPEN
    assert await knock("127.0.0.1", closed_port()) is Knock.REFUSED
    with dropping() as port:
        assert await knock(NOBODY, port, within=0.02) is Knock.SILENT
    assert await knock("no.such.host.invalid", 80) is Knock.SILENT
    assert await knock("a" * 70 + ".ü", 80) is Knock.SILENT


async def test_a_knock_speaks_ipv6():
    with listening(host="::1") as port:
        assert await knock("::1", port) is Knock.OPEN


@pytest.mark.parametrize(
    ("behave", "found"),
    [(hangs_up, Knock.REFUSED), (resets, Knock.REFUSED), (None, Knock.OPEN), (greets, Knock.OPEN)],
)
async def test_on_a_published_port_only_a_connection_that_stays_is_open(behave, found):
    with listening(behave) as port:
        assert await knock("127.0.0.1", port) is Knock.OPEN
        assert await knock_published("127.0.0.1", port) is found


async def test_a_service_of_http_2_is_greeted_in_it_on_a_published_port(monkeypatch):
    monkeypatch.setattr(docker_reach, "STAYS_MUTE", 20.0)
    async with h2_service() as service:
        service.greets = False  # its settings come once it was spoken to
        assert await knock_published("127.0.0.1", service.port, docker_reach.ASK["h2c"]) is Knock.OPEN
    with listening(hangs_up) as port:
        assert await knock_published("127.0.0.1", port, docker_reach.ASK["h2c"]) is Knock.REFUSED


async def test_a_relay_that_is_late_to_find_nobody_is_no_service(monkeypatch):
    monkeypatch.setattr(docker_reach, "STAYS_OPEN", 0.0)
    monkeypatch.setattr(docker_reach, "STAYS_MUTE", 20.0)
    asked = docker_reach.ASK["http"]

    def finds_nobody(sock):
        assert sock.recv(len(asked)) == asked
        resets(sock)

    with listening(finds_nobody) as port:
        assert await knock_published("127.0.0.1", port, asked) is Knock.REFUSED


async def test_a_published_port_that_nobody_holds_is_refused():
    assert await knock_published("127.0.0.1", closed_port()) is Knock.REFUSED


async def test_the_own_address_comes_first():
    with listening() as own, listening() as published:
        container = box(own, "127.0.0.1", published=[published])
        assert await reach(container, own, Ground()) == Reach("127.0.0.1", own, open=True)


async def test_of_several_networks_the_one_that_answers_counts():
    with listening(host="127.0.0.2") as port, dropping(port):
        found = await reach(box(port, NOBODY, "127.0.0.1", "127.0.0.2"), port, Ground())
        assert found == Reach("127.0.0.2", port, open=True)


async def test_a_refusal_at_the_own_address_is_a_way():
    port = closed_port()
    assert await reach(box(port, "127.0.0.1"), port, Ground()) == Reach("127.0.0.1", port)


async def test_without_a_route_the_published_port_counts():
    with dropping() as inside:
        with listening() as port:
            found = await reach(box(inside, NOBODY, published=[port]), inside, Ground())
            assert found == Reach("127.0.0.1", port, open=True, published=True)
        assert await reach(box(inside, NOBODY), inside, Ground()) == NOWHERE


async def test_a_refusal_by_some_gateway_does_not_hide_the_published_port():
    with listening() as port:
        container = box(closed_port(), "127.0.0.1", published=[port])
        (inside,) = container.publishes
        assert await reach(container, inside, Ground()) == Reach("127.0.0.1", port, open=True, published=True)


async def test_an_engine_elsewhere_is_never_asked_at_container_addresses():
    with listening() as port:
        assert await reach(box(port, "127.0.0.1"), port, Ground("192.0.2.9", routed=False)) == NOWHERE


async def test_the_hosts_network_is_the_engines_machine():
    with listening() as port:
        assert await reach(box(port, mode="host"), port, Ground()) == Reach("127.0.0.1", port, open=True)


@pytest.mark.parametrize(
    ("place", "ground", "found"),
    [
        (Published("", "80"), Ground(), ("127.0.0.1", 80)),
        (Published("0.0.0.0", "80"), Ground(), ("127.0.0.1", 80)),
        (Published("::", "80"), Ground(), ("::1", 80)),
        (Published("127.0.0.1", "80"), Ground(), ("127.0.0.1", 80)),
        (Published("192.168.1.2", "80"), Ground(), ("192.168.1.2", 80)),
        (Published("0.0.0.0", "80"), Ground("box.lan", routed=False), ("box.lan", 80)),
        (Published("::", "80"), Ground("box.lan", routed=False), ("box.lan", 80)),
        (Published("box", "80"), Ground(), ("box", 80)),
        (Published("0.0.0.0", ""), Ground(), ("127.0.0.1", 0)),
    ],
)
def test_where_a_published_port_is_asked_for(place, ground, found):
    assert spot(place, ground) == found


async def test_a_published_port_is_not_kept_waiting_for_addresses_known_to_be_out_of_reach():
    with dropping() as inside, listening(greets) as port:
        container = box(inside, NOBODY, published=[port])
        first = asyncio.create_task(reach(container, inside, Ground(), beyond=True))
        slow = asyncio.create_task(reach(container, inside, Ground()))
        done, _ = await asyncio.wait({first, slow}, return_when=asyncio.FIRST_COMPLETED)
        assert done == {first}
        assert await first == await slow == Reach("127.0.0.1", port, open=True, published=True)


async def looked(found):
    async def look():
        return found

    task = asyncio.create_task(look())
    await task
    return Relay(task)


async def test_how_long_a_relay_takes_to_hang_up_tells_when_it_does_not():
    relay = await looked(True)
    for took in (0.001, 0.04, 0.002):
        assert relay.stays is None
        relay.took.append(took)
    assert len(relay.took) == HUNG_UP
    assert relay.stays == TIMES * 0.04
    relay.took.extend((0.003, 0.002))
    assert relay.stays == TIMES * 0.003
    quick, stranger = await looked(True), await looked(False)
    for each in (quick, stranger):
        each.took.extend([0.0001] * HUNG_UP)
    assert quick.stays == AT_LEAST
    assert stranger.stays is None


async def test_a_guess_is_made_certain_by_the_next_knock():
    relay = await looked(True)
    relay.took.extend([0.001] * HUNG_UP)
    relay.note(Knock.OPEN, relay.stays, AT_LEAST)
    assert relay.guessed
    assert relay.stays is None
    relay.note(Knock.REFUSED, None, 0.02)
    assert not relay.guessed
    assert relay.stays == TIMES * 0.02
    relay.note(Knock.OPEN, relay.stays, 0.001)  # it said something
    assert not relay.guessed


async def test_a_service_that_is_slow_to_answer_is_not_waited_for_behind_a_relay_that_hangs_up_at_once():
    relay = await looked(True)
    relay.took.extend([0.0001] * HUNG_UP)
    with dropping() as inside, listening() as port:  # it takes connections and says nothing
        container = box(inside, NOBODY, published=[port])
        first = asyncio.create_task(reach(container, inside, Ground(), scheme="http", beyond=True, relay=relay))
        slow = asyncio.create_task(reach(container, inside, Ground(), scheme="http", beyond=True))
        done, _ = await asyncio.wait({first, slow}, return_when=asyncio.FIRST_COMPLETED)
        assert done == {first}
        assert await first == await slow == Reach("127.0.0.1", port, open=True, published=True)
        assert relay.guessed


async def test_an_own_address_that_answers_again_is_preferred_all_the_same():
    with listening() as own, listening() as port:  # the published port takes its time to prove itself
        found = await reach(box(own, "127.0.0.1", published=[port]), own, Ground(), beyond=True)
    assert found == Reach("127.0.0.1", own, open=True)


@pytest.mark.parametrize("knocks", [knock, knock_published])
async def test_who_has_knocked_at_itself_has_found_nobody(knocks, monkeypatch):
    """The kernel may give the dead port of this machine that is knocked at to the knock, which is then connected with itself."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        there = server.getsockname()

    class FromThere(socket.socket):
        def __init__(self, family):
            super().__init__(family)
            self.bind(there)

    monkeypatch.setattr(docker_reach, "socket", SimpleNamespace(socket=FromThere, AF_INET=socket.AF_INET))
    assert await knocks(*there) is Knock.REFUSED
