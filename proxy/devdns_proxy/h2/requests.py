"""A request of HTTP/2 as the HTTP/1.1 head that the one strict engine reads (RFC 9113 section 8). Pure.

Fields are checked one by one before they become lines, so that no value can begin a line of its own or frame a body in another way.
"""

from __future__ import annotations

import re
import secrets
from base64 import b64encode

from msgspec import Struct

from devdns_proxy.fields import DIGITS
from devdns_proxy.http2.hpack import Field
from devdns_proxy.http2.wire import Malformed
from devdns_proxy.memo import Memo

NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]++")
#: RFC 9113 section 8.2.1, and no control characters: HTTP/1.1 has none.
VALUE = re.compile(rb"(?![ \t])[\t\x20-\x7e\x80-\xff]*+(?<![ \t])")
METHOD = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,64}")
PATH = re.compile(rb"/[\x21\x22\x24-\x7e\x80-\xff]*+")
AUTHORITY = re.compile(rb"[\x21-\x7e\x80-\xff]++")
PSEUDO = frozenset((b":method", b":scheme", b":authority", b":path", b":protocol"))
#: RFC 9113 section 8.2.2.
OF_A_CONNECTION = frozenset((b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"))
WEBSOCKET = b"websocket"


class Asked(Struct, frozen=True, gc=False):
    """A request: its head in HTTP/1.1, and how its body comes.

    `length` is what the client says, None where it does not; `chunked` that the body is to be passed on in chunks; `tunnel`
    that bytes of another protocol follow once the service agrees.
    """

    method: bytes
    head: bytes
    length: int | None
    chunked: bool
    tunnel: bool = False


class Fields(Struct, frozen=True, gc=False):
    """What the regular fields mean: their lines, Host first, and the length of the body."""

    lines: bytes
    length: int | None


MEMO: Memo[tuple[object, ...], Fields] = Memo()


def asked(fields: list[Field], *, whole: bool) -> Asked:
    """The request that a field section asks for; `whole`: no body follows. Raises `Malformed`."""
    pseudo: dict[bytes, bytes] = {}
    for name, value in fields:
        if name[:1] != b":":
            break
        if name in pseudo or name not in PSEUDO:
            raise Malformed("a pseudo-header field is doubled or unknown")
        pseudo[name] = value
    method, authority = pseudo.get(b":method", b""), pseudo.get(b":authority")
    rest = _fields(authority, fields[len(pseudo) :])
    if not METHOD.fullmatch(method):
        raise Malformed("the method is missing or malformed")
    if method == b"CONNECT":
        return _connect(pseudo, rest)
    path = pseudo.get(b":path", b"")
    if not (PATH.fullmatch(path) or (path == b"*" and method == b"OPTIONS")):
        raise Malformed("the path is missing or malformed")
    if len(pseudo) - (authority is not None) != 3 or not pseudo.get(b":scheme"):
        raise Malformed("a request needs a method, a scheme and a path, and no protocol")
    if whole and rest.length:
        raise Malformed("the announced body is missing")
    chunked = not whole and rest.length is None
    end = b"transfer-encoding: chunked\r\n\r\n" if chunked else b"\r\n"
    head = b"".join((method, b" ", path, b" HTTP/1.1\r\n", rest.lines, end))
    return Asked(method, head, rest.length, chunked)


def _connect(pseudo: dict[bytes, bytes], rest: Fields) -> Asked:
    """CONNECT: extended for a WebSocket (RFC 8441 section 4), it becomes its handshake; as a proxy is asked, it is refused later."""
    authority, protocol = pseudo.get(b":authority", b""), pseudo.get(b":protocol")
    if not AUTHORITY.fullmatch(authority):
        raise Malformed("CONNECT needs an authority")
    if protocol is None:
        if len(pseudo) != 2:
            raise Malformed("CONNECT has a method and an authority only")
        return Asked(b"CONNECT", b"CONNECT %b HTTP/1.1\r\n%b\r\n" % (authority, rest.lines), None, chunked=False)
    path = pseudo.get(b":path", b"")
    if len(pseudo) != 5 or not PATH.fullmatch(path) or not VALUE.fullmatch(protocol) or rest.length is not None:
        raise Malformed("an extended CONNECT is malformed")
    lines = [b"GET ", path, b" HTTP/1.1\r\n", rest.lines, b"connection: upgrade\r\nupgrade: ", protocol, b"\r\n"]
    if protocol == WEBSOCKET:
        lines += [b"sec-websocket-key: ", b64encode(secrets.token_bytes(16)), b"\r\n"]
    return Asked(b"GET", b"".join([*lines, b"\r\n"]), None, chunked=False, tunnel=True)


def _fields(authority: bytes | None, fields: list[Field]) -> Fields:
    key = (authority, *fields)
    known = MEMO.get(key)
    if known is None:
        known = _read(authority, fields)
        MEMO.put(key, len(known.lines), known)
    return known


def _read(authority: bytes | None, fields: list[Field]) -> Fields:
    lines: list[bytes] = []
    cookies: list[bytes] = []
    hosts = [] if authority is None else [authority]
    length: int | None = None
    for name, value in fields:
        _check(name, value)
        if name == b"host":
            hosts.append(value)
        elif name == b"cookie":
            cookies.append(value)
        elif name == b"content-length":
            length = _length(value, length)
            lines.append(b"content-length: %d\r\n" % length)
        elif name not in (b"te", b"sec-websocket-key"):
            lines.append(b"%b: %b\r\n" % (name, value))
    if cookies:
        lines.append(b"cookie: %b\r\n" % b"; ".join(cookies))  # RFC 9113 section 8.2.3
    return Fields(b"".join([b"Host: ", _host(hosts), b"\r\n", *lines]), length)


def _check(name: bytes, value: bytes) -> None:
    if not NAME.fullmatch(name) or not VALUE.fullmatch(value):
        raise Malformed("a field is malformed")
    if name in OF_A_CONNECTION or (name == b"te" and value.lower() != b"trailers"):
        raise Malformed("a field of one connection has no place in HTTP/2")


def _length(value: bytes, before: int | None) -> int:
    if before is not None or not DIGITS.fullmatch(value):
        raise Malformed("content-length must be one decimal number")
    return int(value)


def _host(hosts: list[bytes]) -> bytes:
    """The one host that `:authority` and Host name (RFC 9113 section 8.3.1)."""
    if not hosts or not AUTHORITY.fullmatch(hosts[0]) or any(host != hosts[0] for host in hosts):
        raise Malformed("a request needs one authority")
    return hosts[0]


def trailers(fields: list[Field]) -> bytes:
    """A trailer section as HTTP/1.1 has it after the last chunk, with its empty line. Raises `Malformed`."""
    for name, value in fields:
        if name[:1] == b":":
            raise Malformed("a trailer section has no pseudo-header fields")
        _check(name, value)
    return b"".join([*(b"%b: %b\r\n" % field for field in fields), b"\r\n"])
