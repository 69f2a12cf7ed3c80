"""How each kind of system resolver is pointed at devdns, as plans. Pure: what the machine is comes in, steps go out."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from devdns.core.errors import UsageRefused
from devdns.system.facts import Machine, Person
from devdns.system.steps import INSTALLED, Block, Plan, Write

Address = tuple[str, int]
STUB: Address = ("127.0.0.53", 53)
PLAIN_PORT: Address = ("127.0.0.1", 5300)
HEAD = "# Written by devdns system install; devdns system uninstall takes it back.\n"


class Wish(NamedTuple):
    """What is wanted of a plan: the zones, the resolver's address where the user chose one, the known names."""

    zones: tuple[str, ...]
    listen: Address | None = None
    names: tuple[str, ...] = ()


def kind_of(machine: Machine) -> str:
    """Which program answers this machine's names: a key of `KINDS`."""
    if machine.platform == "darwin":
        return "macos"
    if HEAD.strip() in machine.resolv_conf:
        return "resolv.conf"
    if "systemd-resolve" in machine.holder or (machine.resolved_runs and machine.servers[:1] in (("127.0.0.53",), ())):
        return "systemd-resolved"
    if re.search(r"^\s*dns\s*=\s*dnsmasq\s*$", machine.networkmanager, re.MULTILINE):
        return "networkmanager"
    if not machine.servers or not machine.servers[0].startswith(("127.", "::1")):
        return "hosts" if machine.musl else "resolv.conf"
    here = {"dnsmasq": machine.dnsmasq, "unbound": machine.unbound}
    if machine.holder:
        return next((name for name, there in here.items() if there and name in machine.holder), "hosts")
    found = [name for name, there in here.items() if there]
    if len(found) == 1 and machine.servers[0] != STUB[0]:
        return found[0]
    return "hosts" if machine.servers[0] != STUB[0] else "resolv.conf"


def plan(kind: str, wish: Wish, machine: Machine, person: Person) -> Plan:
    """The steps that make this machine's programs find the names; raises `UsageRefused` for a kind that there is not."""
    if kind == "off":
        return Plan()
    make = KINDS.get(kind)
    if make is None:
        raise UsageRefused(f"--resolver {kind!r} is none of {', '.join(KINDS)}, off", "leave it out to have it found")
    return make(wish, machine, person)


def address(kind: str, wish: Wish) -> Address:
    """Where devdns has to listen for that resolver."""
    return wish.listen or (STUB if kind == "resolv.conf" else PLAIN_PORT)


def _settings(person: Person, kind: str, wish: Wish, forward: str = "") -> Write:
    """What `devdns up` then takes for the default, in the state folder; a file, a variable or a flag is stronger."""
    host, port = address(kind, wish)
    said = {"DEVDNS_DNS": f"{host}:{port}"} | ({"DEVDNS_DNS_FORWARD": forward} if forward else {})
    return Write(f"{person.state_dir}/{INSTALLED}", json.dumps(said, indent=1) + "\n", user=person.user)


def _resolved(wish: Wish, machine: Machine, person: Person) -> Plan:
    """A route-only domain. Where it has global servers of its own it would ask those, too: then it asks devdns for everything."""
    host, port = address("systemd-resolved", wish)
    whole = bool(machine.resolved_servers)
    lines = ["[Resolve]", *(["DNS=", "Domains="] if whole else []), f"DNS={host}:{port}"]
    lines.append("Domains=~." if whole else f"Domains={' '.join(f'~{zone}' for zone in wish.zones)}")
    drop_in = Write("/etc/systemd/resolved.conf.d/zz-devdns.conf", HEAD + "\n".join(lines) + "\n", "systemd-resolved")
    servers = ", ".join(machine.resolved_servers)
    notes = (
        (
            f"systemd-resolved has servers of its own ({servers}): devdns, which has to run then, asks them for all other names",
        )
        if whole
        else ()
    )
    forward = ",".join(map(_plain_server, machine.resolved_servers))
    return Plan((_settings(person, "systemd-resolved", wish, forward), drop_in), notes)


def _plain_server(text: str) -> str:
    """`192.0.2.1:53%eth0#name` of resolved.conf(5) as `ADDR:PORT`."""
    text = re.split("[%#]", text)[0]
    return text if "]" in text or text.count(":") == 1 else f"[{text}]" if ":" in text else text


def _dnsmasq_text(wish: Wish) -> str:
    host, port = address("dnsmasq", wish)
    rows = [f"server=/{zone}/{host}#{port}\nrebind-domain-ok=/{zone}/\n" for zone in wish.zones]
    return HEAD + "".join(rows)


def _networkmanager(wish: Wish, _: Machine, person: Person) -> Plan:
    """The dnsmasq that NetworkManager starts reads this folder."""
    write = Write("/etc/NetworkManager/dnsmasq.d/devdns.conf", _dnsmasq_text(wish), "NetworkManager")
    return Plan((_settings(person, "networkmanager", wish), write))


def _dnsmasq(wish: Wish, _: Machine, person: Person) -> Plan:
    return Plan(
        (
            _settings(person, "dnsmasq", wish),
            Write("/etc/dnsmasq.d/devdns.conf", _dnsmasq_text(wish), "dnsmasq"),
        )
    )


def _unbound(wish: Wish, _: Machine, person: Person) -> Plan:
    """A zone of its own, more specific than the `test.` that unbound keeps empty by itself (RFC 6761)."""
    host, port = address("unbound", wish)
    text = HEAD + "server:\n  do-not-query-localhost: no\n"
    for zone in wish.zones:
        text += f'  local-zone: "{zone}." transparent\n  domain-insecure: "{zone}."\n  private-domain: "{zone}."\n'
    for zone in wish.zones:
        text += f'stub-zone:\n  name: "{zone}."\n  stub-addr: {host}@{port}\n  stub-no-cache: yes\n'
    return Plan((_settings(person, "unbound", wish), Write("/etc/unbound/unbound.conf.d/devdns.conf", text, "unbound")))


def _resolv_conf(wish: Wish, machine: Machine, person: Person) -> Plan:
    """devdns first; the servers of before stay below, where devdns finds them, and programs too while it does not run."""
    host, port = address("resolv.conf", wish)
    if port != STUB[1]:
        raise UsageRefused(
            f"resolv.conf can name port 53 only, and dns.listen is {host}:{port}", "let it listen on 127.0.0.53:53"
        )
    ours = (HEAD.strip(), f"nameserver {host}")
    rest = [line for line in machine.resolv_conf.splitlines() if line.strip() not in ours]
    first = next((at for at, line in enumerate(rest) if line.startswith("nameserver")), len(rest))
    text = "\n".join([*rest[:first], f"nameserver {host}", *rest[first:]]) + "\n"
    write = Write("/etc/resolv.conf", HEAD + text)
    notes = (
        "a DHCP client that writes /etc/resolv.conf anew undoes this: then devdns system uninstall --keep, and install",
    )
    return Plan((_settings(person, "resolv.conf", wish, "system"), write), notes)


def _hosts(wish: Wish, _: Machine, person: Person) -> Plan:
    """The fallback: only names that are known can be in it."""
    notes = (
        "the hosts file holds the names that are known, and no others: a devdns that is started as root keeps it in step",
    )
    return Plan((Block("/etc/hosts", owner(person.state_dir), wish.names),), notes)


def owner(state_dir: str) -> str:
    """How our block in the hosts file is marked: by the state folder, as one word of ASCII."""
    return json.dumps(state_dir)[1:-1].replace(" ", "\\u0020")


def _macos(wish: Wish, _: Machine, person: Person) -> Plan:
    """A file for each zone, resolver(5)."""
    host, port = address("macos", wish)
    text = f"{HEAD}nameserver {host}\nport {port}\n"
    files = [Write(f"/etc/resolver/{zone}", text) for zone in wish.zones]
    return Plan((_settings(person, "macos", wish), *files))


Maker = Callable[[Wish, Machine, Person], Plan]
KINDS: dict[str, Maker] = {
    "systemd-resolved": _resolved,
    "networkmanager": _networkmanager,
    "dnsmasq": _dnsmasq,
    "unbound": _unbound,
    "resolv.conf": _resolv_conf,
    "hosts": _hosts,
    "macos": _macos,
}


def kinds() -> Sequence[str]:
    """What `--resolver` may be."""
    return ("auto", *KINDS, "off")
