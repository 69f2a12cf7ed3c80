"""Checks of the way from a program to our resolver: hosts file, nsswitch.conf, resolv.conf, systemd-resolved, VPNs. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from devdns.doctor.facts import Facts
from devdns.doctor.findings import Finding, fine

LOOPBACK = ("127.", "::1")
INSTALL = 'sudo "$(which devdns)" system install'
BLOCK = "hosts block"
#: Who else writes marked lines into a hosts file: what stands in front of theirs, and the name of the tool.
MARKS = (
    (re.compile(r"^#\s*portless", re.IGNORECASE), "portless"),
    (re.compile(r"^# Added by Docker Desktop"), "Docker Desktop"),
)
OURS = re.compile(r"^# (>>>|<<<) devdns ")
DOCKER_DESKTOP = ("host.docker.internal", "gateway.docker.internal")


def hosts_file(facts: Facts) -> Iterator[Finding]:
    """Lines for names of our zones, which win over every resolver, and what other tools left."""
    rows = list(_foreign_rows(facts.files.hosts))
    wrong = [(address, name) for address, name, _ in rows if facts.ours(name)]
    away = [each for each in wrong if not each[0].startswith(LOOPBACK)]
    if wrong:
        address, name = (away or wrong)[0]
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        yield Finding(
            "hosts file",
            "fault" if away else "warning",
            f"/etc/hosts says that {name} is {address}{more}",
            "the hosts file wins over every resolver" + (": requests go there, not to devdns" if away else ""),
            f"take the line out of /etc/hosts: sudo sed -i '/{re.escape(name)}/d' /etc/hosts",
        )
    tools = sorted({tool for line in facts.files.hosts.splitlines() for mark, tool in MARKS if mark.search(line)})
    dead = [f"{name} is {address}" for address, name, _ in rows if name in DOCKER_DESKTOP and not _near(address)]
    for tool in tools:
        yield Finding(
            "hosts file",
            "warning",
            f"/etc/hosts holds lines of {tool}{': ' + dead[0] if tool == 'Docker Desktop' and dead else ''}",
            "lines that outlive their tool lead names to where nothing is",
            f"remove them if {tool} is gone",
        )
    if _torn(facts.files.hosts):
        yield Finding(
            "hosts file",
            "fault",
            "one of the marks of our block in /etc/hosts is gone",
            "devdns does not touch a block that somebody cut, so names in it grow stale",
            "take the rest of the block out by hand, then devdns system install",
        )
    if not (wrong or tools or _torn(facts.files.hosts)):
        yield fine("hosts file", "nothing in it about our names but what is ours")


def _foreign_rows(text: str) -> Iterator[tuple[str, str, str]]:
    """Address, name and line, outside the blocks of ours."""
    inside = False
    for line in text.splitlines():
        if mark := OURS.match(line):
            inside = mark[1] == ">>>"
        fields = line.partition("#")[0].split()
        if not inside and len(fields) > 1:
            yield from ((fields[0], name.lower().rstrip("."), line) for name in fields[1:])


def _near(address: str) -> bool:
    return address.startswith(LOOPBACK)


def _torn(text: str) -> bool:
    found = [mark[1] for line in text.splitlines() if (mark := OURS.match(line))]
    return any(each != (">>>", "<<<")[number % 2] for number, each in enumerate(found)) or len(found) % 2 == 1


def resolver_files(facts: Facts) -> Iterator[Finding]:
    """macOS' files for single domains (resolver(5)): puma-dev and its like leave one for all of .test."""
    for path, text in facts.files.resolvers:
        domain = path.rpartition("/")[2]
        if "devdns" not in text and any(zone == domain or zone.endswith(f".{domain}") for zone in facts.zones):
            whose = "puma-dev" if "puma-dev" in text else "another tool"
            ours = any(zone == domain for zone in facts.zones)
            yield Finding(
                "resolver files",
                "fault" if ours else "warning",
                f"{path} is of {whose}",
                f"the system asks what it names for everything below {domain}",
                f"sudo rm {path}, if {whose} is gone",
            )


def nsswitch(facts: Facts) -> Iterator[Finding]:
    """Whether glibc asks DNS at all, and whether something before it ends the search."""
    line = next((each for each in facts.files.nsswitch.splitlines() if each.split("#")[0].startswith("hosts:")), "")
    words = line.split("#")[0].split()[1:]
    if not line:
        return
    resolvers = [place for place, word in enumerate(words) if word in ("dns", "resolve")]
    if not resolvers:
        yield Finding(
            "nsswitch",
            "fault",
            f"/etc/nsswitch.conf asks no DNS: {line.strip()}",
            "programs look into files only and never ask a resolver",
            "write dns after files in the line that begins with hosts:",
        )
        return
    early = " ".join(words[: resolvers[0]])
    ends = re.search(r"(mdns\w*)\s+\[NOTFOUND=return\]", early)
    caught = ends and (not ends[1].endswith("_minimal") or any(zone.endswith(".local") for zone in facts.zones))
    if ends and caught:
        yield Finding(
            "nsswitch",
            "fault",
            f"/etc/nsswitch.conf ends the search at {ends[0]}, before DNS",
            f"{', '.join(facts.zones)} is asked by multicast only, and devdns is never asked",
            "use a zone below .test, or take [NOTFOUND=return] out of the line",
        )
    else:
        yield fine("nsswitch", line.strip())


def zones(facts: Facts) -> Iterator[Finding]:
    """Zones that mean something else to the world."""
    for zone in facts.zones:
        last = zone.rpartition(".")[2]
        if last == "local":
            yield Finding(
                "zone",
                "warning",
                f"{zone} ends in .local",
                "systems ask for such names by multicast DNS (RFC 6762), many without asking a resolver",
                "use a zone below .test",
            )
        elif last in ("dev", "app"):
            yield Finding(
                "zone",
                "warning",
                f"{zone} ends in .{last}, which is a public domain whose sites browsers only open with https",
                "plain http does not work there, and real sites of that name are hidden",
                "use a zone below .test, or https",
            )


def resolved(facts: Facts) -> Iterator[Finding]:
    """What systemd-resolved was told of us, against where we listen."""
    told = re.findall(r"^\s*DNS\s*=\s*(\S+)", facts.files.resolved, re.MULTILINE)
    places = [f"{_bracketed(host)}:{port}" for host, port in _listeners(facts)]
    if not told or not places:
        return
    if not set(told) & {*places, *(place.removesuffix(":53") for place in places)}:
        yield Finding(
            "systemd-resolved",
            "fault",
            f"systemd-resolved asks {told[0]} for our zones, and devdns listens at {', '.join(places)}",
            "it gets no answer, and so do programs",
            f"{INSTALL} tells it anew, or start devdns with --dns {told[0]}",
        )
        return
    said = re.findall(
        r"~([^\s~]+)", " ".join(re.findall(r"^\s*Domains\s*=\s*(.+)$", facts.files.resolved, re.MULTILINE))
    )
    lost = [zone for zone in facts.zones if not any(zone == each or zone.endswith(f".{each}") for each in said)]
    if lost and "." not in said:
        yield Finding(
            "systemd-resolved",
            "fault",
            f"systemd-resolved was not told of the zone {lost[0]}",
            "it asks the servers of the network for those names",
            f"{INSTALL} tells it anew",
        )
    else:
        yield fine("systemd-resolved", f"asks {told[0]} for our zones")


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _listeners(facts: Facts) -> list[tuple[str, int]]:
    listening = (facts.daemon.status or {}).get("listeners") or {}
    return [(str(host), int(port)) for host, port in listening.get("dns") or ()]


def vpn(facts: Facts) -> Iterator[Finding]:
    """A VPN often brings servers of its own."""
    if not facts.vpns:
        return
    up = ", ".join(facts.vpns)
    if _found(facts):
        yield fine("vpn", f"{up} is up, and names are found all the same")
    elif facts.direct and not facts.direct.failure and facts.installed:
        yield Finding(
            "vpn",
            "fault",
            f"the VPN {up} is up, and this machine asks {_servers(facts)}",
            "a VPN that writes its own servers takes devdns out of the way of every name",
            f"{INSTALL} once more while it is up, or let it leave {', '.join(facts.zones)} to the system",
        )


def _found(facts: Facts) -> bool:
    return bool(facts.system.addresses) and not _stray(facts)


def _stray(facts: Facts) -> list[str]:
    """Addresses of this name that are not this machine's loopback."""
    return [each for each in facts.system.addresses if not each.startswith(LOOPBACK)]


def _servers(facts: Facts) -> str:
    rows = [line.split() for line in facts.files.resolv_conf.splitlines()]
    return ", ".join(row[1] for row in rows if len(row) > 1 and row[0] == "nameserver") or "no server at all"


def system(facts: Facts) -> Iterator[Finding]:
    """What a program gets that asks the system, against what our resolver says."""
    if _found(facts):
        yield fine("system resolver", f"{facts.name} is {', '.join(facts.system.addresses)} ({facts.system.ms:.0f} ms)")
    elif facts.system.addresses:
        yield Finding(
            "system resolver",
            "fault",
            f"the system says that {facts.name} is {', '.join(_stray(facts))}",
            "somebody else answers for our names, and requests go there",
            f"this machine asks {_servers(facts)}; {INSTALL} puts devdns in front",
        )
    else:
        yield _not_found(facts)


def _not_found(facts: Facts) -> Finding:
    seen = f"programs of this machine do not find {facts.name}: {facts.system.failure}"
    why = f"the system asks {_servers(facts)}, not devdns"
    if not facts.installed:
        return Finding("system resolver", "fault", seen, why, f"{INSTALL} points it at devdns")
    if facts.direct is None or facts.direct.failure:
        return Finding("system resolver", "fault", seen, "devdns itself does not answer", "mend that first")
    return Finding("system resolver", "fault", seen, why, f"devdns system status; {INSTALL} once more")
