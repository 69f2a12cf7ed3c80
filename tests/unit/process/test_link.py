import asyncio

from support.waiting import until

from devdns.core.config import Config
from devdns.core.figures import Family, Sample
from devdns.core.frames import VERSION, Figures, FrameReader, Hello, Resync, Slice, TableView, encode
from devdns.core.names import Claim
from devdns.core.routes import Change, Route, Target
from devdns.core.sightings import Sightings
from devdns.process.link import Link

HELLO = Hello(VERSION, "instance", Config())
BOUND = 5


def route(name, port=1):
    return Route(host=f"{name}.dev.test", targets=(Target("127.0.0.1", port),), source="manual")


class Control:
    """The other end of the link: hands each connection to the test."""

    def __init__(self, path):
        self.path, self.connections = str(path / "s.sock"), asyncio.Queue()

    async def __aenter__(self):
        self.server = await asyncio.start_unix_server(lambda *pair: self.connections.put_nowait(pair), self.path)
        self.view = TableView()
        self.counted = Figures("resolver", ())
        self.link = Link(self.view, self.path, lambda: self.counted, every=0.01)
        self.task = asyncio.create_task(self.link.run())
        return self

    async def __aexit__(self, *_):
        self.task.cancel()
        await asyncio.wait((self.task,))
        self.server.close()

    async def accept(self):
        async with asyncio.timeout(BOUND):
            return await self.connections.get()


async def test_the_table_comes_whole_then_changes_follow(tmp_path):
    async with Control(tmp_path) as control:
        _, writer = await control.accept()
        writer.write(encode(HELLO) + encode(Slice(1, (route("a"),), last=False)))
        await until(lambda: control.view.hello == HELLO)
        assert len(control.view.table) == 0
        assert not control.link.ready.is_set()
        writer.write(encode(Slice(1, (route("b"),), last=True)))
        async with asyncio.timeout(BOUND):
            await control.link.ready.wait()
        assert {each.host for each in control.view.table} == {"a.dev.test", "b.dev.test"}
        writer.write(encode(Change(2, removed=(Claim("a.dev.test"),), added=(route("c"),))))
        await until(lambda: control.view.table.generation == 2)
        assert {each.host for each in control.view.table} == {"b.dev.test", "c.dev.test"}
        writer.close()


async def test_a_gap_asks_for_the_table_again_and_keeps_the_old_one_until_then(tmp_path):
    async with Control(tmp_path) as control:
        reader, writer = await control.accept()
        writer.write(encode(HELLO) + encode(Slice(1, (route("a"),), last=True)))
        writer.write(encode(Change(3, added=(route("c"),))))
        async with asyncio.timeout(BOUND):
            frames, cut = [], FrameReader()
            while Resync() not in frames:
                frames += cut.feed(await reader.read(100))
        assert [each.host for each in control.view.table] == ["a.dev.test"]
        writer.write(encode(Slice(3, (route("a"), route("c")), last=True)))
        await until(lambda: control.view.table.generation == 3)
        assert len(control.view.table) == 2
        writer.close()


async def test_control_gone_and_back_the_last_table_stays(tmp_path):
    async with Control(tmp_path) as control:
        _, writer = await control.accept()
        writer.write(encode(HELLO) + encode(Slice(7, (route("a"),), last=True)))
        await until(control.link.ready.is_set)
        writer.close()
        _, second = await control.accept()
        assert control.view.table.generation == 7
        second.write(encode(HELLO) + encode(Slice(1, (route("z"),), last=True)))
        await until(lambda: control.view.table.generation == 1)
        assert [each.host for each in control.view.table] == ["z.dev.test"]
        second.close()


async def test_bytes_that_are_no_frame_close_the_link_and_it_comes_back(tmp_path):
    async with Control(tmp_path) as control:
        _, writer = await control.accept()
        writer.write(b"\xff" * 64)
        _, second = await control.accept()
        second.write(encode(HELLO) + encode(Slice(1, (), last=True)))
        await until(control.link.ready.is_set)
        assert control.view.hello == HELLO
        writer.close()
        second.close()


async def test_figures_are_told_at_once_when_they_changed_and_on_every_new_line(tmp_path):
    def family(value):
        return (Family("devdns_dns_dropped_total", "counter", "x", (Sample(value),)),)

    async with Control(tmp_path) as control, asyncio.timeout(BOUND):
        reader, writer = await control.accept()
        first = Figures("resolver", ())
        assert await reader.readexactly(len(encode(first))) == encode(first)
        control.counted = second = Figures("resolver", family(5))
        assert await reader.readexactly(len(encode(second))) == encode(second)
        writer.close()
        reader, writer = await control.accept()
        assert await reader.readexactly(len(encode(second))) == encode(second)
        writer.close()


async def test_sightings_go_up_the_same_line(tmp_path):
    async with Control(tmp_path) as control, asyncio.timeout(BOUND):
        control.link._words += (lambda: Sightings("proxy", life="x"),)
        reader, writer = await control.accept()
        both = encode(Figures("resolver", ())) + encode(Sightings("proxy", life="x"))
        assert await reader.readexactly(len(both)) == both
        writer.close()
