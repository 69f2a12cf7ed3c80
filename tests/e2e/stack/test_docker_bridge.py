"""A container of a real engine finds another by name: it asks its gateway, and the proxy there carries the request, with TLS too."""

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from support.containers import nonce
from support.parts import need
from support.stack import Stack
from support.waiting import wait_until

pytestmark = pytest.mark.engine
CURL, WGET = "devdns-test:curl", "devdns-test:wget"


@pytest.fixture
def curl(engine):
    """An image with curl and glibc, which asks as most programs in containers do."""
    return image(engine, CURL, "curl")


@pytest.fixture
def wget(engine):
    """The same with wget."""
    return image(engine, WGET, "wget")


def image(engine, tag, name):
    """The path of the program, which is in an image with the libraries that it needs."""
    need(name, "dig")
    program = Path(shutil.which(name) or "")
    shown = subprocess.run(["ldd", str(program)], capture_output=True, text=True, check=True).stdout
    libraries = [Path(word) for word in shown.split() if word.startswith("/")]
    places = {program, *libraries, Path("/bin/busybox")}
    engine.image(tag, {str(place).removeprefix("/"): place for place in places})
    return str(program)


def test_a_container_fetches_from_another_by_its_name(engine, curl, tmp_path):
    engine.folder.chmod(0o711)  # the unprivileged control reaches the socket by its group
    gateway = str(engine.subnet[1])
    api = engine.run("api-1", {"dev.route": "api"})
    listeners = ("--dns", "127.0.0.9:53", "--http", "127.0.0.9:80", "--https", "127.0.0.9:443")
    with Stack(tmp_path, "", *listeners, DOCKER_HOST=engine.url, DEVDNS_DOCKER_ENABLED="true") as stack:
        wait_until(lambda: [gateway, 53] in stack.facts["listeners"]["dns"], what="a listener at the gateway")
        wait_until(lambda: stack.serves("api.dev.test", nonce(api).encode() + b"\n"), what="the route")
        asked = [curl, "-s", "--max-time", "5", "--cacert", "/ca.pem", "-w", "%{remote_ip} %{http_version}\\n"]
        asked += ["http://api.dev.test/", "https://api.dev.test/"]
        ca = {str(stack.state / "ca.pem"): {"bind": "/ca.pem", "mode": "ro"}}
        heard = engine.client.containers.run(CURL, asked, dns=[gateway], volumes=ca, remove=True)
        assert heard.decode() == f"{nonce(api)}\n{gateway} 1.1\n{nonce(api)}\n{gateway} 2\n"
        assert stack.dig("api.dev.test") == ["127.0.0.9"]


@pytest.mark.parametrize("bridge", [True, False])
def test_wget_in_a_container_reaches_another_with_what_export_compose_says(engine, wget, tmp_path, bridge):
    """By the resolver at the gateway, and by host-gateway where the engine is behind no bridge of ours."""
    engine.folder.chmod(0o711)
    gateway = str(engine.subnet[1])
    api = engine.run("api-1", {"dev.route": "api"})
    (tmp_path / "compose.yaml").write_text("services: {web: {image: any}}\n")
    listeners = ("--dns", "127.0.0.9:53", "--http", "127.0.0.9:80")
    with Stack(tmp_path, "", *listeners, DOCKER_HOST=engine.url, DEVDNS_DOCKER_ENABLED="true") as stack:
        wait_until(lambda: [gateway, 80] in stack.facts["listeners"]["http"], what="a listener at the gateway")
        wait_until(lambda: stack.serves("api.dev.test", nonce(api).encode() + b"\n"), what="the route")
        said = yaml.safe_load(stack.run("export", "compose", check=0).stdout)["services"]["web"]
        assert said == {"dns": [gateway]}
        if not bridge:
            said = {"extra_hosts": {"api.dev.test": "host-gateway"}}
        fetch = [wget, "-q", "-T", "5", "-O", "-", "http://api.dev.test/"]
        heard = engine.client.containers.run(WGET, fetch, remove=True, **said)
        assert heard.decode() == f"{nonce(api)}\n"
