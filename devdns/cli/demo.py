"""`devdns demo`: the main job on bundled sample services, without Docker, root or configuration; leaves nothing behind."""

from __future__ import annotations

import shlex
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import click

from devdns.cli.demo_stack import ZONE, DemoStack
from devdns.cli.options import common, option
from devdns.cli.show import route_lines
from devdns.cli.text import clean, say, screen_width, style
from devdns.core.errors import DevdnsError
from devdns.demo.exchange import Exchange, fetch, own_get, resolve

ASKED, MOVED = "api", "shop"
LOOPBACK = "127.0.0.1"
INDENT = "  "


@click.command()
@option("--check", is_flag=True, help="Do it once, verify every answer, and exit with 0 or 1.")
@common
def demo(*, check: bool, state_dir: Path, config: Path | None) -> int:  # noqa: ARG001 - the demo has a folder and a file of its own
    """Show the whole thing on sample services; runs until Ctrl-C."""
    stack = DemoStack()
    _on_signals(_Patience(stack))
    try:
        with stack:
            return _play(stack, check=check)
    except KeyboardInterrupt:
        say("", style(sys.stdout)("stopped; nothing is left behind", "dim"))
        return 130 if check else 0


def _on_signals(act: Callable[[int, FrameType | None], object]) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, act)


class _Patience:
    """The first signal interrupts; a second cuts the ending short, but not the cleaning; more change nothing."""

    def __init__(self, stack: DemoStack) -> None:
        self._stack = stack
        self._signals = 0

    def __call__(self, number: int, _: FrameType | None) -> None:
        self._signals += 1
        if self._signals == 1:
            raise KeyboardInterrupt
        signal.signal(number, signal.SIG_IGN)
        self._stack.hasten()


def _play(stack: DemoStack, *, check: bool) -> int:
    problems = _act(stack)
    if check:
        return _verdict(problems)
    _farewell(stack, problems)
    code = stack.wait()
    raise DevdnsError(f"the stack of the demo ended by itself with exit code {code}")


def _act(stack: DemoStack) -> list[str]:
    """The whole play; returns what did not go as promised."""
    paint = style(sys.stdout)
    say("", paint("devdns", "bold") + "  a name instead of a port", "")
    if evasions := [*stack.evasions()]:
        say(*(f"{INDENT}{paint(clean(each), 'yellow')}" for each in evasions), "")
    rows, width = stack.client.ask("GET", "/api/v1/routes")["routes"], screen_width(sys.stdout)
    say(*(f"{INDENT}{line}" for line in route_lines(rows, stack.folder, width and width - len(INDENT))), "")
    name = f"{ASKED}.{ZONE}"
    answered = resolve(name, stack.dns)
    _show("DNS", answered)
    problems = [] if answered.answer == LOOPBACK else [f"DNS said {answered.answer!r} for {name}, not {LOOPBACK}"]
    page = fetch(name, LOOPBACK, stack.http[1])
    _show("HTTP", page)
    if page.answer != stack.samples[ASKED].page:
        problems.append(f"HTTP said {page.answer!r} for {name}, not {stack.samples[ASKED].page!r}")
    return problems + _show_move(stack) + _strays(stack)


def _show(title: str, exchange: Exchange) -> None:
    paint = style(sys.stdout)
    prompt = "$" if exchange.by != "own client" else "(own client)"
    say(f"  {paint(f'{title:<5}', 'cyan', 'bold')} {paint(prompt, 'dim')} {clean(exchange.asked)}")
    say(*(f"        {paint(clean(line), 'green')}" for line in exchange.answer.splitlines() or ["(nothing)"]), "")


def _show_move(stack: DemoStack) -> list[str]:
    """One service moves to another port while its name is asked all the time."""
    paint, name = style(sys.stdout), f"{MOVED}.{ZONE}"
    move = stack.move(MOVED)
    say(
        f"  {paint('MOVE ', 'cyan', 'bold')} {MOVED} went from port {move.old} to {move.new}; {name} answers there after "
        f"{paint(f'{move.seconds * 1000:.0f} ms', 'bold')}, {paint(f'{move.lost} of {move.requests}', 'bold')} requests lost"
    )
    page = own_get(name, stack.http)
    say(f"        {paint(clean(page), 'green')}", "")
    problems = [f"{move.lost} of {move.requests} requests were lost while {name} moved"] if move.lost else []
    return problems + ([] if page == stack.samples[MOVED].page else [f"after the move {name} said {page!r}"])


def _strays(stack: DemoStack) -> list[str]:
    """Names that do not lead to their own service."""
    pages = {name: own_get(f"{name}.{ZONE}", stack.http) for name in stack.samples}
    return [f"{name}.{ZONE} said {page!r}" for name, page in pages.items() if page != stack.samples[name].page]


def _verdict(problems: list[str]) -> int:
    paint = style(sys.stdout)
    say(*(f"  {paint('wrong', 'red')} {clean(problem)}" for problem in problems))
    if not problems:
        say(f"  {paint('all answers are right', 'green', 'bold')}")
    return 1 if problems else 0


def _farewell(stack: DemoStack, problems: list[str]) -> None:
    paint = style(sys.stdout)
    if problems:
        _verdict(problems)
    say(
        paint("  It runs until Ctrl-C. In another terminal:", "dim"),
        f"    {_command()} explain {ASKED} --state-dir {stack.folder}",
        f"    {_command()} add hello {stack.samples['docs'].port} --state-dir {stack.folder}",
    )


def _command() -> str:
    """How this very devdns is called from here: it may not be on PATH, as after `make demo`."""
    called = sys.argv[0]
    known = shutil.which("devdns")
    same = known is not None and Path(called).exists() and Path(known).samefile(called)
    return "devdns" if same else shlex.quote(called)
