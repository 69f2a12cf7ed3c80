"""The control API over its Unix socket, as the command uses it."""

import asyncio
import json
import os
import sys

import pytest
from msgspec import to_builtins
from support.control import Doors, Scripted, ask, client, registry_of, route
from support.figures import value

from devdns.core.routes import Options
from devdns.core.sources import Refusal, Statement, Trouble


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
async def docker():
    return Scripted(
        "docker",
        Statement(
            (route("web", "172.17.0.2:80", "docker", owner="shop", origin="container shop-web-1, label dev.route"),),
            (Refusal("container shop-db-1", "db", "it offers several ports: 80, 443", "add the label dev.port"),),
        ),
    )


@pytest.fixture
async def registry(docker):
    async with registry_of(docker) as registry, Doors(registry):
        yield registry


async def test_the_table_names_every_route_with_its_url_and_origin(registry):
    status, body = await ask("control.sock", "GET", "/api/v1/routes")
    assert status == 200
    assert body["version"] == 1
    assert body["conflicts"] == []
    assert body["routes"] == [
        {
            "name": "web.dev.test",
            "url": "http://web.dev.test:8080",
            "host": "web.dev.test",
            "prefix": "",
            "port": 0,
            "address": "",
            "targets": ["http://172.17.0.2:80"],
            "source": "docker",
            "owner": "shop",
            "origin": "container shop-web-1, label dev.route",
            "state": "live",
            "reason": "",
            "options": to_builtins(Options()),
        }
    ]
    assert body["refusals"][0]["reason"] == "it offers several ports: 80, 443"


async def test_a_route_is_in_force_when_put_returns_and_gone_when_delete_does(registry):
    status, body = await ask("control.sock", "PUT", "/api/v1/routes/api/v2", json={"target": "5173", "strip": True})
    assert (status, body["route"]["name"], body["conflict"]) == (201, "api.dev.test/v2", None)
    assert registry.table.lookup("api.dev.test", "/v2/x").options.strip
    status, _ = await ask("control.sock", "PUT", "/api/v1/routes/api/v2", json={"target": ["5173", 5174]})
    assert status == 200
    assert len(registry.table.lookup("api.dev.test", "/v2").targets) == 2
    assert await ask("control.sock", "DELETE", "/api/v1/routes/api%2Fv2") == (
        200,
        {"version": 1, "removed": "api.dev.test/v2"},
    )
    assert registry.table.lookup("api.dev.test", "/v2") is None


async def test_putting_the_same_route_again_changes_nothing(registry):
    await ask("control.sock", "PUT", "/api/v1/routes/api", json={"target": 5173})
    generation = registry.table.generation
    assert (await ask("control.sock", "PUT", "/api/v1/routes/api", json={"target": 5173}))[0] == 200
    assert registry.table.generation == generation


async def test_a_manual_route_beats_a_container_and_says_so(registry):
    status, body = await ask("control.sock", "PUT", "/api/v1/routes/web", json={"target": 5173})
    assert status == 201
    assert body["conflict"]["loser"]["origin"] == "container shop-web-1, label dev.route"
    status, body = await ask("control.sock", "GET", "/api/v1/routes")
    assert [each["name"] for each in body["conflicts"]] == ["web.dev.test"]


@pytest.mark.parametrize(
    ("method", "path", "options", "status", "error", "word"),
    [
        ("PUT", "/api/v1/routes/a_b", {"json": {"target": 1}}, 400, "bad_name", "a_b"),
        ("PUT", "/api/v1/routes/", {"json": {"target": 1}}, 400, "bad_name", "name '' is empty"),
        ("PUT", "/api/v1/routes/http%3A%2F%2Fapi.dev.test%2F", {"json": {"target": 1}}, 400, "bad_name", "write api"),
        ("DELETE", "/api/v1/routes/", {}, 400, "bad_name", "name '' is empty"),
        ("GET", "/api/v1/explain/", {}, 400, "bad_name", "name '' is empty"),
        ("PUT", "/api/v1/routes/devdns", {"json": {"target": 1}}, 400, "bad_name", "reserved"),
        ("PUT", "/api/v1/routes/localhost", {"json": {"target": 1}}, 400, "bad_name", "localhost"),
        ("PUT", "/api/v1/routes/*", {"json": {"target": 1}}, 400, "bad_name", "*"),
        ("PUT", "/api/v1/routes/api", {"json": {"target": "nonsense"}}, 400, "bad_request", "nonsense"),
        ("PUT", "/api/v1/routes/api", {"json": {"target": "169.254.169.254:80"}}, 400, "bad_request", "169.254"),
        ("PUT", "/api/v1/routes/api", {"json": {"target": 8080}}, 400, "bad_target", "127.0.0.1:8080"),
        ("PUT", "/api/v1/routes/api", {"json": {"target": "localhost:5300"}}, 400, "bad_target", "127.0.0.1:5300"),
        ("PUT", "/api/v1/routes/api", {"json": {"tagret": 1}}, 400, "bad_request", "tagret"),
        ("PUT", "/api/v1/routes/api", {"json": {"target": 1, "hold": "soon"}}, 400, "bad_request", "soon"),
        ("PUT", "/api/v1/routes/api", {"json": [1]}, 400, "bad_request", "object"),
        (
            "PUT",
            "/api/v1/routes/api",
            {"data": b"{", "headers": {"Content-Type": "application/json"}},
            400,
            "bad_request",
            "JSON",
        ),
        ("PUT", "/api/v1/routes/api", {"data": {"target": "1"}}, 415, "unsupported_media_type", "application/json"),
        ("PUT", "/api/v1/routes/api", {"json": {"target": "x" * 70_000}}, 413, "too_large", ""),
        ("DELETE", "/api/v1/routes/web", {}, 404, "not_found", "container shop-web-1"),
        ("DELETE", "/api/v1/routes/none", {}, 404, "not_found", "none.dev.test"),
        ("GET", "/api/v1/explain/a_b", {}, 400, "bad_name", "a_b"),
        ("GET", "/nowhere", {}, 404, "not_found", "/nowhere"),
        ("POST", "/api/v1/status", {}, 405, "method_not_allowed", "POST"),
        ("POST", "/api/v1/files", {"json": {"path": "devdns.yml"}}, 400, "bad_request", "devdns.yml"),
        ("POST", "/api/v1/files", {"json": {"path": "/nowhere/devdns.yml"}}, 400, "bad_request", "/nowhere"),
        ("POST", "/api/v1/files", {"json": {"path": 1}}, 400, "bad_request", "path"),
        ("DELETE", "/api/v1/files", {"json": {"path": "/nowhere/devdns.yml"}}, 404, "not_found", "/nowhere"),
    ],
)
async def test_a_refusal_is_json_that_names_the_value(registry, method, path, options, status, error, word):
    before = registry.table
    found, body = await ask("control.sock", method, path, **options)
    assert (found, body["error"], body["code"]) == (status, error, status)
    assert word in body["detail"]
    assert "\n" not in body["detail"]
    assert registry.table is before


async def test_status_tells_sources_with_reasons_and_problems(registry, docker, folder):
    docker.say(Trouble("the Docker Engine is gone", "start it"))
    await registry.sources.spoken("docker", 1)
    row = {"name": "proxy-1", "pid": 1, "restarts": 2, "since": 1.0, "state": "running"}
    (folder / "supervisor.json").write_text(
        json.dumps({"pid": 1, "listeners": {"dns": [["127.0.0.1", 5301]], "http": []}, "processes": [row]})
    )
    status, body = await ask("control.sock", "GET", "/api/v1/status")
    assert status == 200
    assert body["sources"] == [
        {"source": "manual", "state": "ok", "reason": "", "hint": "", "routes": 0},
        {
            "source": "docker",
            "state": "degraded",
            "reason": "the Docker Engine is gone",
            "hint": "start it",
            "routes": 1,
        },
    ]
    assert body["listeners"]["dns"] == [["127.0.0.1", 5301]]
    assert body["processes"][0]["restarts"] == 2
    assert body["processes"][0]["rss"] > 0
    assert body["problems"] == [
        "docker: the Docker Engine is gone - start it",
        "docker, container shop-db-1: db refused: it offers several ports: 80, 443 - add the label dev.port",
    ]
    assert (body["routes"], body["instance"], body["zones"]) == (1, "instance-1", ["dev.test", "shop.test"])


async def test_explain_takes_names_paths_and_urls(registry):
    for name in (
        "web",
        "web.dev.test",
        "web/deep/path",
        "http%3A%2F%2FWEB.dev.test%3A8080%2Fx%3Fy",
        "http://web.dev.test/x",
    ):
        status, body = await ask("control.sock", "GET", f"/api/v1/explain/{name}")
        assert status == 200
        assert body["route"]["name"] == "web.dev.test"
        assert body["verdict"] in ("unreachable", "live")


async def test_a_routes_file_is_attached_remembered_and_detached(registry, folder):
    path = str(folder / "more.yml")
    (folder / "more.yml").write_text("routes: {}\n")
    assert (await ask("control.sock", "POST", "/api/v1/files", json={"path": path}))[0] == 201
    assert registry.table.lookup("attached.dev.test")
    assert (await ask("control.sock", "POST", "/api/v1/files", json={"path": path}))[0] == 200
    assert json.loads((folder / "attached.json").read_text()) == [path]
    _, body = await ask("control.sock", "GET", "/api/v1/files")
    assert body["files"] == [{"path": path, "source": f"file:{path}", "main": False}]
    assert (await ask("control.sock", "DELETE", "/api/v1/files", json={"path": path}))[0] == 200
    assert registry.table.lookup("attached.dev.test") is None
    assert json.loads((folder / "attached.json").read_text()) == []


async def test_health_metrics_and_the_description_are_served(registry):
    assert await ask("control.sock", "GET", "/healthz") == (200, {"version": 1, "ok": True})
    assert (await ask("control.sock", "GET", "/api/v1/openapi.json"))[1]["openapi"] == "3.1.0"
    async with client() as session, session.get("/metrics") as reply:
        page = await reply.read()
    assert value(page, "devdns_source_up", source="docker") == 1
    assert reply.headers["Content-Type"].startswith("text/plain; version=0.0.4")


async def test_every_body_ends_its_line(registry):
    async with client() as session:
        for path in ("status", "routes", "explain/web", "files", "openapi.json", "nowhere"):
            async with session.get(f"/api/v1/{path}") as reply:
                text = await reply.text()
            assert text.endswith("}\n")
            assert json.loads(text)


async def test_routes_are_told_by_name(registry):
    for name in ("zoo", "api/v2", "mid", "api"):
        await ask("control.sock", "PUT", f"/api/v1/routes/{name}", json={"target": 5173})
    _, body = await ask("control.sock", "GET", "/api/v1/routes")
    names = [each["name"] for each in body["routes"]]
    assert names == ["api.dev.test", "api.dev.test/v2", "mid.dev.test", "web.dev.test", "zoo.dev.test"]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")
async def test_another_user_of_the_machine_may_not_ask(registry, folder):
    for place in (folder, *folder.parents[:2]):
        place.chmod(0o755)
    (folder / "control.sock").chmod(0o666)
    code = (
        "import os, socket; os.setuid(65534); s = socket.socket(socket.AF_UNIX); s.connect('control.sock');"
        "s.send(b'GET /healthz HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n');"
        "print(s.makefile().read())"
    )
    asking = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE)
    said, _ = await asyncio.wait_for(asking.communicate(), 10)
    assert b" 403 " in said.splitlines()[0]
    assert b"user id 65534 may not control this devdns" in said


async def test_head_tells_what_get_would(registry):
    async with client() as session, session.head("/api/v1/routes") as reply:
        assert reply.status == 200
        assert await reply.read() == b""


@pytest.mark.parametrize("field", ["Devdns-Hop", "Forwarded"])
async def test_what_came_through_the_proxy_is_no_trusted_peer(registry, field):
    options = {"json": {"target": 6666}, "headers": {field: "x"}}
    status, body = await ask("control.sock", "PUT", "/api/v1/routes/bank", **options)
    assert (status, body["error"]) == (403, "forbidden")
    assert registry.table.lookup("bank.dev.test") is None


@pytest.mark.parametrize("depth", [400, 900, 20_000])
async def test_a_body_nested_too_deep_is_refused(registry, depth):
    deep = b'{"target": ' + b"[" * depth + b"]" * depth + b"}"
    options = {"data": deep, "headers": {"Content-Type": "application/json"}}
    assert (await ask("control.sock", "PUT", "/api/v1/routes/api", **options))[0] == 400
    assert (await ask("control.sock", "GET", "/healthz"))[0] == 200


async def test_rates_are_told_by_route(registry):
    assert await ask("control.sock", "GET", "/api/v1/rates") == (
        200,
        {"version": 1, "window": 10.0, "requests": 0, "errors": 0, "routes": []},
    )
