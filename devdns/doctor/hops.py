"""The way of a request, hop by hop: what was seen at each, how long it took, and what mends the first that fails. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal
from urllib.parse import urlsplit

from msgspec import Struct, to_builtins
from msgspec.structs import replace

from devdns.doctor.browser_settings import asks_system
from devdns.doctor.facts import Answer, Browser
from devdns.doctor.naming import INSTALL, LOOPBACK
from devdns.doctor.refusals import Reply, refusal

Verdict = Literal["ok", "warning", "failed", "skipped"]
WAITING = ("starting", "restarting")
#: A detail of a check that says how far the connect came, and the hop that it failed at then.
PLACES = (("TLS", "service TLS"), ("certificate", "service TLS"), ("CA file", "service TLS"), ("refused", "dial"))
BEHIND = ("network path", "dial", "service TLS")


class Hop(Struct, frozen=True):
    """One hop. `ms` is how long it took, None where nothing was timed."""

    hop: str
    verdict: Verdict
    seen: str
    mend: str = ""
    ms: float | None = None


class Reach(Struct, frozen=True):
    """A connect, and perhaps a TLS handshake, to a listener of ours: `failure` is empty where it succeeded."""

    address: str
    failure: str = ""
    mend: str = ""
    ms: float = 0.0


class Trail(Struct, frozen=True):
    """Everything that was found on the way. `answer` is what control says of the name; None stands for what was not looked at."""

    host: str
    zone: str
    answer: Mapping[str, Any]
    browsers: tuple[Browser, ...] = ()
    system: Answer | None = None
    direct: Answer | None = None
    listener: Reach | None = None
    tls: Reach | None = None
    reply: Reply | None = None
    installed: bool = False


def hops(trail: Trail) -> list[Hop]:
    """All of them, in the order of a request. What is behind the first that fails for everybody is told as far as it is known."""
    return [hop for make in MAKERS for hop in make(trail)]


def failing(found: list[Hop]) -> Hop | None:
    """The first hop that fails."""
    return next((each for each in found if each.verdict == "failed"), None)


def shape(found: list[Hop]) -> dict[str, Any]:
    """What `devdns explain --json` adds to the answer of the API."""
    first = failing(found)
    return {"hops": to_builtins(found), "failing": first.hop if first else None}


def _skipped(hop: str, why: str) -> Hop:
    return Hop(hop, "skipped", why)


def _browser(trail: Trail) -> Iterator[Hop]:
    lost = [each for each in trail.browsers if not asks_system(each, trail.host)]
    if not lost:
        yield Hop("browser", "ok", "no browser here asks for names by HTTPS only")
        return
    mend = f"leave {trail.zone} out there (devdns doctor says how), or turn it off"
    yield Hop("browser", "failed", f"{lost[0].name} asks for names by HTTPS only: {lost[0].place}", mend)


def _system(trail: Trail) -> Iterator[Hop]:
    said = trail.system
    if said is None:
        yield _skipped("system resolver", "not asked")
        return
    raw = (trail.answer.get("route") or {}).get("address") or ""
    stray = [each for each in said.addresses if not each.startswith((*LOOPBACK, raw or "127."))]
    shown = ", ".join(said.addresses) or said.failure
    if said.addresses and not stray:
        yield Hop("system resolver", "ok", shown, ms=said.ms)
    elif stray:
        mend = f"see /etc/hosts and devdns doctor; {INSTALL}"
        yield Hop("system resolver", "failed", f"{', '.join(stray)} is not this machine", mend, said.ms)
    elif trail.installed:
        yield Hop("system resolver", "failed", f"the name is not found: {shown}", "devdns doctor says why", said.ms)
    else:
        seen = f"programs do not find the name yet: {shown}"
        yield Hop("system resolver", "warning", seen, INSTALL, said.ms)


def _direct(trail: Trail) -> Iterator[Hop]:
    said = trail.direct
    if said is None:
        yield _skipped("our answer", "no resolver runs")
    elif said.failure and not (trail.answer.get("route") or {}).get("port"):
        yield Hop("our answer", "failed", said.failure, "devdns status, devdns logs", said.ms)
    else:
        yield Hop("our answer", "ok", ", ".join(said.addresses) or "no address for this name", ms=said.ms)


def _listener(trail: Trail) -> Iterator[Hop]:
    for hop, reach in (("listener", trail.listener), ("certificate", trail.tls)):
        if reach is not None:
            verdict: Verdict = "failed" if reach.failure else "warning" if reach.mend else "ok"
            yield Hop(
                hop, verdict, f"{reach.address}{': ' + reach.failure if reach.failure else ''}", reach.mend, reach.ms
            )
    if trail.listener is None:
        yield _skipped("listener", "not tried")


def _route(trail: Trail) -> Iterator[Hop]:
    answer = trail.answer
    verdict, lines = answer["verdict"], answer["lines"]
    if verdict == "own":
        yield Hop("route", "ok", lines[0])
        return
    route = answer.get("route")
    if route is None:
        mend = answer.get("hint") or (lines[-1] if len(lines) > 1 else "")
        yield Hop("route", "failed", lines[0], mend)
        return
    beaten = [f"{each['source']} ({each['origin'] or each['owner']})" for each in answer["beaten"]]
    won = f"; it beat {', '.join(beaten)}" if beaten else ""
    yield Hop(
        "route", "ok", f"{route['name']} -> {', '.join(route['targets']) or 'nowhere'}, from {route['source']}{won}"
    )


def _behind(trail: Trail) -> Iterator[Hop]:
    """Network path, dial and TLS, from what a connect to each target gave; one target of a pool is enough."""
    route, checks = trail.answer.get("route"), trail.answer.get("checks") or []
    if route is None:
        return
    if route["state"] == "unreachable":
        yield Hop(
            "network path", "failed", route["reason"] or "nothing leads to the service", trail.answer.get("hint") or ""
        )
    elif not checks:
        yield _skipped("network path", f"no target: the route is {route['state']}")
    elif good := next((each for each in checks if each["reachable"]), None):
        yield from _reached(good)
    elif route["state"] not in WAITING:
        yield from _stopped(checks[0], str(trail.answer.get("hint") or ""))


def _reached(check: Mapping[str, Any]) -> Iterator[Hop]:
    secure = "TLS" in check["detail"]
    yield Hop("network path", "ok", f"{check['target']} can be reached")
    yield Hop("dial", "ok", "a connect succeeds", ms=check["ms"])
    if secure:
        yield Hop("service TLS", "ok", "its certificate is accepted")


def _stopped(check: Mapping[str, Any], hint: str) -> Iterator[Hop]:
    place = next((hop for word, hop in PLACES if word in check["detail"]), "network path")
    for hop in BEHIND[: BEHIND.index(place)]:
        yield Hop(hop, "ok", f"{check['target']} can be reached" if hop == BEHIND[0] else "a connect succeeds")
    yield Hop(place, "failed", f"{check['target']}: {check['detail']}", check.get("mend") or hint, check["ms"])


def _health(trail: Trail) -> Iterator[Hop]:
    route = trail.answer.get("route")
    if route is None:
        return
    state, reason = route["state"], route["reason"] or "no reason was given"
    faults = next((each for each in trail.answer["lines"] if each.startswith("it fails on purpose")), "")
    if state == "unhealthy":
        path = route["options"].get("health") or "its port"
        yield Hop("health", "failed", f"unhealthy: {reason}", f"see why {path} does not answer well, or change health")
    elif state in WAITING:
        yield Hop("health", "warning", f"{state}: {reason}; requests wait", "wait, or see the service's own log")
    elif faults:
        text, _, mend = faults.partition(" - ")
        yield Hop("health", "warning", text, mend)
    elif trail.answer.get("seen"):
        said = trail.answer["seen"][0]
        yield Hop("health", "failed", f"the proxy finds {said['target']} closed: {said['reason']}", "start the service")
    elif state == "live":
        yield Hop("health", "ok", "live")


def _response(trail: Trail) -> Iterator[Hop]:
    reply = trail.reply
    if reply is None:
        yield _skipped("response", "not asked for")
        return
    if reply.failure:
        yield Hop("response", "failed", reply.failure, "see the service's own log", reply.ms)
        return
    yield replace(_judged(trail, reply), ms=reply.ms)


def _judged(trail: Trail, reply: Reply) -> Hop:
    refused = refusal(reply)
    if refused:
        seen = f"{reply.status}: {refused.server} does not allow the host {trail.host}"
        return Hop("response", "failed", seen, f"{refused.allow(trail.zone, trail.host)} - or {_other_host(trail)}")
    away = urlsplit(reply.location).hostname or ""
    if away and away != trail.host and not away.endswith(f".{trail.zone}"):
        seen = f"{reply.status}: it sends clients to {reply.location}, away from the name"
        return Hop("response", "warning", seen, "tell the service its public URL")
    if reply.status == 508:
        return Hop(
            "response", "failed", "508: the service sends the request back to devdns", "point its target at the service"
        )
    if reply.status >= 500:
        return Hop(
            "response", "failed", f"{reply.status}: the service answers with an error", "see the service's own log"
        )
    return Hop("response", "ok", str(reply.status) + (f", to {reply.location}" if reply.location else ""))


def _other_host(trail: Trail) -> str:
    """How the route can send another Host, which every such server allows."""
    route = trail.answer.get("route") or {}
    source = str(route.get("source", ""))
    port = (str((route.get("targets") or [""])[0]).rpartition(":")[2] or "PORT").rstrip("/")
    if source == "docker" or source.startswith("docker"):
        return f"the label dev.host=localhost:{port}"
    return f"host: localhost:{port} in the route"


MAKERS: tuple[Callable[[Trail], Iterator[Hop]], ...] = (
    _browser,
    _system,
    _direct,
    _listener,
    _route,
    _behind,
    _health,
    _response,
)
