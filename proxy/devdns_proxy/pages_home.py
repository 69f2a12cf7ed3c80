"""The page for people at devdns's own names: what is routed where, how often, from which source, in which state. Pure.

It is whole without a script; with one, `content` comes again whenever it is another, and rows are known by their ids.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from devdns.core.routes import Route
from devdns_proxy.pages import url
from devdns_proxy.pages_html import document, element, escaped, items, link

MOST_ROWS = 500
TITLE = "devdns: names and routes"
#: For browsers without scripts; the others follow the event stream.
MORE = '<script src="/page.js" defer></script><noscript><meta http-equiv="refresh" content="3"></noscript>'
Cells = tuple[str, ...]


class News(Struct, frozen=True):
    """What control says: the bodies of `/api/v1/status` and `/api/v1/rates`, None while it is away."""

    status: Mapping[str, Any] | None = None
    rates: Mapping[str, Any] | None = None


def home(routes: Iterable[Route], news: News, port: int | None) -> bytes:
    """The whole page."""
    return document(TITLE, content(routes, news, port), MORE)


def content(routes: Iterable[Route], news: News, port: int | None) -> str:
    """What stands in it: `routes` come in any order, and at most 500 are shown."""
    rows = sorted(routes, key=lambda route: (route.host, route.prefix))[:MOST_ROWS]
    parts = (
        element("h1", "devdns") + element("p", _summary(rows, news)),
        _problems(news.status),
        _routes(rows, news.rates, port),
        _sources(news.status),
    )
    names = ("summary", "problems", "routes", "sources")
    return "".join(f'<section id="{name}">{part}</section>' for name, part in zip(names, parts, strict=True) if part)


def _summary(rows: list[Route], news: News) -> str:
    status = news.status
    if status is None:
        return "control does not answer now; the names below go on working"
    shown = f", {len(rows)} of them below" if status["routes"] > len(rows) else ""
    asked = f"; {_rate(news.rates['requests'])} requests/s" if news.rates is not None else ""
    zones = ", ".join(status["zones"])
    return (
        f"{_count(status['routes'], 'route')}{shown}, {_count(status['conflicts'], 'conflict')}{asked}; zones: {zones}"
    )


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"


def _problems(status: Mapping[str, Any] | None) -> str:
    if status is None:
        return ""
    faults = (f"{each['name']} fails on purpose: {each['faults']}" for each in status.get("chaos", ()))
    lines = [*status["problems"], *faults]
    return element("h2", "To look at") + items(escaped(line) for line in lines) if lines else ""


def _routes(rows: list[Route], rates: Mapping[str, Any] | None, port: int | None) -> str:
    by_name = {each["name"]: each for each in rates["routes"]} if rates is not None else {}
    columns = ("Name", "Target", "State", "Requests/s", "Source")
    return _table("Routes", columns, ((route.name, _row(route, by_name.get(route.name), port)) for route in rows))


def _row(route: Route, rate: Mapping[str, Any] | None, port: int | None) -> Cells:
    target = url(route.name, port)
    state = route.state.value + (f": {route.reason}" if route.reason else "")
    return (
        link(target, route.name) if target else escaped(route.name),
        "<br>".join(escaped(str(each)) for each in route.targets),
        escaped(state),
        _asked(rate) if rate is not None else "",
        escaped(route.source) + (f"<br><small>{escaped(route.origin)}</small>" if route.origin else ""),
    )


def _asked(rate: Mapping[str, Any]) -> str:
    failed = f"<br><small>{_rate(rate['errors'])} failed</small>" if rate["errors"] else ""
    return f"{_rate(rate['requests'])}{failed}"


def _rate(value: float) -> str:
    return f"{value:.1f}" if value < 100 else f"{value:.0f}"


def _sources(status: Mapping[str, Any] | None) -> str:
    rows = (
        (each["source"], (*(escaped(str(each[key])) for key in ("source", "state", "routes")), escaped(_reason(each))))
        for each in (status["sources"] if status else ())
    )
    return _table("Sources", ("Source", "State", "Routes", "Reason"), rows)


def _reason(source: Mapping[str, Any]) -> str:
    return " - ".join(str(source[key]) for key in ("reason", "hint") if source[key])


def _table(title: str, columns: Cells, rows: Iterable[tuple[str, Cells]]) -> str:
    """A table of cells that are HTML, each row under its name; nothing without rows."""
    kind = title.lower()
    body = "".join(
        f'<tr id="{kind}-{escaped(name)}">' + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
        for name, cells in rows
    )
    head = "".join(element("th", column) for column in columns)
    return f"{element('h2', title)}<table><tbody><tr>{head}</tr>{body}</tbody></table>" if body else ""
