"""Probes of real servers, and what they make of what sources say."""

import asyncio
import contextlib

import pytest
from msgspec.structs import replace
from support.control import Scripted, registry_of, route
from support.h2_service import h2_service
from support.waiting import until

from devdns.control import probe as probing
from devdns.control.probe import allowed, probe
from devdns.control.probes import Probes
from devdns.core.health import Asked
from devdns.core.routes import Options, State, Target, parse_target
from devdns.core.sources import Statement


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # control writes its history where it stands


class Server:
    """Answers each connection with `answer`, None for silence; counts them and keeps the heads."""

    def __init__(self, status=200):
        self.say(status)
        self.heads = []
        self.busy = set()

    def say(self, status):
        self.answer = None if status is None else f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n".encode()

    async def serve(self, reader, writer):
        self.busy.add(asyncio.current_task())
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            self.heads.append(await reader.readuntil(b"\r\n\r\n"))
            if self.answer is not None:
                writer.write(self.answer)
            else:
                await reader.read()
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


@contextlib.asynccontextmanager
async def serving(status=200, port=0):
    server = Server(status)
    async with await asyncio.start_server(server.serve, "127.0.0.1", port) as listening:
        server.target = Target("127.0.0.1", listening.sockets[0].getsockname()[1])
        yield server
    await asyncio.gather(*server.busy)


def asked(target, path="/healthz"):
    return Asked(target, path, "api.dev.test")


@pytest.mark.parametrize(
    ("status", "why"), [(200, ""), (204, ""), (302, ""), (404, "answers 404"), (503, "answers 503")]
)
async def test_a_status_of_2xx_or_3xx_is_well(status, why):
    async with serving(status) as server:
        said = await probe(asked(server.target))
        assert said == (f"GET /healthz of {server.target} {why}" if why else "")
    (head,) = server.heads
    assert head.startswith(b"GET /healthz HTTP/1.1\r\nHost: api.dev.test\r\n")


async def test_a_connect_is_enough_where_it_says_tcp():
    async with serving(503) as server:
        assert await probe(asked(server.target, "tcp")) == ""


def _answers(status):
    return lambda request: request.head(status, end=True)


@pytest.mark.parametrize(("status", "why"), [(200, ""), (302, ""), (404, "answers 404"), (503, "answers 503")])
async def test_a_service_of_http_2_is_asked_in_it(status, why):
    async with h2_service(_answers(status)) as service:
        target = parse_target(service.target)
        assert await probe(asked(target)) == (f"GET /healthz of {target} {why}" if why else "")
        assert await probe(asked(target, "tcp")) == ""
    (request,) = service.asked
    assert (request[b":path"], request[b":authority"]) == (b"/healthz", b"api.dev.test")


async def test_a_service_that_does_not_greet_in_http_2_is_not_well():
    async with serving(200) as server:
        target = replace(server.target, scheme="h2c")
        assert (await probe(asked(target, "tcp"))).endswith("the answer is no HTTP/2")
        server.answer = b""  # as docker-proxy hangs up for a service that is not there
        assert (await probe(asked(target))).endswith("it hangs up without an answer")


async def test_what_does_not_answer_is_not_well(monkeypatch, tmp_path):
    async with serving(None) as server:
        with monkeypatch.context() as patch:
            patch.setattr(probing, "BOUND", 0.05)
            assert await probe(asked(server.target)) == f"GET /healthz of {server.target} has no answer within 0 s"
        server.answer = b"220 hello\r\n"
        assert (await probe(asked(server.target))).endswith("is answered with no HTTP")
    assert (await probe(asked(server.target))).endswith("fails: connection refused")
    assert (await probe(asked(Target("", 0, "http", str(tmp_path / "none"))))).endswith("no such file or directory")
    assert "fails: " in await probe(asked(parse_target("nobody.invalid:80")))


async def test_a_name_that_resolves_to_a_forbidden_address_is_not_asked(monkeypatch):
    found = [(2, 1, 6, "", ("169.254.169.254", 80)), (10, 1, 6, "", ("fe80::1%lo", 80, 0, 1))]

    async def resolve(*_, **__):
        return found

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve, raising=False)
    said = await probe(asked(Target("metadata.lan", 80)))
    assert said.endswith("fails: metadata.lan is nowhere a service may be")
    assert allowed([("127.0.0.1", 1), ("169.254.169.254", 1), ("::ffff:169.254.169.254", 1)]) == [("127.0.0.1", 1)]


def api(*targets, source="docker", **options):
    options = {"health": "/healthz", "interval": 0.02} | options
    return replace(route("api", source=source), targets=targets, options=Options(**options))


def table(registry):
    return registry.table.lookup("api.dev.test")


async def test_a_route_is_live_once_its_health_answers_and_for_as_long():
    async with serving(503) as server, registry_of(Scripted("docker", Statement((api(server.target),)))) as registry:
        assert table(registry).state is State.STARTING
        await until(lambda: "answers 503" in table(registry).reason)
        server.say(200)
        await until(lambda: table(registry).state is State.LIVE)
        server.say(500)
        await until(lambda: table(registry).state is State.UNHEALTHY)
        assert table(registry).reason == f"GET /healthz of {server.target} answers 500"
        server.say(204)
        await until(lambda: table(registry).state is State.LIVE)
        await registry.close()


async def test_one_ill_target_leaves_the_pool_alone_and_comes_back():
    async with serving() as one, serving() as two:
        said = Statement((api(one.target, two.target, source="manual"),))
        async with registry_of() as registry:
            registry.sources.hear("manual", said)
            await until(lambda: table(registry).targets == (one.target, two.target))
            one.say(500)
            await until(lambda: table(registry).targets == (two.target,))
            assert table(registry).state is State.LIVE
            one.say(200)
            await until(lambda: table(registry).targets == (one.target, two.target))
            await registry.close()


async def test_what_went_down_is_asked_again_before_it_is_live():
    docker = Scripted("docker", Statement(()))
    async with serving() as server, registry_of(docker) as registry:
        docker.say(Statement((api(server.target),)))
        await until(lambda: table(registry) and table(registry).state is State.LIVE)
        docker.say(Statement((replace(api(server.target), state=State.RESTARTING, reason="down"),)))
        await until(lambda: table(registry).state is State.RESTARTING)
        count = len(server.heads)
        server.say(503)
        docker.say(Statement((api(server.target),)))
        await until(lambda: len(server.heads) > count)
        assert table(registry).state is State.STARTING
        await registry.close()


async def test_a_target_that_nobody_names_any_more_is_not_asked():
    told = []
    async with serving() as server:
        probes = Probes(lambda *news: told.append(news))
        probes.over("docker", (api(server.target),))
        await until(lambda: told)
        assert probes.over("docker", ()) == ()
        await until(lambda: not [each for each in asyncio.all_tasks() if each.get_name().startswith("probe ")])
    assert told == [("docker", "probe: /healthz answers")]


async def test_many_probes_are_never_more_than_64_at_once():
    now, most = 0, 0

    async def ask(_):
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0)
        now -= 1
        return ""

    done = []
    probes = Probes(lambda *news: done.append(news), ask)
    probes.over("docker", tuple(api(Target("127.0.0.1", port)) for port in range(1, 301)))
    await until(lambda: len(done) == 300)
    assert most <= 64
    await probes.close()


async def test_where_nothing_listens_any_more_the_route_is_restarting_for_its_hold():
    async with contextlib.AsyncExitStack() as stack:
        server = await stack.enter_async_context(serving())
        said = Statement((api(server.target, hold=0.5),))
        async with registry_of(Scripted("docker", said)) as registry:
            await until(lambda: table(registry).state is State.LIVE)
            await stack.aclose()
            await until(lambda: table(registry).state is State.RESTARTING)
            assert table(registry).targets == (server.target,)
            assert table(registry).reason == f"GET /healthz of {server.target} fails: connection refused"
            await until(lambda: table(registry).state is State.UNHEALTHY)
            async with serving(port=server.target.port):
                await until(lambda: table(registry).state is State.LIVE)
            await registry.close()
