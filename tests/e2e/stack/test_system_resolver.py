"""As root on the real ports, in a network and mount namespace of its own: the system's own programs find the names."""

import subprocess

import pytest
from support.parts import need, need_root
from support.stack import Stack
from support.waiting import wait_until

# glibc asks for no addresses of a family (AI_ADDRCONFIG) of which the machine has none but loopback's: an empty bridge has one.
INSIDE = """
ip link set lo up
ip link add wire type bridge
ip address add 192.0.2.10/24 dev wire
ip link set wire up
mount --bind resolv.conf /etc/resolv.conf
exec "$@"
"""
PAGE = b"the api\n"


@pytest.fixture
def stack(tmp_path):
    need("ip", "unshare", "nsenter", "busybox", "curl")
    need_root("namespaces and port 53")
    (tmp_path / "resolv.conf").write_text("nameserver 127.0.0.53\noptions timeout:2 attempts:1\n")
    namespace = ("unshare", "--mount", "--net", "sh", "-ec", INSIDE, "sh")
    stack = Stack(tmp_path, "routes: {api: 5173}\n", "--workers", "1", prefix=namespace)
    del stack.environ["DEVDNS_HTTPS"]  # here the defaults are what is tested
    with stack as running:
        yield running


def inside(stack, *command):
    entered = ["nsenter", "--target", str(stack.process.pid), "--mount", "--net", *command]
    return subprocess.run(entered, capture_output=True, check=False, timeout=20)


@pytest.fixture
def service(stack, tmp_path):
    (tmp_path / "index.html").write_bytes(PAGE)
    entered = ["nsenter", "--target", str(stack.process.pid), "--mount", "--net"]
    httpd = subprocess.Popen([*entered, "busybox", "httpd", "-f", "-p", "127.0.0.1:5173", "-h", str(tmp_path)])
    wait_until(lambda: inside(stack, "curl", "-sf", "http://127.0.0.1:5173/").stdout == PAGE)
    yield
    httpd.kill()
    httpd.wait()


def test_the_default_listeners_are_the_real_ports(stack):
    assert stack.facts["listeners"] == {
        "dns": [["127.0.0.53", 53]],
        "http": [["127.0.0.1", 80], ["::1", 80]],
        "https": [["127.0.0.1", 443], ["::1", 443]],
    }


def test_getent_and_curl_know_the_name_without_a_port(stack, service):
    found = inside(stack, "getent", "ahosts", "api.dev.test").stdout.decode()
    assert {line.split()[0] for line in found.splitlines()} == {"127.0.0.1", "::1"}
    below = inside(stack, "getent", "ahostsv4", "deep.below.api.dev.test").stdout
    assert below.startswith(b"127.0.0.1 ")
    answer = inside(stack, "curl", "-s", "--max-time", "5", "http://api.dev.test/")
    assert answer.stdout == PAGE


def test_names_of_others_are_not_answered_for(stack):
    assert inside(stack, "getent", "hosts", "www.example.com").returncode == 2
