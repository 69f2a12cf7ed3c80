"""Manual routes: told after each change, kept across restarts, never half written."""

import random
import resource
import signal
import subprocess
import sys

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import writer
from support.watching import watching

from devdns.core.names import Claim, Zones
from devdns.core.routes import Options, Route, Target
from devdns.core.sources import Statement
from devdns.providers.manual import ManualRoutes

ZONES = Zones()
API = Route(host="api.dev.test", targets=(Target("127.0.0.1", 5173),), source="manual", origin="added by hand")
WEB = Route(
    host="*.web.dev.test",
    prefix="/v2",
    targets=(Target("::1", 8000, "h2c"), Target("", 0, path="/run/web.sock")),
    source="manual",
    options=Options(strip=True, host="localhost:8000", health="/healthz", hold=1.5, timeout=60.0),
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "routes.json"


def manual(path, *zones):
    return ManualRoutes(str(path), Zones(zones) if zones else ZONES)


async def stated(routes):
    async with watching(routes) as said:
        return await said()


async def test_a_file_nested_too_deep_costs_that_route_only(path):
    deep = "[" * 900 + "80" + "]" * 900
    path.write_text(f'{{"routes": {{"bad.dev.test": {{"target": {deep}}}, "api.dev.test": {{"target": ["5173"]}}}}}}')
    said = await stated(manual(path))
    assert ([each.host for each in said.routes], [each.name for each in said.refusals]) == (
        ["api.dev.test"],
        ["bad.dev.test"],
    )


async def test_each_put_and_remove_is_told(path):
    routes = manual(path)
    async with watching(routes) as said:
        assert await said() == Statement()
        routes.put(API)
        assert await said() == Statement((API,))
        routes.put(WEB)
        assert await said() == Statement((API, WEB))
        routes.put(API)
        assert await said() == Statement((API, WEB))
        routes.remove(API.claim)
        assert await said() == Statement((WEB,))
        routes.remove(Claim("absent.dev.test"))
        assert await said() == Statement((WEB,))


async def test_they_come_back_after_a_restart(path):
    before = manual(path)
    before.put(API)
    before.put(WEB)
    assert await stated(manual(path)) == Statement((API, WEB))


times = st.none() | st.floats(0.000001, 86_400).map(lambda value: round(value, 6))
hosts = st.from_regex(r"[a-z]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)


@given(
    host=hosts,
    port=st.integers(1, 65535),
    scheme=st.sampled_from(["http", "https", "h2c"]),
    options=st.builds(Options, strip=st.booleans(), host=st.none() | hosts, hold=times, timeout=times),
)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
async def test_any_route_survives_the_file(path, host, port, scheme, options):
    route = Route(
        host=f"x{host}.dev.test", targets=(Target("127.0.0.1", port, scheme),), source="manual", options=options
    )
    path.unlink(missing_ok=True)
    manual(path).put(route)
    assert await stated(manual(path)) == Statement((route,))


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"\xff\xfe", b'{"version": 2, "routes": {}}', b'{"routes": 5}', b"[" * 100_000]
)
async def test_a_file_that_is_none_of_ours_is_set_aside(path, content):
    path.write_bytes(content)
    routes = manual(path)
    async with watching(routes) as said:
        assert "could not be understood" in (await said()).reason
        assert path.with_name("routes.json.broken").read_bytes() == content
        routes.put(API)
        assert await said() == Statement((API,))
    assert await stated(manual(path)) == Statement((API,))


async def test_what_cannot_be_a_route_now_is_refused_and_kept(path):
    manual(path, "dev.test", "shop.test").put(msgspec.structs.replace(API, host="api.shop.test"))
    kept = msgspec.json.decode(path.read_bytes())
    kept["routes"]["devdns.dev.test"] = {"target": "80"}
    kept["routes"]["b.dev.test"] = {"target": ["99999", "80"], "hold": "never"}
    path.write_bytes(msgspec.json.encode(kept))
    narrow = manual(path)
    narrow.put(API)
    statement = await stated(narrow)
    assert statement.routes == (API,)
    assert [(each.name, each.reason) for each in statement.refusals] == [
        ("api.shop.test", "api.shop.test is in none of the zones dev.test"),
        ("devdns.dev.test", "name 'devdns.dev.test' is reserved: devdns itself answers at devdns.dev.test"),
        (
            "b.dev.test",
            "target '99999': port 99999 is not between 1 and 65535; hold: 'never' is not a time of at most a day"
            " - write it like 15s, 500ms or 1m",
        ),
    ]
    assert [route.host for route in (await stated(manual(path, "dev.test", "shop.test"))).routes] == [
        "api.shop.test",
        "api.dev.test",
    ]


async def test_a_disk_that_takes_no_more_changes_nothing(path):
    routes = manual(path)
    routes.put(API)
    before = path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before), hard))
    try:
        with pytest.raises(OSError, match="too large"):
            routes.put(WEB)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)
    assert path.read_bytes() == before
    assert await stated(routes) == Statement((API,))
    assert list(path.parent.iterdir()) == [path]


def killed_writer(path, rounds):
    """Writes all eight routes again and again and is killed somewhere after so many rounds."""
    with subprocess.Popen([sys.executable, writer.__file__, path], stdout=subprocess.PIPE) as process:
        for _ in range(rounds):
            assert process.stdout.readline() == b"on\n"
        process.kill()


async def test_a_writer_killed_at_any_moment_leaves_a_whole_file(path):
    chance = random.Random(7)
    for _ in range(12):
        killed_writer(path, chance.randrange(1, 4))
        statement = await stated(manual(path))
        assert [route.host[0] for route in statement.routes] == list("abcdefgh")
        ports = {route.targets[0].port for route in statement.routes}
        assert max(ports) - min(ports) <= 1
        assert not statement.refusals
        assert list(path.parent.iterdir()) == [path]
