"""A problem as bytes of an HTTP/1.1 response. What it says is rendered by `pages`."""

from __future__ import annotations

import re

from devdns_proxy import pages
from devdns_proxy.problems import Problem

ACCEPT = re.compile(rb"(?im)^accept:[ \t]*(.*?)[ \t]*\r$")
HOST_PORT = re.compile(rb"(?im)^host:[^\r]*:([0-9]{1,5})[ \t]*\r$")
USER_AGENT = re.compile(rb"(?im)^user-agent:[ \t]*(.*?)[ \t]*\r$")


def rendered(problem: Problem, block: bytes, date: bytes, *, keep: bool, bodiless: bool) -> bytes:
    """The whole response; `block` is the request's field block, `bodiless` leaves the body out."""
    port = HOST_PORT.search(block)
    status, headers, body = pages.render(
        problem, _value(ACCEPT, block), _value(USER_AGENT, block), int(port[1]) if port else None
    )
    lines = [b"HTTP/1.1 %d %b\r\n" % (status, REASONS.get(status, b"")), date]
    lines += [b"%b: %b\r\n" % (name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    lines.append(b"Content-Length: %d\r\n" % len(body))
    if status == 405:
        lines.append(b"Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n")  # RFC 9110 section 15.5.6
    lines.append(b"\r\n" if keep else b"Connection: close\r\n\r\n")
    return b"".join(lines) + (b"" if bodiless else body)


def _value(field: re.Pattern[bytes], block: bytes) -> str:
    return ",".join(value.decode("latin-1") for value in field.findall(block))


REASONS = {
    400: b"Bad Request",
    308: b"Permanent Redirect",
    404: b"Not Found",
    405: b"Method Not Allowed",
    408: b"Request Timeout",
    414: b"URI Too Long",
    417: b"Expectation Failed",
    421: b"Misdirected Request",
    431: b"Request Header Fields Too Large",
    500: b"Internal Server Error",
    502: b"Bad Gateway",
    503: b"Service Unavailable",
    504: b"Gateway Timeout",
    505: b"HTTP Version Not Supported",
    508: b"Loop Detected",
}
