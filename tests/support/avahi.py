"""A network of its own with an mDNS responder in it: nothing is heard from the machine's network, nothing is said to it.

`with network() as net, avahi(net, folder) as responder: responder.publish("Shop", 8080, "dev.route=api")`. A process joins
the network by the prefix `net.enter`; its loopback is that network's own.
"""

import contextlib
import os
import select
import subprocess
import time

from support.parts import need, need_root

ADDRESS, NEIGHBOUR = "10.77.0.1", "10.77.0.2"
BOUND = 15.0
SETUP = f"""
set -e
mount -t tmpfs tmpfs /run
mkdir /run/avahi-daemon
ip link set lo up
ip link add mdns0 type veth peer name mdns1
ip address add {ADDRESS}/24 dev mdns0
ip link set mdns1 up
ip link set mdns0 up
echo up
exec cat
"""
BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path={socket}</listen>
  <policy context="default">
    <allow user="*"/> <allow own="*"/> <allow send_destination="*"/> <allow receive_sender="*"/>
  </policy>
</busconfig>
"""
DAEMON = """[server]
host-name=devdns-test
allow-interfaces=mdns0
use-ipv4=yes
use-ipv6=no
[publish]
publish-hinfo=no
publish-workstation=no
"""


def heard(process, stream, text, bound=BOUND):
    """Reads a stream until `text` comes; fails when the process ends or the time is up first."""
    seen, deadline = b"", time.monotonic() + bound
    while text.encode() not in seen:
        left = deadline - time.monotonic()
        assert left > 0, f"no {text!r} in {bound} s: {seen.decode()}"
        if select.select([stream], [], [], left)[0]:
            piece = os.read(stream.fileno(), 65536)
            assert piece, f"ended (exit {process.poll()}) before {text!r}: {seen.decode()}"
            seen += piece
    return seen.decode()


@contextlib.contextmanager
def running(command, says="", **environ):
    """A process for the time of the block, ended by SIGTERM; entered once it said `says` on either stream."""
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, **environ},
    ) as process:
        try:
            if says:
                heard(process, process.stdout, says)
            yield process
        finally:
            process.terminate()


class Network:
    """`enter` is the command prefix of a process that shall live in it."""

    def __init__(self, pid):
        self.pid = pid
        self.enter = ["nsenter", f"--target={pid}", "--net", "--mount"]

    def run(self, *command):
        return subprocess.run([*self.enter, *command], check=True, capture_output=True, text=True, timeout=BOUND).stdout


@contextlib.contextmanager
def network():
    """Network and mount namespace with loopback and one multicast interface, `ADDRESS`."""
    need("unshare", "nsenter", "ip")
    need_root("a network namespace")
    with running(["unshare", "--net", "--mount", "--propagation=private", "sh", "-c", SETUP], "up") as process:
        yield Network(process.pid)


@contextlib.contextmanager
def neighbour(net):
    """Another machine on the same network, `NEIGHBOUR`."""
    with running(["unshare", "--net", "sh", "-c", "ip link set lo up; echo up; exec cat"], "up") as process:
        other = Network(process.pid)
        net.run("ip", "link", "set", "mdns1", "netns", str(process.pid))
        other.run("ip", "address", "add", f"{NEIGHBOUR}/24", "dev", "mdns1")
        other.run("ip", "link", "set", "mdns1", "up")
        yield other


class Responder:
    """avahi-daemon on a system bus of its own."""

    def __init__(self, net, socket):
        self.net = net
        self.environ = {"DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={socket}"}

    def publish(self, name, port, *txt, host=()):
        """avahi-publish for the time of the block; entered once the name is established."""
        command = ["avahi-publish", *host, "-s", name, "_http._tcp", str(port), *txt]
        return running([*self.net.enter, *command], "Established", **self.environ)


@contextlib.contextmanager
def avahi(net, folder):
    """The responder, ready to publish (its host name took about a second to probe)."""
    need("avahi-daemon", "avahi-publish", "dbus-daemon")
    bus, socket, config = folder / "bus.conf", folder / "bus", folder / "avahi.conf"
    bus.write_text(BUS.format(socket=socket))
    config.write_text(DAEMON)
    responder = Responder(net, socket)
    dbus = ["dbus-daemon", f"--config-file={bus}", "--nofork", "--nopidfile", "--print-address"]
    daemon = ["avahi-daemon", f"--file={config}", "--no-drop-root", "--no-chroot", "--no-rlimits"]
    with (
        running([*net.enter, *dbus], "unix:path"),
        running([*net.enter, *daemon], "startup complete", **responder.environ),
    ):
        yield responder
