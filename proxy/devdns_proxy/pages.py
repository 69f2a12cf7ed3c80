"""The pages of the proxy: a `Problem` as HTML for browsers, JSON for programs and plain text for tools. Pure.

Whatever stands in a problem may come from a request or a label, so every form writes it out harmlessly.
"""

from __future__ import annotations

from collections.abc import Iterable
from os.path import commonprefix

import msgspec
from msgspec import Struct

from devdns.core.errors import word
from devdns.core.names import LABEL
from devdns_proxy.door import PORTS
from devdns_proxy.pages_accept import HTML, JSON, choose
from devdns_proxy.pages_html import HEADERS, document, element, escaped, items, link, printable
from devdns_proxy.problems import Problem

MOST_LISTED = 50
SHORT = 4
COMMAND = "devdns "
#: Names compared for a near one: edit distance over more would hold up the requests behind this one.
MOST_COMPARED = 200
#: Characters of them, for the same reason.
MOST_READ = 2_048
COMMON = (("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff"))


class Mend(Struct, frozen=True):
    """A line that mends a problem: prose, and after it what to type (`code`) or the `name` that was perhaps meant."""

    prose: str
    code: str = ""
    name: str = ""

    def __str__(self) -> str:
        return f"{self.prose} {self.name}?" if self.name else f"{self.prose} {self.code}".strip()


Rendered = tuple[int, tuple[tuple[str, str], ...], bytes]


def render(problem: Problem, accept: str = "", user_agent: str = "", port: int | None = None) -> Rendered:
    """Status, header fields (without Content-Length and Connection) and body. `port` is the one in the request's Host."""
    form = choose(accept, user_agent)
    more = _headers(problem)
    if form == HTML:
        return problem.status, (*HEADERS, *COMMON, *more), _html(problem, port)
    if form == JSON:
        return problem.status, (("Content-Type", "application/json"), *COMMON, *more), _json(problem)
    return problem.status, (("Content-Type", "text/plain; charset=utf-8"), *COMMON, *more), _plain(problem, port)


def _headers(problem: Problem) -> tuple[tuple[str, str], ...]:
    """Where to go, or when to ask again."""
    after = (("Retry-After", str(problem.retry_after)),) if problem.retry_after is not None else ()
    return (*after, ("Location", problem.location)) if problem.location else after


def _json(problem: Problem) -> bytes:
    body = {
        "error": word(problem.status),
        "detail": printable(problem.detail or problem.title),
        "code": problem.status,
        "hint": printable("; ".join(map(str, mends(problem)))),
        "host": printable(problem.host),
        "live": [printable(name) for name in problem.live[:MOST_LISTED]],
        "retry_after": problem.retry_after,
    }
    if problem.request_id:
        body["request_id"] = printable(problem.request_id)
    return msgspec.json.encode(body) + b"\n"


def _plain(problem: Problem, port: int | None) -> bytes:
    said = [f"{problem.status} {problem.title}", problem.detail, *map(str, mends(problem)), *_waiting(problem)]
    lines = [line for line in said if line]
    if problem.live:
        lines += [
            "",
            _heading(problem),
            *(f"  {url(name, port, problem.scheme) or name}" for name in problem.live[:MOST_LISTED]),
        ]
    if problem.request_id:
        lines += ["", f"request {problem.request_id}"]
    return "".join(printable(line) + "\n" for line in lines).encode()


def _html(problem: Problem, port: int | None) -> bytes:
    body = element("h1", problem.title) + element("p", problem.detail)
    body += items(_mend(line, port, problem.scheme) for line in mends(problem)) + "".join(
        element("p", line) for line in _waiting(problem)
    )
    if problem.live:
        body += element("h2", _heading(problem)) + items(
            _linked(name, port, problem.scheme) for name in problem.live[:MOST_LISTED]
        )
    foot = f"devdns, status {problem.status}" + (f", request {problem.request_id}" if problem.request_id else "")
    return document(f"{problem.status} {problem.title}", body + f"<p>{element('small', foot)}</p>", _reload(problem))


def _reload(problem: Problem) -> str:
    """Lets a browser ask again by itself, without a script; what is held for it comes at once when the route is back."""
    return f'<meta http-equiv="refresh" content="{problem.retry_after}">' if problem.reload else ""


def _mend(line: Mend, port: int | None, scheme: str) -> str:
    """A line as HTML: a command stands out, a name leads there."""
    if line.name:
        return f"{escaped(line.prose)} {_linked(line.name, port, scheme)}?"
    return " ".join(filter(None, (escaped(line.prose), element("code", line.code))))


def _heading(problem: Problem) -> str:
    count, listed = len(problem.live), min(len(problem.live), MOST_LISTED)
    return f"Names ({count})" if count == listed else f"Names ({listed} of {count})"


def _linked(name: str, port: int | None, scheme: str) -> str:
    target = url(name, port, scheme)
    return link(target, name) if target else f"<code>{escaped(name)}</code>"


def url(name: str, port: int | None, scheme: str = "http") -> str:
    """Where a live name leads; empty for a wildcard, which is no place."""
    host, slash, path = name.partition("/")
    if host.startswith("*."):
        return ""
    return (
        f"{scheme}://{host}{f':{port}' if port not in (None, PORTS[scheme]) and ':' not in host else ''}{slash}{path}"
    )


def _waiting(problem: Problem) -> list[str]:
    return [f"try again in {problem.retry_after} s"] if problem.retry_after else []


def mends(problem: Problem) -> list[Mend]:
    """The lines that mend it: the problem's own hint, and for an unknown name what would add it or what was meant."""
    lines = []
    if problem.hint:
        lines.append(Mend("why:", problem.hint) if problem.hint.startswith(COMMAND) else Mend(problem.hint))
    if problem.status != 404 or not problem.host:
        return lines
    hosts = [name.partition("/")[0] for name in problem.live[:MOST_COMPARED]]
    near = nearest(problem.host, hosts)
    lines += _adding(problem.host, hosts) if problem.hint.startswith(COMMAND) or not problem.hint else []
    return [*lines, Mend("did you mean", name=near)] if near else lines


def _adding(host: str, hosts: Iterable[str]) -> list[Mend]:
    """What would make a route of this host."""
    if not all(map(LABEL.fullmatch, host.split("."))):
        plain = host.replace("_", "-")
        return [Mend(f"a name holds no underscores: {plain}")] if all(map(LABEL.fullmatch, plain.split("."))) else []
    parent = host.partition(".")[2]
    above = f"{parent} exists, but not the names below it:"
    lines = [Mend(above, f"devdns add '*.{parent}' PORT")] if parent in hosts else []
    return [
        *lines,
        Mend("to add it:", f"devdns add {host} PORT"),
        Mend("or the label on its container:", f"dev.route={host}"),
    ]


def nearest(host: str, names: Iterable[str]) -> str:
    """The name at most two edits away (one for a short first label), the first nearest, or empty; never the host itself."""
    best, found, left = 3 if host.find(".") > SHORT else 2, "", MOST_READ
    for name in names:
        if name == host or abs(len(name) - len(host)) >= best:
            continue
        left -= len(name)
        if left < 0:
            break
        edits = distance(host, name, best)
        if edits < best:
            best, found = edits, name
    return found


def distance(one: str, other: str, bound: int) -> int:
    """Edits between two texts (a swap of neighbours is one), or `bound` as soon as it is certain to reach that."""
    one, other = _unlike(one, other)
    before = [min(column, bound) for column in range(len(other) + 1)]
    older = before
    for row, letter in enumerate(one, 1):
        now = [min(row, bound)] + [bound] * len(other)
        for column in range(max(1, row - bound + 1), min(len(other), row + bound - 1) + 1):  # elsewhere it is the bound
            against = other[column - 1]
            edits = min(before[column] + 1, now[column - 1] + 1, before[column - 1] + (letter != against), bound)
            if row > 1 < column and (one[row - 2], letter) == (against, other[column - 2]):
                edits = min(edits, older[column - 2] + 1)
            now[column] = edits
        if min(*now, *before) >= bound:
            return bound
        older, before = before, now
    return min(before[-1], bound)


def _unlike(one: str, other: str) -> tuple[str, str]:
    """Two texts without what both begin and end with: of names in one zone that is most."""
    start = len(commonprefix((one, other)))  # noqa: RUF071 # of texts, not paths
    one, other = one[start:], other[start:]
    end = len(commonprefix((one[::-1], other[::-1])))  # noqa: RUF071 # of texts, not paths
    return one[: len(one) - end], other[: len(other) - end]
