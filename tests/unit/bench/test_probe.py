"""The prober itself: it sees a stall as those who ask meanwhile do, and calls each kind of failure by its name."""

import asyncio
import json
import socket
import struct
import sys

import pytest
from support.ports import free_port
from support.waiting import until

from devdns_bench import probe_backend
from devdns_bench.probe import Probe
from devdns_bench.probe_backend import Backend, response
from devdns_bench.probe_rows import Row, judge, outage, quantile, read, recovery, silence, summarise, write
from devdns_bench.probe_wire import Place, parse


def place(server):
    return Place("127.0.0.1", server.sockets[0].getsockname()[1], "api.dev.test")


async def speaks(converse):
    """A server whose connections are handled by `converse(reader, writer)`."""

    async def conversation(reader, writer):
        try:
            await converse(reader, writer)
        finally:
            writer.close()

    return await asyncio.start_server(conversation, "127.0.0.1", 0)


async def says(answer):
    """A server that answers one request with these bytes and closes."""

    async def converse(reader, writer):
        await request(reader)
        writer.write(answer)

    return await speaks(converse)


async def request(reader):
    """Reads one; its bytes."""
    head = await reader.readuntil(b"\r\n\r\n")
    return head + (await reader.read(100) if head.startswith(b"POST") else b"")


def abort(writer):
    """Resets the connection."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def probed(at, count=40, **options):
    async with Probe(at, {"blue"}, rate=400, count=count, **options) as probe:
        await probe.over()
    return probe


async def counts(server):
    async with server:
        return (await probed(place(server))).summary().counts


async def test_all_is_well_and_each_quarter_of_the_mix_is_there():
    server = await Backend("blue").serve("127.0.0.1", 0)
    async with server:
        probe = await probed(place(server), 200)
    summary = probe.summary()
    assert (summary.sent, summary.counts, summary.outage, summary.idle_closed) == (200, {"ok": 200}, 0.0, 0)
    mix = [(row.method, "new" if row.way == "new" else "kept") for row in probe.rows]
    assert {each: mix.count(each) for each in set(mix)} == {
        ("GET", "new"): 50,
        ("GET", "kept"): 50,
        ("POST", "new"): 50,
        ("POST", "kept"): 50,
    }
    assert sum(row.way == "kept" for row in probe.rows) > 80
    dues = {row.number: row.due for row in probe.rows}
    assert dues == {number: pytest.approx(number / 400, abs=1e-5) for number in range(200)}


async def test_a_stall_of_a_second_counts_for_every_request_that_was_due_in_it():
    flows = asyncio.Event()
    flows.set()

    async def converse(reader, writer):
        while data := await request(reader):
            await flows.wait()
            nonce = data.split()[1].rpartition(b"/")[2] if data.startswith(b"GET") else data.split()[-1]
            writer.write(response(f"blue {nonce.decode()}"))

    async with await speaks(converse) as server, Probe(place(server), {"blue"}, rate=100, count=250) as probe:
        asyncio.get_running_loop().call_later(0.5, flows.clear)
        asyncio.get_running_loop().call_later(1.5, flows.set)
        await probe.over()
    summary = probe.summary()
    assert summary.counts == {"ok": 250}
    assert 0.85 < summary.p99 < 1.3
    assert summary.p50 < 0.3
    assert summary.outage == 0
    assert 0.9 < summary.silence < 1.3


async def test_one_backend_twice_is_no_difference():
    server = await Backend("blue").serve("127.0.0.1", 0)
    async with server:
        one, two = await asyncio.gather(probed(place(server), 200), probed(place(server), 200))
    one, two = one.summary(), two.summary()
    assert one.counts == two.counts == {"ok": 200}
    assert max(one.p50, two.p50) < 3 * min(one.p50, two.p50)


async def test_who_is_not_expected_is_misrouted():
    server = await Backend("green").serve("127.0.0.1", 0)
    async with server:
        probe = await probed(place(server))
    assert probe.summary().counts == {"misrouted": 40}
    assert {row.backend for row in probe.rows} == {"green"}


async def test_a_wrong_backend_among_right_ones_is_found():
    blue, green = await Backend("blue").serve("127.0.0.1", 0), await Backend("green").serve("127.0.0.1", 0)
    async with blue, green, Probe(place(blue), {"blue"}, rate=400, count=200) as probe:
        await until(lambda: probe.sent >= 100)
        probe.place = place(green)
        await until(lambda: probe.sent >= 120)
        probe.place = place(blue)
        await probe.over()
    found = probe.summary().counts
    assert 10 <= found["misrouted"] <= 40
    assert found["ok"] == 200 - found["misrouted"]


async def test_anothers_answer_is_misrouted():
    assert await counts(await says(response("blue somebody-elses"))) == {"misrouted": 40}


async def test_nobody_listens():
    probe = await probed(Place("127.0.0.1", free_port(), "api"))
    assert probe.summary().counts == {"refused": 40}
    assert probe.summary().recovery is None


@pytest.mark.parametrize(("status", "outcome"), [(502, "http_5xx"), (404, "http_4xx"), (301, "http_other")])
async def test_a_status_is_no_success(status, outcome):
    async with await says(response("why\nnot").replace(b"200", str(status).encode())) as server:
        probe = await probed(place(server))
    assert probe.summary().counts == {outcome: 40}
    assert {row.detail for row in probe.rows} == {"why not"}


async def test_a_connection_that_is_reset_loses_what_may_not_be_sent_again():
    async def converse(reader, writer):
        await request(reader)
        abort(writer)

    assert await counts(await speaks(converse)) == {"post_written_lost": 20, "reset": 20}


@pytest.mark.parametrize(
    "begun", [response("blue 0123456789")[:-5], b"HTTP/1.1 200 OK\r\nContent-Le", b"220 hello\r\n\r\n"]
)
async def test_a_response_that_breaks_off_is_truncated(begun):
    assert await counts(await says(begun)) == {"truncated": 40}


async def test_no_answer_in_time_is_a_failure_and_took_that_long():
    async def converse(reader, writer):
        await reader.read()

    async with await speaks(converse) as server:
        summary = (await probed(place(server), patience=0.2)).summary()
    assert summary.counts == {"timeout": 40}
    assert summary.p50 >= 0.2


async def test_a_kept_connection_closed_between_requests_is_counted_and_opened_again():
    nonces = []

    async def converse(reader, writer):
        data = await request(reader)
        nonces.append(data.split()[1].rpartition(b"/")[2] if data.startswith(b"GET") else data.split()[-1])
        writer.write(response(f"blue {nonces[-1].decode()}"))  # says that it stays, and closes

    async with await speaks(converse) as server:
        probe = await probed(place(server))
    summary = probe.summary()
    assert summary.counts == {"ok": 40}
    assert len(nonces) == len(set(nonces)) == 40
    assert summary.idle_closed >= 15


async def test_the_backend_ends_gracefully():
    backend = Backend("blue", takes=1.0)
    server = await backend.serve("127.0.0.1", 0)
    async with Probe(place(server), {"blue"}, rate=400, count=20) as probe:
        await until(lambda: len(backend._busy) == 20)
        server.close()
        await backend.drain()
    assert probe.summary().counts == {"ok": 20}


async def test_the_two_programs(tmp_path):
    port, stamps, out = free_port(), tmp_path / "stamps", tmp_path / "rows.jsonl"
    arguments = [probe_backend.__file__, "blue", "--host", "127.0.0.1", "--port", str(port), "--stamps", str(stamps)]
    backend = await asyncio.create_subprocess_exec(sys.executable, *arguments)
    try:
        await until(stamps.exists)
        arguments = [f"127.0.0.1:{port}", "api", "--expect", "blue", "--seconds", "0.2", "--out", str(out)]
        probe = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "devdns_bench.probe", *arguments, stdout=asyncio.subprocess.PIPE
        )
        shown, _ = await probe.communicate()
    finally:
        backend.terminate()
        assert await backend.wait() == 0
    assert json.loads(shown)["counts"] == {"ok": 20}
    assert [row.number for row in sorted(read(out), key=lambda row: row.number)] == list(range(20))
    (up, rose, _), (down, fell, _) = (line.split() for line in stamps.read_text().splitlines())
    assert (up, down) == ("up", "down")
    assert float(rose) < float(fell)


def row(number, outcome="ok", took=0.001):
    return Row(number, number / 100, number / 100, took, outcome, "GET", "new")


def test_figures_of_rows():
    rows = [row(number, "refused" if 100 <= number < 150 or number == 300 else "ok") for number in range(400)]
    assert outage(rows) == pytest.approx(0.5)
    assert silence(rows) == pytest.approx(0.51)
    assert recovery(rows, 0.9) == pytest.approx(2.11)
    assert recovery(rows, 3.5) == 0.0
    assert recovery(rows[:101], 0.9) is None
    summary = summarise(reversed(rows), changed=0.9)
    assert (summary.sent, summary.failed) == (400, {"refused": 51})
    assert summary.p99 == 0.001


def test_a_second_of_stall_among_ten_is_nine_tenths_at_p99():
    """At 100/s: the tenth worst of the thousand was due a tenth of a second into the stall."""
    waits = [max(0.001, 1 - (number - 500) / 100) if number >= 500 else 0.001 for number in range(1000)]
    assert summarise(row(number, took=took) for number, took in enumerate(waits)).p99 == pytest.approx(0.9)


@pytest.mark.parametrize(("share", "value"), [(0.5, 50), (0.99, 99), (1.0, 100), (0.0, 1)])
def test_a_quantile_is_a_value_that_was_seen(share, value):
    assert quantile(range(1, 101), share) == value
    assert quantile([], share) == 0


def test_rows_go_to_a_file_and_back(tmp_path):
    rows = [row(1), row(2, "timeout")]
    write(rows, tmp_path / "rows.jsonl")
    assert read(tmp_path / "rows.jsonl") == rows


@pytest.mark.parametrize(
    ("seen", "ended", "answer"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab", False, (200, b"ab", True)),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", True, None),
        (b"HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 204 No\r\nConnection: close\r\n\r\n", False, (204, b"", False)),
        (
            b"HTTP/1.1 502 Bad\r\nTransfer-Encoding: chunked\r\n\r\n2;x\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
            False,
            (502, b"abc", True),
        ),
        (
            b"HTTP/1.1 502 Bad\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nT: x\r\n\r\n",
            False,
            (502, b"ab", True),
        ),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n", True, None),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", True, None),
        (b"HTTP/1.0 200 OK\r\n\r\nab", False, None),
        (b"HTTP/1.0 200 OK\r\n\r\nab", True, (200, b"ab", False)),
        (b"HTTP/1.1 2", True, None),
    ],
)
def test_responses_are_read_to_their_end(seen, ended, answer):
    assert parse(seen, ended=ended) == answer


def test_an_identity_alone_will_do():
    assert judge(200, b"blue\n", "n-1", {"blue"}) == ("ok", "blue")
    assert judge(200, b"", "n-1", {"blue"}) == ("misrouted", "")
