"""The server of leaves.sock, with the real CA: what a proxy is told when it connects, after, and when it asks."""

import asyncio
import contextlib
import time

import pytest
from support.certificates import bring
from support.control import unix_listener
from support.waiting import until

from devdns.control import leaves as server_module
from devdns.control import peers
from devdns.control.tls import Tls
from devdns.core.errors import UsageRefused
from devdns.core.leaves import Ask, Leaf, LeafReader, Leaves, Refused, encode
from devdns.core.names import Zones
from devdns.core.settings import Config, TlsConfig

ZONES = Zones(("dev.test",))
ZONE = ("dev.test", "*.dev.test")


class Scene:
    """A server in the current folder; `hosts` are those of the routes."""

    def __init__(self, *hosts, own=(None, None)):
        self.hosts = list(hosts)
        self.offset = 0.0
        self.tls = Tls(Config(ZONES.names, tls=TlsConfig(*own)), ZONES, lambda: iter(self.hosts), self.now)
        self.server = self.tls.server

    def now(self):
        return time.time() + self.offset


class Proxy:
    """What a proxy hears."""

    def __init__(self, reader, writer):
        self._reader, self._writer, self._frames = reader, writer, LeafReader()
        self._heard = []

    async def hear(self):
        """The next frame; None when the connection is closed."""
        while not self._heard:
            data = await asyncio.wait_for(self._reader.read(1 << 16), 10)
            if not data:
                return None
            self._heard += self._frames.feed(data)
        return self._heard.pop(0)

    def say(self, data):
        self._writer.write(data if isinstance(data, bytes) else encode(data))

    def close(self):
        self._writer.close()


@contextlib.asynccontextmanager
async def serving(scene):
    await scene.server.start(unix_listener("leaves.sock"))
    try:
        yield scene
    finally:
        await scene.server.stop()


@contextlib.asynccontextmanager
async def proxy():
    one = Proxy(*await asyncio.open_unix_connection("leaves.sock"))
    try:
        yield one
    finally:
        one.close()


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    tmp_path.chmod(0o700)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(server_module, "AGAIN", 0.02)
    return tmp_path


async def test_a_proxy_that_connects_is_told_all_and_then_what_is_new():
    async with serving(Scene("web.shop.dev.test", "api.dev.test")) as scene:
        await until(lambda: len(scene.tls._desk.leaves().leaves) == 2)
        async with proxy() as one, proxy() as two:
            for each in (one, two):
                told = await each.hear()
                assert [leaf.names for leaf in told.leaves] == [ZONE, ("shop.dev.test", "*.shop.dev.test")]
            scene.server.know(["db.shop.dev.test", "a.other.dev.test"])
            for each in (one, two):
                assert (await each.hear()).names == ("other.dev.test", "*.other.dev.test")


async def test_a_proxy_asks_and_is_answered_in_order():
    async with serving(Scene()), proxy() as one:
        await one.hear()
        one.say(encode(Ask("a.b.dev.test")) + encode(Ask("example.com")) + encode(Ask("api.dev.test")))
        assert (await one.hear()).names == ("b.dev.test", "*.b.dev.test")
        refused = await one.hear()
        assert isinstance(refused, Refused)
        assert refused.name == "example.com"
        assert (await one.hear()).names == ZONE


@pytest.mark.parametrize(
    "data",
    [
        b"\0\0\0\1\xc0",
        b"\xff\xff\xff\xff",
        (2_000).to_bytes(4, "big"),
        Leaf(ZONE, "", "", 0.0),
        Leaves(()),
        Refused("a", "b"),
    ],
)
async def test_whoever_says_anything_else_is_dropped_and_the_others_are_not(data):
    async with serving(Scene()) as scene, proxy() as one, proxy() as other:
        await one.hear()
        await other.hear()
        one.say(data)
        with contextlib.suppress(ConnectionError):
            assert await one.hear() is None
        other.say(Ask("a.b.dev.test"))
        assert isinstance(await other.hear(), Leaf)
        assert len(scene.server.following) == 1


async def test_another_user_is_told_nothing(monkeypatch):
    monkeypatch.setattr(peers, "trusted", lambda _: False)
    async with serving(Scene()), proxy() as one:
        with contextlib.suppress(ConnectionError):
            assert await one.hear() is None


async def test_who_does_not_read_is_dropped(monkeypatch):
    monkeypatch.setattr(server_module, "MOST_OWED", 1 << 20)
    async with serving(Scene()) as scene, proxy() as one:
        await one.hear()
        leaf = scene.tls._desk.ask("a.b.dev.test")
        for _ in range(3_000):  # over what the kernel and the reader's own buffer take
            scene.server.push([leaf])
        await until(lambda: not scene.server.following)


async def test_what_is_due_is_renewed_and_pushed():
    async with serving(Scene()) as scene, proxy() as one:
        first = (await one.hear()).leaves[0]
        scene.offset = 61 * 86_400.0
        scene.server._tasks[1].cancel()  # it sleeps until its time comes, by the clock as it was
        scene.server._tasks[1] = asyncio.create_task(scene.server._renew())
        again = await one.hear()
        assert again.names == first.names
        assert again.until == pytest.approx(first.until + 61 * 86_400, abs=60)
        assert scene.tls._desk.counts.renewed == 1


async def test_a_start_without_a_ca_that_can_be_used_is_refused(folder):
    (folder / "ca.pem").write_text("torn")
    with unix_listener("leaves.sock") as sock, pytest.raises(UsageRefused, match=r"ca\.key is missing"):
        await Scene().server.start(sock)


# A certificate that the user brought.


async def test_a_renewed_certificate_of_the_users_is_pushed_and_a_broken_one_is_told(folder):
    own = bring(folder, "dns:dev.test", "dns:*.dev.test")
    async with serving(Scene("a.b.dev.test", own=own)) as scene, proxy() as one:
        first = (await one.hear()).leaves[0]
        assert first.names == ZONE
        (folder / "own.key").write_text("half")
        await until(scene.tls.problems)
        assert "holds no key in PEM form" in scene.tls.problems()[0]
        assert scene.tls.shape()["own"]["problem"]
        bring(folder, "dns:dev.test", "dns:*.dev.test")
        while not isinstance(told := await one.hear(), Leaves):
            pass
        assert told.leaves[0].names == ZONE
        assert told.leaves[0].chain != first.chain
        assert scene.tls.problems() == []


async def test_its_end_is_a_problem_two_weeks_before(folder):
    own = bring(folder, "dns:dev.test", "dns:*.dev.test", days=20)
    async with serving(Scene(own=own)) as scene:
        assert scene.tls.problems() == []
        scene.offset = 8 * 86_400.0
        assert "own.pem' ends on 20" in scene.tls.problems()[0]
        scene.offset = 21 * 86_400.0
        assert "own.pem' ended on 20" in scene.tls.problems()[0]


async def test_status_and_figures_tell_of_both(folder):
    async with serving(Scene(own=bring(folder, "dns:api.dev.test"))) as scene:
        shape = scene.tls.shape()
        assert shape["ca"]["path"] == str(folder / "ca.pem")
        assert shape["ca"]["zones"] == ["dev.test"]
        assert shape["own"]["names"] == ["api.dev.test"]
        assert shape["leaves"]["count"] == 1
        figures = {family.name: family for family in scene.tls.families()}
        assert [sample.labels for sample in figures["devdns_certificate_end_seconds"].samples] == [
            (("certificate", what),) for what in ("ca", "own", "leaf")
        ]
        assert figures["devdns_leaves_signed_total"].samples[0].value == 1


async def test_without_a_need_there_is_no_ca(folder):
    async with serving(Scene(own=bring(folder, "dns:dev.test", "dns:*.dev.test"))) as scene:
        assert scene.tls.shape()["ca"] is None
        assert not (folder / "ca.key").exists()
