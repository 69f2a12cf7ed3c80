"""Raw TCP names: two PostgreSQL on 5432 and two Redis on 6379, by name and with their own clients, in namespaces of our own."""

import contextlib
import json
import subprocess
import sys
import time

import pytest
from support import raw_load
from support.databases import Postgres, Redis, ended
from support.parts import need, need_root
from support.stack import Stack, open_folder
from support.waiting import wait_until

# As in test_system_resolver: glibc wants an address besides loopback's.
INSIDE = """
ip link set lo up
ip link add wire type bridge
ip address add 192.0.2.10/24 dev wire
ip link set wire up
mount --bind resolv.conf /etc/resolv.conf
exec "$@"
"""
CONFIG = """
tcp:
  shop: {target: 127.0.0.1:15432, port: 5432}
  blog: {target: 127.0.0.1:15433, port: 5432}
  cart: {target: 127.0.0.1:16379, port: 6379}
  queue: {target: 127.0.0.1:16380, port: 6379}
routes: {shop: {target: 5173, hold: 0s}}
"""
PING, PONG = b"PING\r\n".hex(), b"+PONG\r\n".hex()
#: SSLRequest of PostgreSQL's protocol, which a server without TLS answers with one letter, whatever state it is in.
SSL, NO_SSL = "0000000804d2162f", b"N".hex()


class Scene:
    """The stack and the four servers; `enter` is what runs a command inside."""

    def __init__(self, stack, enter, servers):
        self.stack, self.enter = stack, enter
        self.shop, self.blog, self.cart, self.queue = servers

    def run(self, *command):
        done = subprocess.run([*self.enter, *command], capture_output=True, text=True, check=False, timeout=20)
        return done.stdout.strip() or done.stderr.strip()

    def redis(self, name, *command):
        return self.run("redis-cli", "-h", f"{name}.dev.test", *command)

    @contextlib.contextmanager
    def load(self, *arguments):
        """Connections all the time; `more(N)` returns once N more went well, and `counts` is there at the end."""
        command = [*self.enter, sys.executable, raw_load.__file__, *map(str, arguments)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            load = Loaded(process)
            yield load
            process.stdin.close()
            load.counts = json.loads(process.stdout.read())


class Loaded:
    def __init__(self, process):
        self.process, self.counts = process, {}

    def more(self, count):
        self.process.stdin.write(f"{count}\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == f"{count}\n"


@pytest.fixture(scope="module")
def scene():
    need("curl", "ip", "unshare", "nsenter", "setpriv", "psql", "redis-server", "redis-cli")
    need_root("namespaces and port 53")
    with open_folder() as folder:
        (folder / "resolv.conf").write_text("nameserver 127.0.0.53\noptions timeout:2 attempts:1\n")
        namespace = ("unshare", "--mount", "--net", "sh", "-ec", INSIDE, "sh")
        with Stack(folder, CONFIG, "--workers", "1", prefix=namespace) as stack:
            enter = ["nsenter", "--target", str(stack.process.pid), "--mount", "--net"]
            shop = Postgres.made(folder / "shop")
            blog = Postgres.made(folder / "blog", like=shop)
            servers = (
                Postgres(shop, "shop", 15432, enter),
                Postgres(blog, "blog", 15433, enter),
                Redis(folder / "cart", 16379, enter),
                Redis(folder / "queue", 16380, enter),
            )
            with ended(*servers):
                for server in servers:
                    server.start()
                yield Scene(stack, enter, servers)


def test_each_database_answers_under_its_name_on_the_same_port(scene):
    assert scene.shop.says("host=shop.dev.test") == "shop"
    assert scene.blog.says("host=blog.dev.test port=5432") == "blog"
    assert scene.redis("cart", "config", "get", "port").split() == ["port", "16379"]
    assert scene.redis("queue", "config", "get", "port").split() == ["port", "16380"]


def test_names_have_an_address_each_and_none_of_ipv6(scene):
    found = {
        name: scene.run("getent", "ahosts", f"{name}.dev.test").split() for name in ("shop", "blog", "cart", "queue")
    }
    addresses = {name: {each for each in words if each.startswith("127.77.")} for name, words in found.items()}
    assert all(len(each) == 1 for each in addresses.values())
    assert len(set.union(*addresses.values())) == 4
    assert not any(":" in word for words in found.values() for word in words)


def test_a_restart_of_redis_under_load_loses_no_connect_and_leaves_the_other_alone(scene):
    pid = scene.run("redis-cli", "-h", "queue.dev.test", "info", "server")
    with scene.load("cart.dev.test", 6379, PING, PONG) as cart, scene.load("queue.dev.test", 6379, PING, PONG) as queue:
        cart.more(50)
        scene.cart.stop()
        scene.cart.start()
        cart.more(100)
        queue.more(100)
    assert (cart.counts["refused"], cart.counts["wrong"]) == (0, 0), cart.counts
    assert cart.counts["cut"] <= raw_load.THREADS, cart.counts  # what had reached the one that ended
    assert {**queue.counts, "ok": 0} == {"ok": 0, "refused": 0, "cut": 0, "wrong": 0, "errors": [], "cuts": []}
    assert pid.partition("run_id:")[2][:40] in scene.run("redis-cli", "-h", "queue.dev.test", "info", "server")


def test_a_restart_of_postgres_under_load_loses_no_connect(scene):
    with scene.load("shop.dev.test", 5432, SSL, NO_SSL) as shop, scene.load("blog.dev.test", 5432, SSL, NO_SSL) as blog:
        shop.more(20)
        scene.shop.stop()
        gone = time.monotonic()
        scene.shop.start()
        shop.more(20)
        blog.more(20)
    assert (shop.counts["refused"], shop.counts["wrong"]) == (0, 0), shop.counts
    # It ends its backends first, and its listener once they are gone: each time with what it has in hand, and with nothing that came later.
    assert shop.counts["cut"] <= 2 * raw_load.THREADS, shop.counts
    assert all(began < gone for began in shop.counts["cuts"]), (gone, shop.counts)
    assert {**blog.counts, "ok": 0} == {"ok": 0, "refused": 0, "cut": 0, "wrong": 0, "errors": [], "cuts": []}
    wait_until(lambda: scene.shop.says("host=shop.dev.test") == "shop", what="psql by name")


@pytest.mark.parametrize("part", ["proxy-1", "control"])
def test_a_part_that_dies_takes_no_name_away(scene, part):
    with scene.load("cart.dev.test", 6379, PING, PONG) as cart:
        cart.more(10)
        scene.stack.kill(part)
        cart.more(50)
    assert (cart.counts["refused"], cart.counts["wrong"]) == (0, 0), cart.counts
    wait_until(lambda: scene.stack.running(part), what=part)


def test_the_name_of_a_port_that_is_taken_has_no_address_and_says_who_has_it(scene):
    server = "import socket; s = socket.create_server(('0.0.0.0', 16999)); print('up', flush=True); input()"
    command = [*scene.enter, sys.executable, "-c", server]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "up\n"
        scene.stack.run("add", "late", "tcp://127.0.0.1:16380", "--tcp", "16999", check=0)
        wait_until(lambda: "is taken by" in scene.stack.run("routes").stdout, what="the reason")
        said = scene.stack.run("explain", "late").stdout
        assert f"(pid {holder.pid})" in said
        assert "let it listen on 127.0.0.1:16999" in said
        assert not scene.run("getent", "ahostsv4", "late.dev.test")
        holder.stdin.close()
    scene.stack.run("rm", "late:16999", check=0)


def test_http_of_the_same_name_is_served_at_its_address(scene):
    status = scene.run("curl", "-s", "-o", "/dev/null", "-w", "%{http_code} %{remote_ip}", "http://shop.dev.test/")
    code, address = status.split()
    assert (code, address[:7]) == ("502", "127.77.")  # nothing listens on 5173


def test_addresses_are_kept_in_the_state_folder(scene):
    kept = json.loads((scene.stack.state / "addresses.json").read_text())["addresses"]
    assert scene.run("getent", "ahostsv4", "shop.dev.test").split()[0] == kept["shop.dev.test"]
