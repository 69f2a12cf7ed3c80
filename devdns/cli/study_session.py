"""`devdns study session ID`: one participant's session, as local web pages; goes on where it was."""

from __future__ import annotations

import asyncio
import fcntl
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from devdns.cli.options import common, option
from devdns.cli.state import here
from devdns.cli.study import data_option
from devdns.cli.text import clean, say
from devdns.core.errors import DevdnsError, UsageRefused

if TYPE_CHECKING:
    from devdns_study.session.seat import Seat
    from devdns_study.store import Store

INTERRUPTED = 130


@click.command()
@click.argument("participant", metavar="ID")
@data_option
@option(
    "--port", type=click.IntRange(0, 65535), default=0, metavar="PORT", help="Where the pages are.  [default: free]"
)
@option(
    "--image", default="busybox", show_default=True, metavar="IMAGE", help="What the containers of tasks are made of."
)
@option("--synthetic", is_flag=True, help="Mark the answers as made up: a trial run, not a participant.")
@option("--withdraw", is_flag=True, help="Remove all answers of the participant, and stop.")
@common
def session(  # noqa: PLR0913 - one argument for each flag
    *,
    participant: str,
    data: Path,
    port: int,
    image: str,
    synthetic: bool,
    withdraw: bool,
    state_dir: Path,  # noqa: ARG001 - understood by every command
    config: Path | None,  # noqa: ARG001
) -> int:
    """Run the session of one participant.

    It prints the address to open, and goes on where an earlier one was stopped.
    """
    from devdns_study.sandbox.needs import missing  # noqa: PLC0415 - loaded when needed
    from devdns_study.session.seat import Venue, seat  # noqa: PLC0415
    from devdns_study.store import Store  # noqa: PLC0415

    folder = (here() / data).parent / "study-sandbox"
    with Store.opened(data) as store:
        if withdraw:
            _withdraw(store, participant, folder)
            return 0
        taken = seat(store, participant, Venue(folder, image), synthetic=synthetic)
        if taken.over:
            say(f"the session of {clean(participant)} is done")
            return 0
        with _alone(folder, participant):
            if lacks := missing(taken.plan.tasks, taken.plan.approaches, image):
                raise DevdnsError(
                    "; ".join(lacks), "install it, or plan without: devdns study plan --tasks, --approaches"
                )
            done = asyncio.run(_serve(taken, port))
    say(f"the session of {clean(participant)} is {'done' if done else 'stopped; the same command goes on with it'}")
    return 0 if done else INTERRUPTED


def _withdraw(store: Store, participant: str, folder: Path) -> None:
    if participant not in store.participants():
        raise UsageRefused(f"nobody is called {participant!r}", "devdns study score FILE lists who is")
    with _alone(folder, participant):
        store.withdraw(participant)
        shutil.rmtree(folder / participant, ignore_errors=True)
    say(f"all answers of {clean(participant)} are removed")


@contextmanager
def _alone(folder: Path, participant: str) -> Iterator[None]:
    """One session of a participant at a time."""
    folder.mkdir(exist_ok=True)
    with (folder / f".{participant}.lock").open("wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise DevdnsError(f"a session of {participant} runs already") from None
        yield


async def _serve(taken: Seat, port: int) -> bool:
    from devdns_study.session.server import serve  # noqa: PLC0415 - loaded when needed

    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    return await serve(taken, port, lambda url: say(f"open {url}"), stop)
