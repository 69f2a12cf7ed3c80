"""The journal: what each change becomes, what is kept of it on the disk, and what is found again."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace
from support.control import Scripted, registry_of, route
from support.waiting import until

from devdns.control import history as journal_file
from devdns.control.history import NAME, OLDER, History, stamp
from devdns.control.journal import MOST, Entry, Side, decode, encode, entries, wanted
from devdns.core.names import Claim
from devdns.core.routes import Change, RouteTable, State
from devdns.core.sources import Statement, Trouble

NOW = "2026-11-20T09:30:00.000Z"
API = route("api", source="docker", owner="shop/api", origin="container api-1")
DOWN = replace(API, state=State.RESTARTING, reason="container api-1 stopped (exit code 137)")


def side(found):
    return Side(found.state.value, tuple(map(str, found.targets)), found.reason, found.source)


@pytest.mark.parametrize(
    ("before", "after", "causes", "cause", "said"),
    [
        (None, API, {"shop/api": "start, a knock"}, "", "start, a knock"),
        (API, DOWN, {"shop/api": "kill, die"}, "", "kill, die"),
        (DOWN, None, {"shop/api": "kill, die"}, "", "its hold is over"),
        (API, DOWN, {}, "the Docker Engine went away", "the Docker Engine went away"),
        (API, DOWN, {}, "", "docker"),
        (None, replace(API, source="file:/x/devdns.yml"), {}, "", "its file names it"),
        (API, replace(API, source="file:/x/devdns.yml"), {}, "", "its file changed"),
        (replace(API, source="manual"), None, {}, "", "devdns add or devdns rm"),
    ],
)
def test_an_entry_says_what_it_was_what_it_is_and_why(before, after, causes, cause, said):
    table = RouteTable([before] if before else [])
    change = Change(1, () if after else (API.claim,), (after,) if after else ())
    (entry,) = entries(table, change, causes, cause, NOW)
    assert entry == Entry(
        NOW,
        "change",
        "api.dev.test",
        said,
        before=side(before) if before else None,
        after=side(after) if after else None,
    )


def test_a_change_of_very_many_routes_is_one_entry():
    every = tuple(replace(API, host=f"n{number}.dev.test") for number in range(MOST + 1))
    (entry,) = entries(RouteTable(), Change(1, (Claim("x.dev.test"),), every), {}, "", NOW)
    assert (entry.kind, entry.count, entry.cause) == ("many", MOST + 2, "docker")


def test_lines_that_are_none_count_as_nothing():
    line = encode(Entry(NOW, "change", "api.dev.test"))
    assert len(decode([line, line[:20], b"", b"\xff", b"[]", b"[" * 100_000])) == 1


def test_what_is_asked_for_is_found():
    every = [Entry(NOW, "change", name) for name in ("api.dev.test", "api.dev.test/v2", "*.dev.test", "web.dev.test")]
    every.append(Entry("2026-11-20T09:31:00.000Z", "many", count=300))
    assert [each.name for each in wanted(every, "api.dev.test", "")] == [
        "api.dev.test",
        "api.dev.test/v2",
        "*.dev.test",
        "",
    ]
    assert [each.kind for each in wanted(every, "", "2026-11-20T09:30:30.000Z")] == ["many"]


def change(number=1, after=API):
    return Change(number, (), (after,))


async def test_it_survives_a_restart_and_a_torn_last_line(tmp_path):
    first = History(tmp_path)
    first.note(RouteTable(), change(), {}, "first")
    await first.close()
    with (tmp_path / NAME).open("ab") as file:
        file.write(b'{"time":"2026-11-')
    second = History(tmp_path)
    second.note(RouteTable(), change(), {}, "second")
    await second.close()
    assert [each.cause for each in await History(tmp_path).entries()] == ["first", "second"]
    assert (tmp_path / NAME).stat().st_mode & 0o777 == 0o600


async def test_what_is_not_written_yet_is_told_too(tmp_path):
    history = History(tmp_path)
    history.note(RouteTable(), change(), {}, "now")
    assert [each.cause for each in await history.entries("api.dev.test")] == ["now"]
    await history.close()
    assert len(await history.entries()) == 1


async def test_it_stays_bounded_and_keeps_the_newest(tmp_path, monkeypatch):
    monkeypatch.setattr(journal_file, "MOST_BYTES", 4_000)
    monkeypatch.setattr(journal_file, "PAUSE", 0)
    history = History(tmp_path)
    for number in range(200):
        history.note(RouteTable(), change(), {}, f"cause {number}")
        await history.close()
    assert {each.name for each in tmp_path.iterdir()} == {NAME, OLDER}
    assert all(each.stat().st_size <= 4_000 for each in tmp_path.iterdir())
    kept = [each.cause for each in await history.entries()]
    assert kept == [f"cause {number}" for number in range(200 - len(kept), 200)]
    assert [each.cause for each in await history.entries(most=2)] == ["cause 198", "cause 199"]


async def test_a_disk_that_fails_or_a_link_in_its_place_costs_the_journal_only(tmp_path):
    precious = tmp_path / "precious"
    precious.write_text("mine\n")
    (tmp_path / NAME).symlink_to(precious)
    history = History(tmp_path)
    history.note(RouteTable(), change(), {}, "x")
    await history.close()
    assert precious.read_text() == "mine\n"
    assert await History(tmp_path / "nowhere").entries() == []


async def test_requests_that_failed_are_told_with_the_change_before_them(tmp_path):
    moment = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
    history = History(tmp_path, lambda: moment)
    history.note(RouteTable([API]), change(2, DOWN), {"shop/api": "kill, die"}, "")
    history.failed("api.dev.test", 3, "the connection broke after the request was sent")
    history.failed("web.dev.test", 1, "refused")
    await history.close()
    _, first, second = await history.entries()
    assert (first.kind, first.name, first.count) == ("failed", "api.dev.test", 3)
    assert first.cause == f"restarting since {moment.astimezone():%H:%M:%S}: kill, die"
    assert second.cause == "no change of it is known"
    assert [each.name for each in await history.entries(since=stamp(moment + timedelta(seconds=1)))] == []


async def test_every_change_of_the_table_is_in_the_journal_with_its_cause(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    docker = Scripted("docker", Statement((API,), causes={"shop/api": "start"}))
    async with registry_of(docker) as registry:
        docker.say(Trouble("the engine is away", routes=(DOWN,)))
        docker.say(Statement(()))
        await until(lambda: not len(registry.table))
        found = await registry.history.entries("api.dev.test")
    assert [(each.before and each.before.state, each.after and each.after.state, each.cause) for each in found] == [
        (None, "live", "start"),
        ("live", "restarting", "the engine is away"),
        ("restarting", None, "its hold is over"),
    ]
