"""Ports below 1024 and a devdns that starts by itself, as plans: units of systemd, a job of launchd. Pure.

systemd binds the ports and hands them over, so that devdns runs as the user from its first instruction: no root, no
capability on an interpreter that others run, too. launchd starts it as root, and the children give that up.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple
from xml.sax.saxutils import escape

from devdns.core.errors import UsageRefused
from devdns.system.facts import Machine, Person
from devdns.system.resolvers import HEAD, Address
from devdns.system.steps import Enable, Load, Plan, Setting, User, Write

SERVICE = "devdns.service"
UNPRIVILEGED = "net/ipv4/ip_unprivileged_port_start"
WAYS = ("units", "sysctl", "off")
SERVICES = ("auto", "boot", "login", "off")


class Door(NamedTuple):
    """A socket unit: the name under which devdns gets it, the kind of socket, and its port."""

    name: str
    kind: str
    port: int


class Ports(NamedTuple):
    """What devdns is to listen on: its resolver's address, whether to TLS, too, and how ports below 1024 are had."""

    dns: Address
    https: bool = True
    way: str = "units"


def doors(ports: Ports, *, low: bool) -> tuple[Door, ...]:
    """The sockets to open; without `low` the web has those that need no rights. One that nobody serves is not opened."""
    port, web = ports.dns[1], (80, 443) if low else (8080, 8443)
    names = [Door("dns-udp", "Datagram", port), Door("dns-tcp", "Stream", port), Door("http", "Stream", web[0])]
    return (*names, *([Door("https", "Stream", web[1])] if ports.https else []))


def plan(service: str, ports: Ports, machine: Machine, person: Person) -> Plan:
    """The steps for a service at `boot` or `login`, and for the ports; raises `UsageRefused` for what excludes each other."""
    if service == "auto":
        service = "boot" if machine.booted or machine.platform == "darwin" else "off"
    low = _sysctl(ports.dns) if ports.way == "sysctl" else Plan()
    if ports.way == "sysctl" and machine.platform != "linux":
        raise UsageRefused("--ports=sysctl is for Linux", "leave it out: macOS lets everybody have these ports")
    if service == "off":
        return low
    if machine.platform == "darwin":
        return _launchd(service, person)
    if not machine.booted:
        raise UsageRefused(f"--service={service} needs systemd, which does not run here", "start devdns up yourself")
    return low + _systemd(service, ports, machine, person)


def _sysctl(dns: Address) -> Plan:
    """The lowest port that is needed becomes everybody's."""
    lowest = min(80, dns[1])
    text = f"{HEAD}{UNPRIVILEGED.replace('/', '.')} = {lowest}\n"
    risk = f"every program of every user may then listen on the ports from {lowest} on, and pose as what belongs there"
    return Plan((Write("/etc/sysctl.d/50-devdns.conf", text), Setting(UNPRIVILEGED, str(lowest))), (risk,))


def _systemd(service: str, ports: Ports, machine: Machine, person: Person) -> Plan:
    own = service == "login"
    low = ports.way == "sysctl" or (ports.way == "units" and not own)
    folder = f"{person.home}/.config/systemd/user" if own else "/etc/systemd/system"
    user = person.user if own else None
    found = doors(ports, low=low)
    sockets = [
        _unit(f"{folder}/devdns-{door.name}.socket", socket_unit(door, ports.dns[0], ipv6=machine.ipv6), user)
        for door in found
    ]
    names = [f"devdns-{door.name}.socket" for door in found]
    text = service_unit(person, names, own=own)
    enable = Enable((*names, SERVICE), person.name if own else "")
    notes = (
        () if low else ("8080 and 8443 are the ports of the web: 80 and 443 are for --service=boot, or --ports=sysctl",)
    )
    return Plan((*sockets, _unit(f"{folder}/{SERVICE}", text, user), enable), notes)


def _unit(path: str, text: str, user: User | None) -> Write:
    return Write(path, text, user=user)


def socket_unit(door: Door, dns_host: str, *, ipv6: bool) -> str:
    """A unit of systemd.socket(5); the web has both loopbacks, the resolver the one address that others are pointed at."""
    hosts = [dns_host] if door.name.startswith("dns") else ["127.0.0.1", *(["[::1]"] if ipv6 else [])]
    listens = "".join(f"Listen{door.kind}={host}:{door.port}\n" for host in hosts)
    return (
        f"{HEAD}[Unit]\nDescription=devdns: its {door.name} listeners\n\n[Socket]\n{listens}"
        f"FileDescriptorName={door.name}\nService={SERVICE}\nBindIPv6Only=ipv6-only\nBacklog=4096\n\n"
        "[Install]\nWantedBy=sockets.target\n"
    )


def service_unit(person: Person, sockets: Iterable[str], *, own: bool) -> str:
    """A unit of systemd.service(5) that runs `devdns up` as the user."""
    named = " ".join(sockets)
    user = "" if own else f"User={person.name}\n"
    return (
        f"{HEAD}[Unit]\nDescription=devdns: a name instead of a port for every local service\n"
        f"Requires={named}\nAfter={named} network.target\n\n"
        f"[Service]\n{user}ExecStart={_command_line(command(person))}\nRestart=on-failure\nNoNewPrivileges=yes\n\n"
        f"[Install]\nWantedBy={'default.target' if own else 'multi-user.target'}\n"
    )


def command(person: Person) -> tuple[str, ...]:
    """`devdns up` for this state folder, by the interpreter that runs this."""
    config = ("-c", person.config) if person.config else ()
    return (person.python, "-P", "-m", "devdns.cli.main", "up", "--state-dir", person.state_dir, *config)


def _command_line(words: Iterable[str]) -> str:
    """As systemd.service(5) reads it: specifiers mean nothing in it, nor variables, which it looks for behind the program only."""
    program, *rest = words
    return " ".join([_quoted(program), *(_quoted(word.replace("$", "$$")) for word in rest)])


def _quoted(word: str) -> str:
    said = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{said}"' if any(each in " '\";" for each in word) else said


def _launchd(service: str, person: Person) -> Plan:
    """A daemon at boot, an agent at login."""
    own = service == "login"
    path = f"{person.home}/Library/LaunchAgents/devdns.plist" if own else "/Library/LaunchDaemons/devdns.plist"
    user = person.user if own else None
    return Plan((Write(path, property_list(person, own=own), user=user), Load(path)))


def property_list(person: Person, *, own: bool) -> str:
    """A job of launchd.plist(5); as a daemon it knows whose it is as under sudo."""
    words = "".join(f"    <string>{escape(word)}</string>\n" for word in command(person))
    whose = {"SUDO_UID": str(person.uid), "SUDO_GID": str(person.gid), "HOME": person.home}
    rows = "".join(f"    <key>{key}</key><string>{escape(value)}</string>\n" for key, value in whose.items())
    environ = "" if own else f"  <key>EnvironmentVariables</key>\n  <dict>\n{rows}  </dict>\n"
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">\n'
        '<plist version="1.0">\n<dict>\n  <key>Label</key><string>devdns</string>\n'
        f"  <key>ProgramArguments</key>\n  <array>\n{words}  </array>\n{environ}"
        "  <key>RunAtLoad</key><true/>\n  <key>KeepAlive</key>\n  <dict><key>SuccessfulExit</key><false/></dict>\n"
        "</dict>\n</plist>\n"
    )
