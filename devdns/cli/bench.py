"""`devdns bench`: measures devdns and its alternatives, shows which are here, and makes the report from the rows.

What measures lives in `devdns_bench`, and is imported only when it is used: its libraries come with the extra `bench`.
"""

from __future__ import annotations

import importlib
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from devdns.cli.extras import install_line
from devdns.cli.options import common, option
from devdns.cli.state import hand_over_tree
from devdns.cli.text import clean, say, table
from devdns.core.errors import DevdnsError, UsageRefused
from devdns.core.kinds import read_seconds

#: What `devdns_bench` has, for the help: it is read where the libraries of the bench are not installed, too.
SCENARIOS = (
    *("setup", "restart", "recreate", "port-change", "scale", "crash", "daemon-restart"),
    *("latency", "throughput", "dns", "routes", "degraded"),
)
APPROACHES = ("devdns", "ports", "hosts", "dnsmasq", "coredns", "nginx", "caddy", "traefik", "docker-gen", "portless")


def _needs(module: str) -> Any:
    """A module of the bench. Raises `DevdnsError` with the line that installs what it lacks."""
    try:
        return importlib.import_module(f"devdns_bench.{module}")
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("devdns"):
            raise
        raise DevdnsError(f"the bench needs {error.name!r}, which is not installed", install_line("bench")) from None


def _chosen(given: str, known: Sequence[str], what: str) -> list[str]:
    """The names between the commas, each known; all of them for `all`."""
    names = [*known] if given == "all" else [name.strip() for name in given.split(",") if name.strip()]
    if wrong := [name for name in names if name not in known]:
        raise UsageRefused(f"no {what} {wrong[0]!r}", f"one of {', '.join(known)}, or all")
    return [*dict.fromkeys(names)]


folder_argument = click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))


@click.group(invoke_without_command=True)
@option(
    "--scenario", default="", metavar="S", help=f"What to measure, several with commas, or all: {', '.join(SCENARIOS)}."
)
@option(
    "--approach", default="all", metavar="A,B", help=f"Which approaches: {', '.join(APPROACHES)}.", show_default=True
)
@option("--repeats", type=click.IntRange(1, 10_000), default=10, help="Runs of each cell.", show_default=True)
@option("--seed", type=int, default=1, help="What the order of the runs is drawn from.", show_default=True)
@option(
    "--out", type=click.Path(path_type=Path), default="bench-results", help="The folder of the rows.", show_default=True
)
@option(
    "--install", type=click.Path(path_type=Path), default=None, metavar="DIR", help="Where the peers are installed."
)
@common
@click.pass_context
def bench(  # noqa: PLR0913, PLR0917 - its flags
    ctx: click.Context,
    /,
    scenario: str,
    approach: str,
    repeats: int,
    seed: int,
    out: Path,
    install: Path | None,
    **_: object,
) -> int:
    """Measure devdns beside its alternatives.

    A run that is in the folder already is not made again, so a bench that was ended, in whatever way, goes on where it was.
    """
    if ctx.invoked_subcommand is not None:
        return 0
    if not scenario:
        raise click.UsageError("say what to measure with --scenario, or all")
    bench_plan, peers = _needs("plan"), _needs("peers")
    scenarios = _chosen(scenario, [*bench_plan.SCENARIOS], "scenario")
    runs = bench_plan.plan(scenarios, _chosen(approach, [*bench_plan.APPROACHES], "approach"), repeats, seed)
    names = dict.fromkeys(name for run in runs for name in bench_plan.programs(run))
    folder = (install or peers.default_folder()).absolute()
    found = peers.find(names, folder)
    if approach != "all" and (missing := [name for name, peer in found.items() if peer.reason]):
        say(*map(clean, peers.install(folder, missing)))  # who names an approach wants it
        found = peers.find(names, folder)
    _measure(runs, found, seed, out)
    return 0


def _mend() -> str:
    """What to do where nothing can be measured; the same command as root, which a room needs, if this is not."""
    as_root = f"run it as root: {shlex.join(['sudo', *sys.argv])}"
    return as_root if sys.platform == "linux" and os.geteuid() else "each line above says why"


def _measure(runs: list[Any], found: dict[str, Any], seed: int, out: Path) -> None:
    """Raises `DevdnsError` when nothing can be measured here."""
    results, session, environment = _needs("results"), _needs("session"), _needs("environment")
    store = results.Store(out)
    try:
        with store.locked():
            can, absent = session.split(runs, found)
            left = [run for run in can if run not in store.done()]
            for reason in dict.fromkeys(f"{run.approach}, {run.scenario}: {reason}" for run, reason in absent.items()):
                say(f"left out  {clean(reason)}")
            versions = {name: peer.version or peer.reason for name, peer in found.items()}
            now = environment.capture(sys.argv[1:], seed, versions)
            store.begin(now)
            steps = session.perform(left, absent, store, now, found)
            if can:
                say(f"{len(left)} of {len(can)} runs to make, about {session.expected(left) / 60:.0f} min, seed {seed}")
                _follow(steps, session.expected(left))
            else:
                list(steps)  # none, but the reasons are kept
    except results.Busy as error:
        raise DevdnsError(str(error), "wait for it, or give another --out") from None
    finally:
        hand_over_tree(out)
    if not can:
        raise DevdnsError("nothing can be measured here", _mend())
    say(f"the rows are in {out} - devdns bench report {out}")


def _follow(steps: Any, seconds: float) -> None:
    """A bar with the remaining time on a terminal, a line for each run elsewhere."""
    with click.progressbar(length=max(1, round(seconds)), show_eta=True, item_show_func=_shown, file=sys.stderr) as bar:
        for step in steps:
            if sys.stderr.isatty():
                bar.update(round(step.seconds), step)
            if step.row.outcome == "failed" or not sys.stderr.isatty():
                say(f"{_shown(step)}  {step.row.outcome} in {step.row.took:.1f} s  {clean(step.row.reason)}".rstrip())


def _shown(step: Any) -> str:
    if step is None:
        return ""
    cell = " ".join(f"{name}={value}" for name, value in step.run.parameters.items())
    return " ".join(filter(None, [step.run.scenario, cell, step.run.approach, f"#{step.run.repeat}"]))


@bench.command()
@option(
    "--install",
    type=click.Path(path_type=Path),
    default=None,
    metavar="DIR",
    help="Install those of PyPI, npm and Go there first.",
)
@common
def peers(*, install: Path | None, **_: object) -> None:
    """Show the programs that are compared.

    Each with its version and path, or why it is left out.
    """
    module = _needs("peers")
    if install:
        say(*map(clean, module.install(install.absolute())))
    folder = (install or module.default_folder()).absolute()
    found = [*module.find(["devdns", *module.manifest()], folder).values()]
    say(*table([(each.name, each.version or "-", each.path or f"left out: {each.reason}") for each in found]))


@bench.command()
@folder_argument
@option(
    "--reaction",
    default="30s",
    callback=lambda _, __, value: read_seconds(value.strip()),
    metavar="TIME",
    help="How long an operator takes to notice.",
    show_default=True,
)
@common
def report(*, folder: Path, reaction: float, **_: object) -> None:
    """Make the report from a folder's rows.

    One page, vector figures and LaTeX tables in DIR/report; the same rows give the same bytes.
    """
    made = _needs("report")
    if not any(folder.glob("*.jsonl")):
        raise UsageRefused(f"no *.jsonl in {str(folder)!r}", "devdns bench --scenario restart --out DIR makes some")
    try:
        page = made.write(folder, reaction)
        hand_over_tree(folder / "report")
    except _needs("results").NoRow as error:
        raise UsageRefused(str(error), "give a folder that only a bench has written to") from None
    except PermissionError as error:
        mend = f'sudo chown -R "$USER" {shlex.quote(str(folder))}'
        raise DevdnsError(f"{error.filename!r} is not yours to write", mend) from None
    say(f"wrote {page}")
