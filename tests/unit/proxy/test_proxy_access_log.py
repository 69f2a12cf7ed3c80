"""The access log: one request, one line of JSON, and no request that waits for a disk."""

from __future__ import annotations

import asyncio
import json
import os
import time
from contextlib import suppress
from pathlib import Path

import pytest
from support.http_proxy import GET, LAST, OK, answering, backend, route, running, stage
from support.source import ROOT
from support.waiting import until

from devdns_proxy import access_log
from devdns_proxy.access_log import AccessLog, Line, line
from devdns_proxy.endings import Ending
from devdns_proxy.limits import Limits
from devdns_proxy.server import Proxy


def ending(target: bytes = b"/", how="whole", **fields) -> Ending:
    plain = {
        "client": "127.0.0.9",
        "method": b"GET",
        "host": "api.dev.test",
        "request_id": b"r1",
        "route": "api.dev.test",
        "service": "http://127.0.0.1:5173",
        "status": 200,
        "seconds": 0.0015,
        "received": 40,
        "sent": 80,
    }
    return Ending(how=how, target=target, **{**plain, **fields})


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(each) for each in path.read_text().splitlines()]


def logging_to(proxy: Proxy, path: Path) -> None:
    proxy.log_requests(str(path))
    proxy.context.access = proxy._log.note


async def test_every_request_is_a_line(tmp_path):
    path = tmp_path / "access.log"
    async with stage(OK) as (proxy, service):
        logging_to(proxy.proxy, path)
        answer = await proxy.say(GET.replace(b"\r\n\r\n", b"\r\nX-Request-ID: mine\r\n\r\n") + LAST)
        await proxy.say(LAST.replace(b"api.", b"gone."))
        await proxy.say(b"GET /x HTTP/1.1\r\nHost: api.dev.test\r\nHost: two\r\n\r\n")
    first, second, third, fourth = lines(path)
    assert (
        first.items()
        >= {
            "client": "127.0.0.1",
            "method": "GET",
            "host": "api.dev.test",
            "target": "/",
            "status": 200,
            "route": "api.dev.test",
            "upstream": f"http://127.0.0.1:{service.port}",
            "request_id": "mine",
        }.items()
    )
    assert abs(float(str(first["time"])) - time.time()) < 60
    assert 0 < float(str(first["duration_ms"])) < 10_000
    assert "ended" not in first
    assert "error" not in first
    assert first["bytes_out"] + second["bytes_out"] == len(answer)
    assert (third["status"], third["host"]) == (404, "gone.dev.test")
    assert "no route has this name" in str(third["error"])
    assert "route" not in third
    assert (fourth["status"], fourth["target"], fourth["ended"]) == (400, "", "refused")
    assert fourth["error"] == "a request needs exactly one Host field"
    assert path.stat().st_mode & 0o777 == 0o600


async def test_a_service_that_is_down_is_said(tmp_path):
    path = tmp_path / "access.log"
    async with running(route("api", "127.0.0.1:1"), limits=Limits(refused_hold=0.0)) as proxy:
        logging_to(proxy.proxy, path)
        await proxy.say(LAST)
    (told,) = lines(path)
    assert (told["status"], told["route"]) == (502, "api.dev.test")
    assert "connection refused" in str(told["error"])


@pytest.mark.parametrize(
    "target",
    [
        bytes([*range(0x21, 0x7F)]).join([b"/", b""]),
        b'/"},{"time":1,"status":200',
        b"/%0d%0a\\\\x1b[2J",
        bytes(range(0x80, 0x100)).join([b"/", b""]),
        "/\u202egnp.exe/\u2028\u009b2J/ünï".encode(),
    ],
)
async def test_hostile_bytes_on_the_wire_stay_one_line_that_drives_no_terminal(tmp_path, target):
    path = tmp_path / "access.log"
    async with stage(OK) as (proxy, _):
        logging_to(proxy.proxy, path)
        await proxy.say(LAST.replace(b"GET /", b"GET " + target))
    (told,) = lines(path)
    assert told["status"] in (200, 400)
    raw = path.read_bytes()
    assert raw.count(b"\n") == 1
    assert all(each.isprintable() for each in raw.decode().removesuffix("\n"))


@pytest.mark.parametrize("raw", [b"\x1b]0;pwn\x07\r\n{", "\u202e\u2066\x7f\x9b".encode(), b"\xff\xfe\x00"])
def test_any_bytes_are_text_that_drives_no_terminal(raw):
    told = line(
        1.5, ending(raw, method=raw, request_id=raw, host=raw.decode("latin-1"), reason=raw.decode("latin-1")), 3
    )
    assert told.missing == 3
    for text in (told.target, told.method, told.request_id, told.host, told.error):
        assert text.isprintable()
        assert text


async def test_lines_are_written_soon_and_in_order_though_nobody_asks(tmp_path):
    path = tmp_path / "access.log"
    log = AccessLog(str(path))
    for number in range(1_000):
        log.note(ending(b"/%d" % number))
    assert path.stat().st_size == 0 or lines(path)[0]["target"] == "/0"
    await until(lambda: path.read_bytes().count(b"\n") == 1_000)
    assert [each["target"] for each in lines(path)] == [f"/{number}" for number in range(1_000)]
    log.close()


async def test_a_disk_that_does_not_take_lines_holds_nothing_up_and_what_is_missing_is_counted(tmp_path):
    """A pipe that nobody reads is as slow as a disk can be."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    log = AccessLog(str(path), most=200_000)
    began = time.perf_counter()
    for _ in range(5_000):
        log.note(ending())
        await asyncio.sleep(0)
    assert time.perf_counter() - began < 2
    left_out = log.left_out
    assert left_out > 0
    assert log.families()[0].samples[0].value == left_out
    read = bytearray()

    def drained() -> bool:
        with suppress(BlockingIOError):
            read.extend(os.read(reader, 1 << 20))
        return log._queue.empty() and not log._waiting

    await until(drained)
    log.note(ending(b"/after"))
    await until(lambda: drained() and b"/after" in read)
    log.close()
    os.close(reader)
    told = [json.loads(each) for each in bytes(read).splitlines()]
    assert len(told) + left_out == 5_001
    assert told[-1]["target"] == "/after"
    assert sum(each.get("missing", 0) for each in told) == left_out


async def test_a_file_that_was_rotated_away_is_opened_anew(tmp_path, monkeypatch):
    monkeypatch.setattr(access_log, "LOOK_AGAIN", 0.0)
    path = tmp_path / "access.log"
    log = AccessLog(str(path))
    log.note(ending(b"/old"))
    await until(lambda: b"/old" in path.read_bytes())
    path.rename(tmp_path / "access.log.1")
    log.note(ending(b"/new"))
    await until(path.exists)
    await until(lambda: b"/new" in path.read_bytes())
    assert [each["target"] for each in lines(tmp_path / "access.log.1")] == ["/old"]
    log.close()


async def test_a_full_disk_is_said_and_counted_and_the_next_line_is_whole(tmp_path, monkeypatch):
    path = tmp_path / "access.log"
    log = AccessLog(str(path))
    write, wrote = os.write, []

    def full(file: int, data: bytes) -> int:
        wrote.append(data)
        if len(wrote) == 1:
            return write(file, data[:10])
        if len(wrote) == 2:
            raise OSError(28, "No space left on device")
        return write(file, data)

    monkeypatch.setattr(os, "write", full)
    log.note(ending(b"/lost"))
    await until(lambda: log.left_out == 1)
    log.note(ending(b"/kept"))
    await until(lambda: b"/kept" in path.read_bytes())
    log.close()
    cut, whole = path.read_text().splitlines()
    assert len(cut) == 10
    assert json.loads(whole)["target"] == "/kept"
    assert json.loads(whole)["missing"] == 1


def test_a_link_is_not_followed_and_a_pipe_that_nobody_reads_is_not_waited_for(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="link"):
        AccessLog(str(tmp_path / "link"))
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="No such device"):
        AccessLog(str(tmp_path / "pipe"))


async def test_standard_output_is_a_place(capfd):
    log = AccessLog("-")
    log.note(ending(b"/told"))
    log.close()
    assert json.loads(capfd.readouterr().out)["target"] == "/told"


async def test_a_tunnel_is_a_line_when_it_begins(tmp_path):
    path = tmp_path / "access.log"

    async def switching(self, wire):
        await wire.head()
        await wire.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: foo\r\n\r\n")
        await wire.rest()

    async with backend(switching) as service, running(route("api", service.port)) as proxy:
        logging_to(proxy.proxy, path)
        async with await proxy.connect() as wire:
            await wire.send(GET.replace(b"\r\n\r\n", b"\r\nConnection: upgrade\r\nUpgrade: foo\r\n\r\n"))
            await wire.head()
            await until(lambda: path.read_bytes().endswith(b"\n"))
    (told,) = lines(path)
    assert (told["status"], told["ended"]) == (101, "tunnel")


async def test_without_one_nothing_is_noted():
    async with backend(answering(OK)) as service, running(route("api", service.port)) as proxy:
        assert proxy.proxy.context.access is None
        assert (await proxy.say(LAST)).endswith(b"ok")


@pytest.mark.parametrize("field", Line.__struct_fields__)
def test_every_field_is_documented(field):
    section = (ROOT / "proxy" / "README.md").read_text().partition("## The access log")[2].partition("\n## ")[0]
    assert f"`{field}`" in section
