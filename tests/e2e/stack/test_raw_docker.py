"""Raw TCP of containers: two Redis on 6379 in a real engine, by label, one restarted under load."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support import raw_load
from support.containers import address
from support.parts import need
from support.stack import Stack
from support.waiting import wait_until

PING, PONG = b"PING\r\n".hex(), b"+PONG\r\n".hex()
IMAGE = "devdns-test:redis"
COMMAND = ["redis-server", "--protected-mode", "no", "--save", "", "--dir", "/tmp"]


@pytest.fixture
def redis(engine):
    """`redis(name, **options)` starts a container of it; its image is Debian's program with the libraries it needs."""
    need("redis-server", "redis-cli")
    program = shutil.which("redis-server")
    libraries = re.findall(r"(/\S+)", subprocess.check_output(["ldd", program], text=True))
    files = {"bin/redis-server": Path(program), "bin/busybox": Path(shutil.which("busybox"))}
    engine.image(IMAGE, files | {each.lstrip("/"): Path(each) for each in libraries})

    def run(name, **options):
        labels = {"dev.route": name, "dev.tcp": "6379"}
        return engine.run(f"{name}-1", labels, expose=(6379,), image=IMAGE, command=COMMAND, **options)

    return run


@pytest.fixture
def stack(engine, tmp_path):
    engine.folder.chmod(0o711)
    with Stack(tmp_path, "", DOCKER_HOST=engine.url, DEVDNS_DOCKER_ENABLED="true") as running:
        yield running


def live(stack, name):
    def is_live():
        routes = stack.json("routes")["routes"]
        return next((each for each in routes if each["host"] == f"{name}.dev.test" and each["state"] == "live"), None)

    return wait_until(is_live, what=f"{name} to be live")


def asked(place, *command):
    done = subprocess.run(["redis-cli", "-h", place, *command], capture_output=True, text=True, check=False, timeout=10)
    return done.stdout.strip()


def identity(place):
    return asked(place, "info", "server").partition("run_id:")[2][:40]


def under_load(stack, redis, *acts, **options):
    """Does `acts` to one of two containers while it is under load; what became of the connections. The other is not touched."""
    one, two = redis("raw-one", **options), redis("raw-two", **options)
    found = [live(stack, name) for name in ("raw-one", "raw-two")]
    assert [each["url"] for each in found] == ["tcp://raw-one.dev.test:6379", "tcp://raw-two.dev.test:6379"]
    places = [stack.dig(f"{name}.dev.test")[0] for name in ("raw-one", "raw-two")]
    assert identity(places[0]) == identity(address(one)) != identity(places[1]) == identity(address(two))
    before = identity(places[1])
    command = [sys.executable, raw_load.__file__, places[0], "6379", PING, PONG]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as load:
        for act in (lambda _: None, *acts):
            act(one)
            load.stdin.write("50\n")
            load.stdin.flush()
            assert load.stdout.readline() == "50\n"
        load.stdin.close()
        counts = json.loads(load.stdout.read())
    assert identity(places[1]) == before
    assert (counts["refused"], counts["wrong"]) == (0, 0), counts
    assert counts["cut"] <= len(acts) * raw_load.THREADS, counts  # what had reached the one that ended
    return found[0]


def killed(container):
    container.kill()
    container.start()


def test_a_container_is_restarted_and_killed_under_load(redis, stack):
    route = under_load(stack, redis, lambda one: one.restart(timeout=1), killed)
    assert route["targets"][0].endswith(":6379")


@pytest.mark.evidence
def test_a_container_behind_docker_proxy_is_killed_under_load(engine, redis, stack):
    with engine.unrouted():
        route = under_load(stack, redis, killed, ports={"6379/tcp": ("127.0.0.1", None)})
    assert route["targets"][0].startswith("tcp://127.0.0.1:")
