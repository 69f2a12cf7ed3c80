"""What `explain` finds at a target: real listeners, real certificates."""

import asyncio
import contextlib
import gc

from support.http_tls import certificate, serving

from devdns.control.checks import check
from devdns.control.explain import Facts, explain, parse_question
from devdns.core.names import Zones
from devdns.core.routes import Options, Route, RouteTable, parse_target, trusting

ZONES = Zones(("dev.test",))


@contextlib.asynccontextmanager
async def listening(settings=None, said=b""):
    busy = set()

    async def serve(reader, writer):
        busy.add(asyncio.current_task())
        with contextlib.suppress(OSError):
            if await reader.read(1):
                writer.write(said)
                await reader.read()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=settings) as server:
        yield server.sockets[0].getsockname()[1]
    await asyncio.gather(*busy)


async def told(target, **options):
    """The explanation of a manual route `x` to this target."""
    settings = Options(**options)
    targets = trusting((parse_target(target),), settings)
    route = Route(host="x.dev.test", targets=targets, source="manual", origin="devdns add", options=settings)
    found = explain(parse_question("x", ZONES), RouteTable([route]), Facts(ZONES), (await check(targets[0]),))
    return found.verdict, "\n".join(found.lines)


async def test_a_certificate_that_the_route_does_not_trust_is_told_with_its_mend(tmp_path):
    cert, key = certificate(tmp_path, "own", "IP:127.0.0.1")
    async with listening(serving(cert, key)) as port:
        target = f"https://127.0.0.1:{port}"
        verdict, lines = await told(target, verify=True)
        assert verdict == "unreachable"
        assert "is not reachable: its certificate is not trusted here (self" in lines
        assert "let the route trust it (verify: false, or ca:" in lines
        for options in ({}, {"verify": False}, {"ca": str(cert)}):  # on loopback nothing is checked by itself
            verdict, lines = await told(target, **options)
            assert verdict == "live"
            assert "a connect and a TLS handshake succeed" in lines


async def test_a_ca_file_that_cannot_be_used_is_told(tmp_path):
    cert, key = certificate(tmp_path, "own", "IP:127.0.0.1")
    async with listening(serving(cert, key)) as port:
        missing, empty = tmp_path / "none.pem", tmp_path / "empty.pem"
        empty.touch()
        target = f"https://127.0.0.1:{port}"
        assert f"the CA file {missing} cannot be used: no such file" in (await told(target, ca=str(missing)))[1]
        verdict, lines = await told(target, ca=str(empty))
        assert verdict == "unreachable"
        assert f"the CA file {empty} cannot be used: it holds no certificate in PEM form" in lines
        assert lines.endswith("give it a CA file in PEM form, or another one, or mend it with devdns add x TARGET")


async def test_a_service_without_tls_is_told():
    async with listening(said=b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
        verdict, lines = await told(f"https://127.0.0.1:{port}")
    assert verdict == "unreachable"
    assert "a connect succeeds, but no TLS handshake: " in lines


async def test_a_name_that_does_not_resolve_is_told_as_such():
    verdict, lines = await told("http://intra.invalid:80")
    assert verdict == "unreachable"
    assert "the name intra.invalid " in lines
    assert "see that intra.invalid resolves on this machine, or mend it" in lines


async def test_what_resolves_too_late_troubles_nobody(monkeypatch):
    loop, slow, heard = asyncio.get_running_loop(), asyncio.Event(), []

    async def resolve(*_, **__):
        await slow.wait()
        raise OSError("Name or service not known")

    monkeypatch.setattr(loop, "getaddrinfo", resolve, raising=False)
    monkeypatch.setattr("devdns.control.checks.RESOLVING", 0.01)
    loop.set_exception_handler(lambda _, context: heard.append(context))
    assert "was not resolved within" in (await told("http://intra.lan:80"))[1]
    slow.set()
    await asyncio.wait([task for task in asyncio.all_tasks() if task.get_name() == "resolve intra.lan"])
    gc.collect()
    assert not heard
