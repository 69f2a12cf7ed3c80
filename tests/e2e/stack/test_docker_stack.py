"""A real Docker Engine, the real command, foreign clients: labels become names that answer."""

import subprocess
import time

import pytest
from support.containers import address, nonce, published
from support.stack import Stack
from support.waiting import wait_until

API = {"dev.route": "api"}
NOBODY = 65534


@pytest.fixture
def stack(engine, tmp_path):
    engine.folder.chmod(0o711)  # the unprivileged control reaches the socket by its group
    with Stack(tmp_path, "", DOCKER_HOST=engine.url, DEVDNS_DOCKER_ENABLED="true") as running:
        wait_until(lambda: source(running)["state"] == "ok", what="the Docker source")
        yield running


def source(stack):
    return next(each for each in stack.json("status")["sources"] if each["source"].startswith("docker"))


def serves(stack, host, container):
    body = nonce(container).encode() + b"\n"
    wait_until(lambda: stack.serves(host, body), what=f"{host} answering as {container.name}")
    assert stack.get(host) == (200, body)


def gone(stack, host):
    wait_until(lambda: stack.get(host)[0] == 404, what=f"the end of {host}")
    assert stack.get(host)[0] == 404


def test_two_labelled_containers_answer_by_name(engine, stack):
    api, web = engine.run("api-1", API), engine.run("web-1", {"dev.route": "web", "dev.hold": "0s"})
    assert stack.dig("api.dev.test") == stack.dig("web.dev.test") == ["127.0.0.1"]
    serves(stack, "api.dev.test", api)
    serves(stack, "web.dev.test", web)
    web.kill()
    gone(stack, "web.dev.test")
    serves(stack, "api.dev.test", api)


def test_a_restart_with_a_new_address_is_followed(engine, stack):
    api = engine.run("api-1", API)
    serves(stack, "api.dev.test", api)
    before = address(api)
    api.stop()
    squatter = engine.run("squatter")
    api.start()
    assert address(squatter) == before != address(api)
    serves(stack, "api.dev.test", api)


@pytest.fixture
def walled_off(engine):
    """Container addresses lead nowhere for the unprivileged parts (as on Docker Desktop), published ports do."""
    rule = ["uidrange", f"{NOBODY}-{NOBODY}", "to", str(engine.subnet), "blackhole"]
    subprocess.run(["ip", "rule", "add", *rule], check=True)
    yield
    subprocess.run(["ip", "rule", "delete", *rule], check=True)


def test_a_container_that_only_publishes_is_reached_by_its_port(engine, walled_off, stack):
    api = engine.run("api-1", API, {"8000/tcp": ("127.0.0.1", None)})
    serves(stack, "api.dev.test", api)
    (route,) = stack.json("routes")["routes"]
    assert route["targets"] == [f"http://127.0.0.1:{published(api)}"]


def test_a_container_that_is_out_of_reach_says_what_to_add(engine, walled_off, stack):
    engine.run("api-1", API)
    wait_until(lambda: stack.json("routes")["routes"], what="the route")
    (route,) = stack.json("routes")["routes"]
    assert route["state"] == "unreachable"
    assert "-p 127.0.0.1::8000" in route["reason"]
    status, body = stack.get("api.dev.test", headers={"Accept": "text/plain"})
    assert status in (502, 503)
    assert b"-p 127.0.0.1::8000" in body


def test_a_second_claim_is_a_conflict_and_the_first_owner_keeps_the_name(engine, stack):
    first = engine.run("first", {**API, "dev.hold": "0s"})
    serves(stack, "api.dev.test", first)
    second = engine.run("second", API)
    wait_until(lambda: stack.json("routes")["conflicts"], what="the conflict")
    (conflict,) = stack.json("routes")["conflicts"]
    assert "first" in conflict["winner"]["origin"]
    assert "second" in conflict["loser"]["origin"]
    for _ in range(20):
        serves(stack, "api.dev.test", first)
    assert "second" in stack.run("explain", "api").stdout
    first.kill()
    serves(stack, "api.dev.test", second)
    assert stack.json("routes")["conflicts"] == []


def test_a_daemon_restart_is_survived(engine, stack):
    api = engine.run("api-1", API, restart_policy={"Name": "always"})
    serves(stack, "api.dev.test", api)
    engine.daemon_restart()
    serves(stack, "api.dev.test", engine.client.containers.get("api-1"))
    wait_until(lambda: source(stack)["state"] == "ok", what="the Docker source")
    web = engine.run("web-1", {"dev.route": "web"})
    serves(stack, "web.dev.test", web)


def test_a_wrong_label_is_one_clear_line_and_breaks_nothing(engine, stack):
    api = engine.run("api-1", API)
    engine.run("typo", {"dev.route": "under_score!"})
    engine.run("vague", {"dev.route": "vague"}, expose=[8000, 9000])
    serves(stack, "api.dev.test", api)
    wait_until(lambda: len(loud(stack)) == 2, what="two refusals")
    typo, vague = sorted(loud(stack), key=lambda refusal: "vague" in refusal["origin"])
    assert "under_score!" in typo["reason"]
    assert "dev.port" in vague["reason"] + vague["hint"]
    assert "8000" in vague["reason"] + vague["hint"]


def loud(stack):
    return [refusal for refusal in stack.json("routes")["refusals"] if not refusal["quiet"]]


def test_control_killed_keeps_container_routes(engine, stack):
    api = engine.run("api-1", API)
    serves(stack, "api.dev.test", api)
    stack.kill("control")
    statuses = set()
    wait_until(lambda: statuses.add(stack.get("api.dev.test")[0]) or stack.running("control"))
    deadline = time.monotonic() + 1
    while time.monotonic() < deadline:
        statuses.add(stack.get("api.dev.test")[0])
    assert statuses == {200}


def test_control_killed_holds_what_was_down(engine, stack):
    api = engine.run("api-1", API)
    serves(stack, "api.dev.test", api)
    api.kill()
    wait_until(lambda: state(stack) == "restarting", what="the end of it")
    stack.kill("control")
    wait_until(lambda: stack.running("control"), what="another control")
    wait_until(lambda: source(stack)["state"] == "ok", what="the Docker source")
    assert state(stack) == "restarting"
    api.start()
    serves(stack, "api.dev.test", api)
    changes = [(each["from"] and each["from"]["state"], each["to"] and each["to"]["state"]) for each in history(stack)]
    assert ("live", "restarting") in changes
    assert (None, None) not in changes
    assert all(after is not None for _, after in changes)


def state(stack):
    return next(each["state"] for each in stack.json("routes")["routes"] if each["name"] == "api.dev.test")


def history(stack):
    return stack.json("history", "api")["entries"]


def test_nothing_is_imported_once_the_privileges_are_gone(engine, tmp_path):
    """The way to the modules may be closed to the unprivileged user, as it is where Python lies below /root."""
    engine.folder.chmod(0o711)
    everything = {"DEVDNS_DOCKER_ENABLED": "true", "DEVDNS_MDNS_ENABLED": "true", "DEVDNS_DEBUG": "true"}
    with Stack(tmp_path, "routes: {down: 1}\n", DOCKER_HOST=engine.url, **everything) as stack:
        serves(stack, "api.dev.test", engine.run("api-1", API))
        assert stack.get("down.dev.test")[0] == 502
        assert stack.get("nobody.dev.test", headers={"Accept": "application/json"})[0] == 404
        assert stack.get(f"devdns.dev.test:{stack.http[1]}")[0] == 200
        assert stack.get(f"devdns.dev.test:{stack.http[1]}", "/api/v1/status")[0] == 200
        assert stack.get("bücher.dev.test".encode("idna").decode())[0] == 404
        assert stack.dig("api.dev.test", "TXT", "+tcp")
        stack.run("add", "bücher", "5173", check=0)
        stack.run("rm", "bücher", check=0)
        assert stack.run("explain", "api").returncode == 0
        stack.config.write_text("routes: {broken\n")
        wait_until(lambda: stack.run("status").returncode == 1, what="the broken file")
        log = stack.log()
    assert '"debug"' in log
    assert [line for line in log.splitlines() if "late import" in line] == []
