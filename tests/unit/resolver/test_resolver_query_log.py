"""The query log: one reply, one line of JSON, and answering that waits for nothing."""

from __future__ import annotations

import json
import os
import socket
import time
from pathlib import Path

import pytest
from support import dns_wire as wire
from support.dns_scene import view
from support.dns_server import running

from devdns_resolver.query_log import Noted, QueryLog, line


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(each) for each in path.read_text("ascii").splitlines()]


@pytest.mark.parametrize("listener", ["127.0.0.1", "0.0.0.0"])
def test_every_reply_is_a_line(tmp_path: Path, listener: str) -> None:
    path = tmp_path / "dns.log"
    with running(view(), listener) as server:
        server.on_loop(server.resolver.log_queries, str(path))
        for name in ("api.dev.test", "API.dev.test", "example.com"):
            with socket.socket(type=socket.SOCK_DGRAM) as udp:
                udp.settimeout(2)
                udp.sendto(wire.query(name), ("127.0.0.1", server.port))
                udp.recv(512)
        with socket.create_connection(("127.0.0.1", server.port), 2) as tcp:
            data = wire.query("api.dev.test", wire.HTTPS)
            tcp.sendall(len(data).to_bytes(2, "big") + data)
            tcp.recv(512)
    told = lines(path)
    assert [(each["transport"], each["name"], each["type"], each["rcode"]) for each in told] == [
        ("udp", "api.dev.test.", "A", "NOERROR"),
        ("udp", "API.dev.test.", "A", "NOERROR"),
        ("udp", "example.com.", "A", "REFUSED"),
        ("tcp", "api.dev.test.", "HTTPS", "NOERROR"),
    ]
    assert all(each["client"] == "127.0.0.1" and 0 <= int(str(each["us"])) < 1e6 for each in told)
    assert path.stat().st_mode & 0o777 == 0o600


def test_any_bytes_in_a_name_stay_one_line_of_ascii() -> None:
    asked = wire.header() + b"\6\x1b[2J\n\xe2\3a.b\0" + wire.u16(65280, 1)
    told = line(Noted("udp", bytes([127, 0, 0, 9]), asked, None, 1.5, 3))
    assert (told.client, told.name, told.type, told.missing) == (
        "127.0.0.9",
        "\\027[2J\\010\\226.a\\.b.",
        "TYPE65280",
        3,
    )
    bare = line(Noted("udp", "127.0.0.9", wire.header(1, qd=0), 1e-5, 1.5, 0))
    assert (bare.name, bare.type, bare.rcode, bare.us) == ("", "", "FORMERR", 10)


def test_a_disk_that_does_not_take_lines_holds_nothing_up(tmp_path: Path) -> None:
    """A pipe that nobody reads is as slow as a disk can be."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    log = QueryLog(str(path), waiting=100)
    began = time.perf_counter()
    for _ in range(5_000):
        log.note("udp", "127.0.0.1", wire.query(), 1e-5)
    assert time.perf_counter() - began < 2
    os.close(reader)


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="link"):
        QueryLog(str(tmp_path / "link"))
