"""`devdns study session ID`: one participant's session, as local web pages; goes on where it was."""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import signal
from collections.abc import Callable, Iterator
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
WITHOUT = "or plan a study without it: devdns study plan --data OTHER --tasks T,U --approaches A,B"
Told = Callable[[str], None]


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
        with _alone(folder, participant) as told:
            if lacks := missing(taken.plan.tasks, taken.plan.approaches, image):
                mends = dict.fromkeys(lack.mend for lack in lacks)
                raise DevdnsError("; ".join(lack.what for lack in lacks), f"{', '.join(mends)}; {WITHOUT}")
            done = asyncio.run(_serve(taken, port, told))
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
def _alone(folder: Path, participant: str) -> Iterator[Told]:
    """One session of a participant at a time; what it yields is told its address, for whoever starts a second one.

    The lock's file is its owner's alone: who knows the address can answer for the participant.
    """
    folder.mkdir(exist_ok=True)
    with open(os.open(folder / f".{participant}.lock", os.O_RDWR | os.O_CREAT, 0o600), "r+") as lock:  # noqa: PTH123 - of a descriptor
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise DevdnsError(f"a session of {participant} runs already", lock.read()) from None
        lock.truncate(0)

        def told(url: str) -> None:
            lock.write(f"open {url}, or end it: kill {os.getpid()}")
            lock.flush()

        yield told
        lock.truncate(0)


async def _serve(taken: Seat, port: int, told: Told) -> bool:
    from devdns_study.session.server import serve  # noqa: PLC0415 - loaded when needed

    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)

    def opened(url: str) -> None:
        told(url)
        say(f"open {url}")

    return await serve(taken, port, opened, stop)
