"""The page for people at devdns's own names: what is routed where, from which source, in which state. Pure; no script needed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from devdns.core.routes import Route
from devdns_proxy.pages import url
from devdns_proxy.pages_html import document, element, escaped, items, link

MOST_ROWS = 500


def home(routes: Iterable[Route], status: Mapping[str, Any] | None, port: int | None) -> bytes:
    """`routes` in any order (at most 500 are shown); `status` is the body of `/api/v1/status`, None while control is away."""
    rows = sorted(routes, key=lambda route: (route.host, route.prefix))[:MOST_ROWS]
    body = element("h1", "devdns") + element("p", _summary(rows, status))
    body += _problems(status) + _routes(rows, port) + _sources(status)
    return document("devdns: names and routes", body)


def _summary(rows: list[Route], status: Mapping[str, Any] | None) -> str:
    if status is None:
        return "control does not answer now; the names below go on working"
    shown = f", {len(rows)} of them below" if status["routes"] > len(rows) else ""
    return f"{status['routes']} routes{shown}, {status['conflicts']} conflicts; zones: {', '.join(status['zones'])}"


def _problems(status: Mapping[str, Any] | None) -> str:
    lines = status["problems"] if status else []
    return element("h2", "To look at") + items(escaped(line) for line in lines) if lines else ""


def _routes(rows: list[Route], port: int | None) -> str:
    return _table("Routes", ("Name", "Target", "State", "Source"), (_row(route, port) for route in rows))


def _row(route: Route, port: int | None) -> tuple[str, ...]:
    target = url(route.name, port)
    state = route.state.value + (f": {route.reason}" if route.reason else "")
    return (
        link(target, route.name) if target else escaped(route.name),
        "<br>".join(escaped(str(each)) for each in route.targets),
        escaped(state),
        escaped(route.source) + (f"<br><small>{escaped(route.origin)}</small>" if route.origin else ""),
    )


def _sources(status: Mapping[str, Any] | None) -> str:
    rows = (
        (*(escaped(str(each[key])) for key in ("source", "state", "routes")), escaped(_reason(each)))
        for each in (status["sources"] if status else ())
    )
    return _table("Sources", ("Source", "State", "Routes", "Reason"), rows)


def _reason(source: Mapping[str, Any]) -> str:
    return " - ".join(str(source[key]) for key in ("reason", "hint") if source[key])


def _table(title: str, columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A table of cells that are HTML; nothing without rows."""
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    head = "".join(element("th", column) for column in columns)
    return f"{element('h2', title)}<table><tr>{head}</tr>{body}</table>" if body else ""
