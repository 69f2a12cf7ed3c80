"""The Docker provider against a real engine: labels become routes, and every change of the containers is followed."""

import asyncio
import functools
import os
import signal
import threading

import pytest
from support.containers import address, body, nonce
from support.docker_heard import watching
from support.ports import free_port

from devdns.core.routes import State, Target

pytestmark = pytest.mark.engine
API = {"dev.route": "api"}
COMPOSE = {"com.docker.compose.project": "my_shop", "com.docker.compose.service": "web"}


async def run(engine, *args, **options):
    return await asyncio.to_thread(functools.partial(engine.run, *args, **options))


async def served(route):
    (target,) = route.targets
    return await asyncio.to_thread(body, target.host, target.port)


async def test_a_label_is_a_route_to_the_containers_own_address(engine, heard):
    api = await run(engine, "shop-api", {**API, "dev.strip": "true", "dev.hold": "5s"})
    route = await heard.live("api")
    assert route.targets == (Target(address(api), 8000),)
    assert (route.source, route.owner) == (f"docker:{engine.url}", "shop-api")
    assert route.origin == "container shop-api, label dev.route"
    assert (route.options.strip, route.options.hold) == (True, 5.0)
    assert await served(route) == nonce(api)


async def test_two_containers_never_answer_for_each_other(engine, heard):
    one, two = await run(engine, "one", {"dev.route": "one"}), await run(engine, "two", {"dev.route": "two"})
    assert await served(await heard.live("one")) == nonce(one)
    assert await served(await heard.live("two")) == nonce(two)


async def test_what_runs_already_is_listed(engine):
    api = await run(engine, "early", API)
    async with watching(engine.url) as heard:
        await heard.until(lambda: heard.words, "the first word")
        assert heard.route("api") is not None
        assert await served(await heard.live("api")) == nonce(api)


async def test_stopped_is_restarting_then_gone_and_started_is_back(engine, heard):
    api = await run(engine, "api", {**API, "dev.hold": "300ms"})
    targets = (await heard.live("api")).targets
    said = len(heard.words)
    await asyncio.to_thread(api.stop)
    await heard.gone("api")
    routes = [route for word in heard.words[said:] for route in word.routes or ()]
    assert {(route.state, route.targets) for route in routes} == {(State.RESTARTING, targets)}
    await heard.until(lambda: heard.refusals(quiet=True), "the reason")
    (why,) = heard.refusals(quiet=True)
    assert (why.name, why.hint) == ("api.dev.test", "docker start api")
    assert why.reason == "container api is exited (exit code 137)"
    await asyncio.to_thread(api.start)
    assert await served(await heard.live("api")) == nonce(api)
    await asyncio.to_thread(functools.partial(api.remove, force=True))
    await heard.gone("api")
    await heard.until(lambda: not heard.refusals(quiet=True), "the container to be forgotten")


async def test_a_restart_with_a_new_address_is_followed(engine, heard):
    api = await run(engine, "api", API)
    before = (await heard.live("api")).targets
    await asyncio.to_thread(api.stop)
    await run(engine, "squatter")
    await asyncio.to_thread(api.start)
    await heard.until(
        lambda: (r := heard.route("api")) and r.targets == (Target(address(api), 8000),), "the new address"
    )
    route = await heard.live("api")
    assert route.targets != before
    assert await served(route) == nonce(api)


async def test_recreated_with_another_address_and_port_it_is_followed_in_place(engine, heard):
    before = await run(engine, "api", API)
    targets = (await heard.live("api")).targets
    said = len(heard.words)
    await asyncio.to_thread(functools.partial(before.remove, force=True))
    await heard.until(lambda: heard.state("api") is State.RESTARTING, "the end of it")
    assert heard.route("api").targets == targets
    await run(engine, "squatter")
    after = await run(engine, "api", API, listen=9000)
    await heard.until(lambda: heard.state("api") is State.LIVE, "the new one")
    assert heard.route("api").targets == (Target(address(after), 9000),)
    assert await served(heard.route("api")) == nonce(after)
    assert all(any(route.host == "api.dev.test" for route in word.routes) for word in heard.words[said:])


async def test_an_app_that_is_killed_comes_back_by_its_policy(engine, heard):
    api = await run(engine, "api", API, restart_policy={"Name": "always"})
    await heard.live("api")
    os.kill(engine.client.api.inspect_container(api.id)["State"]["Pid"], signal.SIGKILL)
    await heard.until(lambda: heard.state("api") is State.RESTARTING, "its death")
    assert "exit code 137" in heard.route("api").reason
    assert await served(await heard.live("api")) == nonce(api)


async def test_a_service_that_listens_late_is_starting_until_then(engine, heard):
    late = ["sh", "-c", "until test -e /tmp/go; do sleep 0.02; done; exec httpd -f -p 8000 -h /"]
    api = await run(engine, "late", API, command=late)
    await heard.until(lambda: heard.route("api"), "the route")
    route = heard.route("api")
    assert (route.state, route.targets) == (State.STARTING, (Target(address(api), 8000),))
    await asyncio.to_thread(api.exec_run, ["touch", "/tmp/go"])
    await heard.live("api")


async def test_health_checks_gate_the_route(engine, heard):
    check = {"test": ["CMD", "test", "-e", "/tmp/well"], "interval": 100_000_000, "retries": 2, "start_period": 10**10}
    api = await run(engine, "api", API, healthcheck=check)
    await heard.until(lambda: heard.route("api"), "the route")
    assert heard.route("api").state is State.STARTING
    await asyncio.to_thread(api.exec_run, ["touch", "/tmp/well"])
    await heard.live("api")
    await asyncio.to_thread(api.exec_run, ["sh", "-c", "exec /bin/busybox rm /tmp/well"])
    await heard.until(lambda: heard.route("api").state is State.UNHEALTHY, "the check to fail")
    assert "health check of container api fails" in heard.route("api").reason


async def test_a_container_that_crashes_is_restarting_under_its_policy(engine, heard):
    crash = ["sh", "-c", "sleep 0.1; exit 7"]
    await run(engine, "api", API, command=crash, restart_policy={"Name": "always"})
    await heard.until(
        lambda: heard.route("api") and "is being restarted" in heard.route("api").reason, "the crash loop"
    )
    route = heard.route("api")
    assert route.state is State.RESTARTING
    assert route.reason == "container api ended with exit code 7 and is being restarted"


async def test_a_paused_container_takes_no_traffic(engine, heard):
    api = await run(engine, "api", {**API, "dev.hold": "300ms"})
    await heard.live("api")
    await asyncio.to_thread(api.pause)
    for state in (State.RESTARTING, State.UNREACHABLE):
        await heard.until(lambda state=state: heard.state("api") is state, f"{state} after the pause")
        assert heard.route("api").reason == "container api is paused: docker unpause api"
    await asyncio.to_thread(api.unpause)
    await heard.live("api")


async def test_replicas_of_a_compose_service_are_a_pool(engine, heard):
    ones = [await run(engine, f"web-{n}", {**COMPOSE, **API}) for n in (1, 2)]
    await heard.until(lambda: (r := heard.route("api")) and len(r.targets) == 2, "both replicas")
    assert {target.host for target in heard.route("api").targets} == {address(each) for each in ones}
    assert heard.store.conflicts() == ()
    await asyncio.to_thread(ones[0].kill)
    await heard.until(lambda: len(heard.route("api").targets) == 1, "the one that is left")
    assert await served(heard.route("api")) == nonce(ones[1])


async def test_a_compose_service_with_one_published_port_has_a_default_name(engine, heard):
    web = await run(engine, "web-1", COMPOSE, {"8000/tcp": ("127.0.0.1", None)})
    route = await heard.live("web.my-shop")
    assert route.origin == "container web-1, label com.docker.compose.service"
    assert await served(route) == nonce(web)
    await run(engine, "web-run", {**COMPOSE, "com.docker.compose.oneoff": "True"}, {"8000/tcp": ("127.0.0.1", None)})
    await heard.until(lambda: heard.refusals(quiet=True), "the reason for the one-off run")
    assert "one-off" in heard.refusals(quiet=True)[0].reason
    assert len(heard.route("web.my-shop").targets) == 1


async def test_a_second_claim_is_a_conflict_and_the_first_owner_keeps_the_name(engine, heard):
    first = await run(engine, "first", {**API, "dev.hold": "0s"})
    await heard.live("api")
    second = await run(engine, "second", API)
    await heard.until(heard.store.conflicts, "the conflict")
    (conflict,) = heard.store.conflicts()
    assert (conflict.winner.owner, conflict.loser.owner) == ("first", "second")
    await asyncio.to_thread(second.restart)
    await heard.until(heard.store.conflicts, "the conflict again")
    assert await served(await heard.live("api")) == nonce(first)
    await asyncio.to_thread(first.kill)
    await heard.until(lambda: heard.route("api") and heard.route("api").owner == "second", "the heir")
    assert heard.store.conflicts() == ()


async def test_a_renamed_container_keeps_its_route(engine, heard):
    api = await run(engine, "api", API)
    await heard.live("api")
    await asyncio.to_thread(api.rename, "better")
    await heard.until(lambda: heard.route("api").origin == "container better, label dev.route", "the new name")
    assert heard.route("api").state is State.LIVE


async def test_wrong_labels_are_refused_and_hurt_nobody(engine, heard):
    await run(engine, "vague", {"dev.route": "vague"}, expose=[8000, 9000])
    await run(engine, "typo", {"dev.rout": "typo"})
    api = await run(engine, "api", API)
    assert await served(await heard.live("api")) == nonce(api)
    await heard.until(lambda: len(heard.refusals()) == 2, "both refusals")
    assert [(each.reason, each.hint) for each in heard.refusals()] == [
        ("container vague offers several TCP ports: 8000, 9000", "add the label dev.port=8000"),
        ("label 'dev.rout' is not one of devdns", "did you mean dev.route?"),
    ]


async def test_a_container_in_anothers_network_is_reached_where_that_is(engine, heard):
    front = await run(engine, "front", {"dev.route": "front"})
    labels = {"dev.route": "side", "dev.port": "9000"}
    side = await asyncio.to_thread(
        functools.partial(engine.run, "side", labels, listen=9000, expose=[], network_mode=f"container:{front.id}")
    )
    route = await heard.live("side")
    assert route.targets == (Target(address(front), 9000),)
    assert await served(route) == nonce(side)


async def test_the_hosts_network_is_this_machine(engine, heard):
    free = free_port()
    labels = {**API, "dev.port": str(free)}
    api = await run(engine, "api", labels, listen=free, network_mode="host")
    route = await heard.live("api")
    assert route.targets == (Target("127.0.0.1", free),)
    assert await served(route) == nonce(api)


async def test_joining_and_leaving_networks_is_followed(engine, heard):
    api = await run(engine, "api", API)
    await heard.live("api")
    other = engine.network("other")
    await asyncio.to_thread(other.connect, api)
    await asyncio.to_thread(engine.client.networks.get("bridge").disconnect, api)
    await heard.until(lambda: heard.route("api").targets == (Target(address(api, "other"), 8000),), "the other network")
    assert await served(await heard.live("api")) == nonce(api)


@pytest.mark.parametrize("kill", [False, True])
async def test_a_daemon_restart_is_survived(engine, heard, *, kill):
    kept = await run(engine, "kept", API, restart_policy={"Name": "always"})
    await heard.live("api")
    await asyncio.to_thread(engine.daemon_stop, kill=kill)
    await heard.until(lambda: heard.trouble, "the trouble")
    assert str(engine.url) in heard.trouble.reason
    await asyncio.to_thread(engine.daemon_start)
    assert await served(await heard.live("api")) == nonce(kept)
    await heard.until(lambda: heard.trouble is None, "the end of the trouble")
    web = await run(engine, "web", {"dev.route": "web"})
    assert await served(await heard.live("web")) == nonce(web)


async def test_nothing_is_left_running_after_cancellation(engine):
    before = set(threading.enumerate())
    async with watching(engine.url) as heard:
        await heard.until(lambda: heard.words, "the first word")
    for thread in set(threading.enumerate()) - before:
        thread.join(1)
        assert not thread.is_alive(), thread.name
