"""The routes file: told at once, last good kept, bad news believed after a beat only."""

import asyncio
import os
import shutil
import tempfile
import time
from pathlib import Path

import pytest
from support.parts import need_root
from support.watching import watching

from devdns.control.shapes import problems
from devdns.core import config
from devdns.core.names import Zones
from devdns.core.sources import Statement, Trouble
from devdns.providers import file as file_source
from devdns.providers.file import ERROR_BEAT, LOSS_BEAT, FileProvider, Seen, beat

ONE = "routes:\n  api: 5173\n"
TWO = ONE + "  web: 8000\n"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "devdns.yml"


def provider(path, **options):
    return FileProvider(str(path), Zones(), **options)


def replaced(path, text):
    """As an editor saves: a new file renamed over the old."""
    other = path.with_name(path.name + "~")
    other.write_text(text)
    other.replace(path)


def names(statement):
    assert isinstance(statement, Statement), statement
    return [route.host.removesuffix(".dev.test") for route in statement.routes]


async def test_states_what_is_there_with_source_owner_and_line(path):
    path.write_text("# a comment\n" + ONE)
    async with watching(provider(path)) as said:
        [route] = (await said()).routes
    assert (route.host, route.source, route.owner, route.origin) == (
        "api.dev.test",
        f"file:{path}",
        str(path),
        "devdns.yml:3",
    )


@pytest.mark.parametrize("write", [lambda path, text: path.write_text(text), replaced], ids=["in place", "renamed"])
async def test_a_change_is_told(path, write):
    path.write_text(ONE)
    async with watching(provider(path)) as said:
        assert names(await said()) == ["api"]
        write(path, TWO)
        assert names(await said()) == ["api", "web"]
        write(path, ONE)
        assert names(await said()) == ["api"]


async def test_a_new_route_is_told_within_50_ms_in_the_median(path):
    path.write_text("routes:\n")
    took = []
    async with watching(provider(path)) as said:
        await said()
        for count in range(1, 16):
            text = "routes:\n" + "".join(f"  s{each}: 80\n" for each in range(count))
            start = time.perf_counter()
            path.write_text(text)
            assert len(names(await said())) == count
            took.append(time.perf_counter() - start)
    assert sorted(took)[len(took) // 2] < 0.05


async def test_a_broken_edit_keeps_the_routes_and_names_line_and_mend(path):
    path.write_text(ONE)
    async with watching(provider(path)) as said:
        await said()
        path.write_text("routes:\n  api: 99999\n  b: {strip: maybe}\n")
        trouble = await said()
        assert trouble.reason == (
            f"{path}:2: routes.api: target '99999': port 99999 is not between 1 and 65535 (and 2 more)"
            "; its last good version stays in force (1 route)"
        )
        assert trouble.hint == f"devdns config check -c {path} shows every problem"
        path.write_text(ONE)
        assert names(await said()) == ["api"]


async def test_a_file_may_be_missing_appear_and_go(path):
    async with watching(provider(path)) as said:
        assert (await said()) == Trouble(f"'{path}' is not there", "create it, or name another with -c")
        path.write_text(ONE)
        assert names(await said()) == ["api"]
        path.unlink()
        gone = await said()
        assert gone.reason == f"'{path}' is not there; its last good version stays in force (1 route)"
        path.write_text(TWO)
        assert names(await said()) == ["api", "web"]


async def test_an_attached_file_that_is_gone_can_be_detached(path):
    async with watching(provider(path, routes_only=True)) as said:
        assert (await said()).hint == f"create it, or devdns down -c {path} detaches it"


async def test_even_its_folder_may_come_later(tmp_path):
    path = tmp_path / "later" / "devdns.yml"
    async with watching(provider(path)) as said:
        assert isinstance(await said(), Trouble)
        path.parent.mkdir()
        path.write_text(ONE)
        assert names(await said()) == ["api"]
        path.write_text(TWO)
        assert names(await said()) == ["api", "web"]


async def test_its_folder_may_be_replaced(tmp_path):
    path = tmp_path / "checkout" / "devdns.yml"
    path.parent.mkdir()
    path.write_text(ONE)
    async with watching(provider(path)) as said:
        assert names(await said()) == ["api"]
        shutil.rmtree(path.parent)
        assert isinstance(await said(), Trouble)
        path.parent.mkdir()
        path.write_text(TWO)
        assert names(await said()) == ["api", "web"]
        path.write_text(TWO + "  x: 1\n")
        assert names(await said()) == ["api", "web", "x"]


async def test_a_link_is_followed_and_its_change_too(tmp_path, path):
    for folder, text in (("a", ONE), ("b", TWO)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "real.yml").write_text(text)
    path.symlink_to("a/real.yml")
    async with watching(provider(path)) as said:
        assert names(await said()) == ["api"]
        (tmp_path / "a" / "real.yml").write_text(TWO)
        assert names(await said()) == ["api", "web"]
        (tmp_path / "a" / "real.yml").write_text(ONE)
        assert names(await said()) == ["api"]
        other = tmp_path / "link"
        other.symlink_to("b/real.yml")
        other.replace(path)
        assert names(await said()) == ["api", "web"]


async def test_truncate_then_write_flashes_nothing(path, monkeypatch):
    for each in ("LOSS_BEAT", "ERROR_BEAT"):
        monkeypatch.setattr(file_source, each, 0.5)  # so long that a busy machine cannot stretch a write beyond it
    path.write_text(TWO)
    async with watching(provider(path)) as said:
        await said()
        for port in range(8001, 8021):
            with path.open("w") as file:
                for part in ("", "routes:\n  api: 5173\n", "  we", f"b: {port}\n"):
                    file.write(part)
                    file.flush()
                    await asyncio.to_thread(os.fsync, file.fileno())
            heard = [await said()]
            while (now := heard[-1].routes[-1].targets[0].port) != port:
                assert now < port
                heard.append(await said())
            assert [names(each) for each in heard] == [["api", "web"]]


async def test_an_emptied_file_is_believed_after_a_beat(path):
    path.write_text(ONE)
    async with watching(provider(path)) as said:
        await said()
        path.write_text("")
        assert names(await said()) == []


async def test_the_same_again_is_not_told(path):
    path.write_text(ONE)
    async with watching(provider(path)) as said:
        await said()
        path.write_text(ONE)
        (path.parent / "other.txt").write_text("x")
        await said.quiet(0.15)


async def test_a_changed_setting_is_refused_until_the_next_start(path):
    path.write_text(ONE + "workers: 1\n")
    async with watching(provider(path)) as said:
        assert (await said()).refusals == ()
        path.write_text(TWO + "workers: 2\ndns: {forward: system}\n")
        refusals = (await said()).refusals
    assert all(each.pending for each in refusals)
    assert problems((), (), [("file:/w/devdns.yml", each) for each in refusals], ()) == []
    assert [(each.origin, each.name, each.reason, each.hint) for each in refusals] == [
        ("devdns.yml:4", "workers", "changes at the next start", "devdns down, then devdns up"),
        ("devdns.yml:5", "dns.forward", "changes at the next start", "devdns down, then devdns up"),
    ]


async def test_an_attached_file_brings_routes_only(path):
    path.write_text(ONE + "dns: {listen: nonsense}\n")
    async with watching(provider(path, routes_only=True)) as said:
        statement = await said()
    assert names(statement) == ["api"]
    assert [(each.name, each.reason) for each in statement.refusals] == [("dns", "an attached file brings routes only")]


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: path.mkdir(), "is not a file"),
        (os.mkfifo, "is not a file"),
        (lambda path: path.write_bytes(b"routes:\n  api: \xff\n"), "2: not UTF-8: byte 0xff"),
        (lambda path: path.symlink_to(path.name), "cannot be read: Too many levels of symbolic links"),
    ],
    ids=["folder", "fifo", "latin-1", "loop"],
)
async def test_what_is_no_text_file_is_trouble(path, make, says):
    make(path)
    async with watching(provider(path)) as said:
        assert says in (await said()).reason


@pytest.fixture
def open_folder():
    """A folder that everybody may walk to."""
    with tempfile.TemporaryDirectory(prefix="devdns-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def as_nobody():
    need_root("becoming a user who may not read")
    os.seteuid(65534)
    yield
    os.seteuid(0)


@pytest.fixture(params=["file", "folder"])
def shut(request, open_folder):
    """A file that only root reads, and the command that opens it."""
    path = open_folder / "inner" / "devdns.yml"
    path.parent.mkdir()
    path.write_text(ONE)
    closed = path if request.param == "file" else path.parent
    closed.chmod(0o600 if closed == path else 0o700)
    return path, f"chmod o+{'r' if closed == path else 'x'} '{closed}'"


async def test_who_may_not_read_is_named_with_the_mend(shut, as_nobody):
    path, mend = shut
    async with watching(provider(path)) as said:
        assert await said() == Trouble(f"'{path}' cannot be read by uid 65534", mend)


def seen(text, *claims, error=None):
    file = config.parse("routes: {" + ", ".join(f"{claim}: 80" for claim in claims) + "}", "x")
    return Seen((), text, file, config.routes(file, Zones()), error)


BAD = Exception("bad")
BEATS = [
    (None, seen("a\n", "a"), 0.0),
    (None, seen(""), ERROR_BEAT),
    (None, seen("x", error=BAD), ERROR_BEAT),
    (seen("a\n", "a"), seen("a\nb\n", "a", "b"), 0.0),
    (seen("a\n", "a"), seen("a\nb", "a", "b"), LOSS_BEAT),
    (seen("a\nb\n", "a", "b"), seen("a\n", "a"), LOSS_BEAT),
    (seen("a\nb\n", "a", "b"), seen(""), ERROR_BEAT),
    (seen("a\n", "a"), seen("a\n", error=BAD), ERROR_BEAT),
    (seen(""), seen(""), 0.0),
    (seen("a", "a"), seen("a ", "a"), 0.0),
]


@pytest.mark.parametrize(("last", "now", "wait"), BEATS)
def test_only_bad_news_waits(last, now, wait):
    assert beat(last, now) == wait
