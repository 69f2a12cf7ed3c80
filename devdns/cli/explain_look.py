"""What `devdns explain` finds on the way to the proxy and through it, beside what control says of the name."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from devdns.cli.client import Body, Client, explain_path
from devdns.cli.doctor_look import direct, home
from devdns.cli.show import address_text
from devdns.cli.state import installed, record
from devdns.doctor import asking, browsers
from devdns.doctor.facts import Address
from devdns.doctor.hops import Reach, Trail
from devdns.doctor.refusals import Reply
from devdns.doctor.visiting import connect, fetch, handshake
from devdns.system.judged import NAME as SYSTEM_JOURNAL

SECONDS = 3.0
OUTSIDE = ("outside",)
DEFAULT_PORTS = {"http": 80, "https": 443}


def trail(state_dir: Path, name: str) -> Trail:
    """Everything there is to know; raises what `Client` raises. The system is asked while control is."""
    client = Client(state_dir)
    answer = client.ask("GET", explain_path(name))
    host = str(answer["host"])
    alone = not record(state_dir).get(
        "listeners"
    )  # parts that run by themselves, in containers perhaps: not this machine's
    if alone or answer["verdict"] in OUTSIDE or host.startswith("*."):
        return Trail(host, str(answer["zone"]), answer)
    with ThreadPoolExecutor(1) as pool:
        system = pool.submit(asking.system, host, SECONDS)
        status = client.ask("GET", "/api/v1/status")
        listener, tls, reply = _visited(status, answer, name, state_dir / "ca.pem")
        return Trail(
            host=host,
            zone=str(answer["zone"]),
            answer=answer,
            browsers=browsers.found(home()),
            system=system.result(),
            direct=direct(status, host),
            listener=listener,
            tls=tls,
            reply=reply,
            installed=bool(installed(state_dir)) or (state_dir / SYSTEM_JOURNAL).exists(),
        )


def _visited(status: Body, answer: Body, name: str, ca: Path) -> tuple[Reach | None, Reach | None, Reply | None]:
    """The listener, its certificate and the response; not for raw TCP, and no request where it would find nobody."""
    url = urlsplit(name) if "://" in name else urlsplit(f"//{name}")
    scheme = "https" if url.scheme == "https" else "http"
    places = _places(status, scheme)
    if (answer.get("route") or {}).get("port") or url.scheme == "tcp":
        return None, None, None
    if not places:
        word = "; the listeners have no TLS" if scheme == "https" else ""
        return (
            (Reach(scheme, f"nothing listens{word}", "devdns status") if status["listeners"].get("dns") else None),
            None,
            None,
        )
    place = places[0]
    reach = _meant(connect(place, address_text(place)), places, scheme, url)
    secure = handshake(place, str(answer["host"]), ca) if scheme == "https" and not reach.failure else None
    if reach.failure or (secure and secure.failure) or not _answers(answer):
        return reach, secure, None
    path = str(answer["path"]) + (f"?{url.query}" if url.query else "")
    return reach, secure, fetch(place, str(answer["host"]), path, ca if secure else None)


def _places(status: Body, scheme: str) -> list[Address]:
    return [(str(host), int(port)) for host, port in status["listeners"].get(scheme) or ()]


def _meant(reach: Reach, places: list[Address], scheme: str, url: Any) -> Reach:
    """The URL may name another port than ours."""
    if not url.scheme or reach.failure:
        return reach
    try:
        port = url.port or DEFAULT_PORTS[scheme]
    except ValueError:
        return reach
    if any(port == each[1] for each in places):
        return reach
    seen = f"the URL means port {port}, and devdns listens at {reach.address}"
    return Reach(f"port {port}", seen, f"write {scheme}://{url.hostname}:{places[0][1]}", reach.ms)


def _answers(answer: Body) -> bool:
    """A request is only made where a service would get it at once."""
    route = answer.get("route")
    if answer["verdict"] == "own":
        return True
    return (
        route is not None
        and route["state"] == "live"
        and not answer["seen"]
        and any(each["reachable"] for each in answer["checks"])
    )
