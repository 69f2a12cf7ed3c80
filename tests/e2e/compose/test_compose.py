"""`docker-compose.yml` as it stands: the image built by `docker build`, the three parts as containers, asked from outside."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace

import pytest
from support.clean_clone import clean_clone
from support.engine import Engine
from support.parts import need
from support.ports import free_port
from support.python_root import pack
from support.waiting import wait_until

pytestmark = pytest.mark.engine
PARTS = ("control", "resolver", "proxy")
BASE = "devdns-test:python"


def _run(*command: str, environ: Mapping[str, str] | None = None, cwd: Path | None = None) -> str:
    done = subprocess.run(command, env=environ, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout


def _wheels(folder: Path) -> None:
    """What pip inside the build needs, since it reaches no registry there: our dependencies and the build backend."""
    download = [sys.executable, "-m", "pip", "download", "--quiet", "--dest", str(folder / "wheels")]
    lock = str(folder / "tests" / "parts" / "constraints.txt")
    _run(*download, "--only-binary", ":all:", "--constraint", lock, "hatchling", str(folder))


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    folder = clean_clone(tmp_path_factory.mktemp("compose") / "devdns")
    _wheels(folder)
    return folder


@pytest.fixture
def stack(engine: Engine, source: Path, tmp_path: Path) -> Iterator[SimpleNamespace]:
    need("docker-compose", "dig", "curl")
    pack(tmp_path / "root.tar")
    engine.client.api.import_image(str(tmp_path / "root.tar"), repository=BASE.partition(":")[0], tag="python")
    made = SimpleNamespace(engine=engine, dns=free_port(), http=free_port(), https=free_port())
    settings = {
        "BASE": BASE,
        "DOCKER_HOST": engine.url,
        "DOCKER_SOCKET": str(engine.socket),
        "DOCKER_GID": str(engine.socket.stat().st_gid),
        "DOCKER_BUILDKIT": "0",
        "DEVDNS_SUBNET": str(list(engine.subnet.subnets(new_prefix=24))[60]),
        "DEVDNS_DNS_PORT": str(made.dns),
        "DEVDNS_HTTP_PORT": str(made.http),
        "DEVDNS_HTTPS_PORT": str(made.https),
        "COMPOSE_PROJECT_NAME": "devdns",
    }
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), **settings}
    compose = [shutil.which("docker-compose") or "", "--ansi", "never"]
    _run(*compose, "up", "--detach", "--build", environ=environ, cwd=source)
    made.container = lambda name: engine.client.containers.list(
        all=True, filters={"label": f"com.docker.compose.service={name}"}
    )[0]
    try:
        yield made
    finally:
        print(*(f"{name}: {made.container(name).logs().decode()[-2000:]}" for name in PARTS), sep="\n")  # noqa: T201 - shown on failure
        _run(*compose, "down", "--volumes", "--timeout", "2", environ=environ, cwd=source)


def _dig(port: int, name: str, *options: str) -> str:
    asked = ["dig", "@127.0.0.1", "-p", str(port), "+short", "+tries=1", "+time=2", *options, name]
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()


def _curl(port: int, host: str, *options: str, scheme: str = "http") -> str:
    asked = ["curl", "--silent", "--fail", "--max-time", "5", "--resolve", f"{host}:{port}:127.0.0.1", *options]
    done = subprocess.run([*asked, f"{scheme}://{host}:{port}/"], capture_output=True, text=True, check=False)
    return done.stdout


def test_the_three_parts_serve_both_samples_by_name(stack: SimpleNamespace, tmp_path: Path) -> None:
    wait_until(lambda: _dig(stack.dns, "api.dev.test") == "127.0.0.1", 20, "the resolver's answer")
    wait_until(lambda: "python3" in _curl(stack.http, "api.dev.test"), 20, "api through the proxy")
    assert _dig(stack.dns, "web.dev.test", "+tcp") == "127.0.0.1"
    assert _dig(stack.dns, "_http._tcp.web.dev.test", "srv") == f"0 0 {stack.http} web.dev.test."
    assert "devdns" in _curl(stack.http, "web.dev.test")
    assert "devdns" in _curl(stack.http, "www.dev.test")

    _, ca = stack.container("control").exec_run(["python3", "-c", "print(open('/run/devdns/ca.pem').read())"])
    (tmp_path / "ca.pem").write_bytes(ca)
    trusting = ("--cacert", str(tmp_path / "ca.pem"))
    assert "python3" in _curl(stack.https, "api.dev.test", *trusting, scheme="https")

    for name in PARTS:
        _is_confined(stack.container(name).attrs, sees_docker=name == "control")


def _is_confined(attrs: dict, *, sees_docker: bool) -> None:
    host, config = attrs["HostConfig"], attrs["Config"]
    mounts = {mount["Destination"]: mount for mount in attrs["Mounts"]}
    assert config["User"] == "65534:65534"
    assert host["ReadonlyRootfs"]
    assert host["CapDrop"] == ["ALL"]
    assert "no-new-privileges:true" in host["SecurityOpt"]
    assert ("/var/run/docker.sock" in mounts) == sees_docker
    assert not any(mount["RW"] for place, mount in mounts.items() if place == "/var/run/docker.sock")
    published = [binding for bindings in (host["PortBindings"] or {}).values() for binding in bindings]
    assert {binding["HostIp"] for binding in published} <= {"127.0.0.1"}
