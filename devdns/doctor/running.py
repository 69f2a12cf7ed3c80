"""Checks of devdns itself: its settings, its state folder, whether it runs, what it listens at, and how its routes do. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any

from devdns.doctor.facts import Facts, Listener
from devdns.doctor.findings import Finding, fine

PORTS = {"dns": 53, "http": 80, "https": 443}
LEFTOVERS, RESTART = "leftovers", "restart"
#: A route is well in these, or soon will be by itself.
WELL = ("live", "starting", "restarting")


def config(facts: Facts) -> Iterator[Finding]:
    """The file and the variables."""
    if facts.config_problem:
        lines = facts.config_problem.splitlines()
        more = f" (and {len(lines) - 1} more)" if len(lines) > 1 else ""
        yield Finding(
            "config",
            "fault",
            lines[0] + more,
            "devdns does not start with it; one that runs keeps what it read last",
            "devdns config check shows all of it",
        )
    else:
        yield fine("config", facts.config or "no devdns.yml here; the defaults are in force")


def state_folder(facts: Facts) -> Iterator[Finding]:
    """Whose the folder is, and who can get at what is secret in it."""
    if facts.state_problem:
        yield Finding(
            "state folder", "fault", facts.state_problem, "the commands cannot find or trust the devdns of another user"
        )
    else:
        yield fine("state folder", facts.state_dir)


def daemon(facts: Facts) -> Iterator[Finding]:
    """Whether it runs, and what a dead one left behind."""
    here = facts.daemon
    if here.leftovers:
        again = RESTART if here.detached else LEFTOVERS
        yield Finding(
            "daemon",
            "fault",
            f"devdns ended without cleaning up (pid {here.record.get('pid', 'unknown')}): {', '.join(here.leftovers)} are left",
            "nothing answers the names, and programs that look at these files think otherwise",
            f"devdns up{' --detach' if here.detached else ''} clears them, or devdns doctor --fix",
            again,
        )
    elif not here.running:
        yield Finding("daemon", "fault", "devdns is not running", "no name is answered", "devdns up --detach")
    elif here.status is None:
        yield Finding(
            "daemon",
            "fault",
            f"devdns runs but does not answer: {here.silence}",
            "commands and the page of devdns do not work, and routes stay as they are",
            "devdns logs says more; devdns down, then devdns up",
        )
    else:
        yield fine("daemon", f"devdns runs (pid {here.record.get('pid', 'unknown')})")


def version(facts: Facts) -> Iterator[Finding]:
    """The command and the one that runs may be of two installations."""
    status = facts.daemon.status
    if status is None:
        return
    other = str(status.get("devdns"))
    if other == facts.version:
        yield fine("version", f"{other}, as the command")
    else:
        yield Finding(
            "version",
            "warning",
            f"devdns {other} runs, and this command is {facts.version}",
            "what the command asks for may not exist there yet",
            "devdns down, then devdns up, starts the new one",
        )


def ports(facts: Facts) -> Iterator[Finding]:
    """Who holds an address that devdns was told to listen at, or would take by itself."""
    yield from map(_busy, facts.busy)
    if not facts.busy:
        yield fine("ports", "free, or ours")


def elsewhere(facts: Facts) -> Iterator[Finding]:
    """Listeners at other ports than the usual ones."""
    held = {each.role for each in facts.busy}
    moved = [each for role, each in _elsewhere(facts.daemon.status or {}) if role not in held]
    if moved:
        yield Finding(
            "usual ports",
            "warning",
            "; ".join(moved),
            "a URL needs the port in it, and a resolver that was not told does not find the other address",
            "sudo devdns system install has systemd or launchd hand devdns the usual ports",
        )


def _busy(listener: Listener) -> Finding:
    where = _written(*listener.address)
    return Finding(
        "ports",
        "fault" if listener.chosen else "warning",
        f"{listener.role} {where} is held by {listener.holder}",
        "devdns cannot listen there" + ("" if listener.chosen else " and takes another port, which URLs then need"),
        f"stop it, or give devdns another address with --{listener.role} ADDR:PORT",
    )


def _elsewhere(status: dict[str, Any]) -> Iterator[tuple[str, str]]:
    listeners = status.get("listeners") or {}
    for role, port in PORTS.items():
        places = listeners.get(role) or []
        if places and all(place[1] != port for place in places):
            yield role, f"{role} is at {_written(*places[0])}, not at port {port}"


def _written(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def direct(facts: Facts) -> Iterator[Finding]:
    """Our resolver, asked without anybody between."""
    if facts.direct is None:
        return
    if facts.direct.failure:
        yield Finding(
            "our resolver",
            "fault",
            f"{facts.name}: {facts.direct.failure}",
            "whoever asks devdns for a name gets no answer",
            "devdns status shows whether the resolver runs; devdns logs says why not",
        )
    else:
        yield fine("our resolver", f"{facts.name} is {', '.join(facts.direct.addresses)} ({facts.direct.ms:.1f} ms)")


def parts(facts: Facts) -> Iterator[Finding]:
    """What devdns itself finds wrong with its processes and sources."""
    if facts.daemon.status is None:
        return
    problems = [str(each) for each in facts.daemon.status.get("problems") or ()]
    for each in problems:
        seen, _, mend = each.partition(" - ")
        yield Finding("sources", "fault", seen, "names are missing, or lead to what they were before", mend)
    if not problems:
        yield fine("sources", "all sources of routes can be read")


def routes(facts: Facts) -> Iterator[Finding]:
    """Routes that answer with an error page."""
    if facts.daemon.status is None:
        return
    sick = [each for each in facts.daemon.routes if each["state"] not in WELL]
    closed = {each["target"]: each["reason"] for each in facts.daemon.status.get("targets") or ()}
    dead = [each for each in facts.daemon.routes if each not in sick and closed and set(each["targets"]) <= set(closed)]
    for each in sick:
        yield _sick(each, f"{each['state']}: {each['reason']}" if each.get("reason") else str(each["state"]))
    for each in dead:
        yield _sick(each, f"nothing takes connections at {each['targets'][0]}: {closed[each['targets'][0]]}")
    if not sick and not dead:
        yield fine("routes", f"{len(facts.daemon.routes)} routes, all well")


def _sick(route: dict[str, Any], what: str) -> Finding:
    name = str(route["name"])
    return Finding(
        "routes",
        "fault",
        f"{name} is {what}",
        "requests for it get an error page",
        f"devdns explain {shlex.quote(name)} shows every hop; start the service, or mend its target",
    )
