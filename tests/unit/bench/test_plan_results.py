"""Which runs there are, and that none that is finished is ever lost or made again."""

from __future__ import annotations

import multiprocessing
import os
import signal

import msgspec
import pytest
from support.waiting import wait_until

from devdns_bench.peers import Found
from devdns_bench.plan import Run, plan, programs, why_not
from devdns_bench.results import SESSIONS, TRIES, Busy, NoRow, Row, Store, hopeless, rows, sessions
from devdns_bench.scenarios import SCENARIOS
from devdns_bench.scenarios.base import Result
from devdns_bench.session import split

RUN = Run("restart", "{}", "ports", 1)


def _row(number: int = 1, outcome="measured", reason="", **figures: float) -> Row:
    return Row(
        "restart", "{}", "ports", number, outcome, "s", 1, 0.0, reason=reason, result=Result(figures or {"failed": 0.0})
    )


def test_the_seed_alone_makes_the_order():
    first = plan(["restart", "dns"], ["devdns", "ports", "nginx"], 4, seed=7)
    assert first == plan(["restart", "dns"], ["devdns", "ports", "nginx"], 4, seed=7)
    assert first != plan(["restart", "dns"], ["devdns", "ports", "nginx"], 4, seed=8)


def test_every_repeat_holds_every_cell_once_in_its_own_order():
    approaches = ["devdns", "ports", "nginx", "caddy"]
    made = plan(["setup", "restart"], approaches, 3, seed=1)
    size = len(approaches) * (len(SCENARIOS["setup"].cells) + 1)
    blocks = [made[start : start + size] for start in range(0, len(made), size)]
    for number, block in enumerate(blocks, 1):
        assert {run.repeat for run in block} == {number}
        assert len({(run.scenario, run.cell, run.approach) for run in block}) == size
    assert [run.approach for run in blocks[0]] != [run.approach for run in blocks[1]]


def test_a_plan_made_longer_begins_as_before():
    assert plan(["restart"], ["ports", "devdns"], 9, 1)[:6] == plan(["restart"], ["ports", "devdns"], 3, 1)


def test_what_a_run_needs_is_known():
    assert programs(RUN) == ("dockerd", "docker", "busybox")
    assert programs(Run("dns", "{}", "coredns", 1)) == ("coredns", "dnsperf")


def test_rows_come_back_as_they_went(tmp_path):
    store = Store(tmp_path)
    every = [_row(1, failed=3.0), _row(2, "failed", "no"), _row(0, "absent", "not installed")]
    for row in every:
        store.add(row)
    assert [*rows(tmp_path)] == every
    assert store.done() == {RUN, msgspec.structs.replace(RUN, repeat=2)}


def test_what_only_ever_failed_is_hopeless_after_some_tries():
    failed = [_row(number, "failed", "no") for number in range(1, TRIES + 1)]
    assert hopeless([*failed, _row(0, "absent", "not installed")]) == {Run("restart", "{}", "ports", 0)}
    assert not hopeless(failed[:-1])
    assert not hopeless([_row(TRIES + 1), *failed])


def test_a_reason_is_told_once_and_a_new_one_again(tmp_path):
    store = Store(tmp_path)
    for reason in ("a", "a", "b", "a"):
        store.add(_row(0, "absent", reason))
    assert [row.reason for row in rows(tmp_path)] == ["a", "b"]


@pytest.mark.parametrize("torn", [b'{"scenario": "rest', b"{", b"\xff\xff"])
def test_a_torn_last_line_is_no_row_and_is_gone_after_the_next(tmp_path, torn):
    store = Store(tmp_path)
    store.add(_row(1))
    path = tmp_path / "restart.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole + torn)
    assert store.done() == {RUN}
    store.add(_row(2))
    assert path.read_bytes().startswith(whole + b'{"scenario"')
    assert [row.repeat for row in rows(tmp_path)] == [1, 2]


def test_a_file_with_nothing_but_a_torn_line_is_empty(tmp_path):
    (tmp_path / "restart.jsonl").write_bytes(b'{"scenario"')
    store = Store(tmp_path)
    assert not store.done()
    store.add(_row(1))
    assert [row.repeat for row in rows(tmp_path)] == [1]


def test_what_is_no_row_of_ours_is_refused(tmp_path):
    (tmp_path / "other.jsonl").write_text('{"a": 1}\n')
    with pytest.raises(NoRow, match=r"other.jsonl:1 is no row"):
        [*rows(tmp_path)]


def test_requests_are_kept_under_the_name_of_their_run(tmp_path):
    (tmp_path / "asked").write_text("{}\n")
    store = Store(tmp_path / "out")
    store.keep(Run("degraded", '{"link": "loss"}', "ports", 3), tmp_path / "asked")
    store.keep(RUN, tmp_path / "none")
    assert [path.name for path in (tmp_path / "out/requests").iterdir()] == ["degraded-link-loss-ports-3.jsonl"]


def test_without_root_every_run_is_left_out_with_the_reason(monkeypatch):
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    runs = plan(["restart"], ["ports", "traefik"], 2, 1)
    peers = {name: Found(name, "/bin/true", "1") for run in runs for name in programs(run)}
    can, absent = split(runs, peers)
    assert can == []
    assert {run.repeat for run in absent} == {0}
    assert {*absent.values()} == {"needs root on Linux, for namespaces of its own"}


def test_what_knows_containers_only_is_not_asked_about_processes():
    reasons = {run.scenario: why_not(run) for run in plan(["latency", "restart", "dns"], ["docker-gen"], 1, 1)}
    assert reasons == {"latency": "it knows containers only", "dns": "it knows containers only", "restart": ""}


def test_a_missing_program_leaves_out_its_approach_only():
    runs = plan(["dns"], ["dnsmasq", "coredns", "nginx"], 1, 1)
    peers = {name: Found(name, "/bin/true", "1") for run in runs for name in programs(run)}
    peers["coredns"] = Found("coredns", reason="coredns not installed: go install it")
    _, absent = split(runs, peers)
    reasons = {run.approach: reason for run, reason in absent.items()}
    assert reasons["coredns"] == "coredns not installed: go install it"
    assert reasons["nginx"] == "it brings no DNS server"


def test_one_writer_at_a_time(tmp_path):
    with Store(tmp_path).locked(), pytest.raises(Busy, match="another bench"), Store(tmp_path).locked():
        pass


def test_no_sessions_are_none(tmp_path):
    assert sessions(tmp_path) == []
    assert SESSIONS == "sessions.jsonl"


def _write(folder, told) -> None:
    store = Store(folder)
    for number in range(1, 100_000):
        store.add(_row(number))
        told.send_bytes(number.to_bytes(4, "big"))  # after add returned: this row must never be lost


def test_sigkill_loses_no_row_that_was_told_to_be_kept(tmp_path):
    context = multiprocessing.get_context("spawn")
    heard, told = context.Pipe(duplex=False)
    writer = context.Process(target=_write, args=(tmp_path, told))
    writer.start()
    told.close()
    last = 0
    while last < 20:
        last = int.from_bytes(heard.recv_bytes(), "big")
    os.kill(writer.pid, signal.SIGKILL)
    writer.join()
    while heard.poll():
        try:
            last = int.from_bytes(heard.recv_bytes(), "big")
        except EOFError:
            break
    kept = [row.repeat for row in rows(tmp_path)]
    assert kept[:last] == [*range(1, last + 1)]
    assert len(kept) <= last + 1
    wait_until(lambda: not writer.is_alive())
