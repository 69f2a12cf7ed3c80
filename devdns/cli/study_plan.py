"""`devdns study plan`: who meets the approaches in which order, fixed once and stored with its seed; the sheets, printed."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from devdns.cli.options import common, json_option, option
from devdns.cli.show import print_json
from devdns.cli.study import data_option, extra
from devdns.cli.text import clean, say, table
from devdns.core.errors import UsageRefused

if TYPE_CHECKING:
    from devdns_study.plan import Plan
    from devdns_study.store import Store

PARTICIPANTS, SEED = 30, 1
VERSION = 1


@click.command()
@option("--participants", type=click.IntRange(1, 9999), metavar="N", help="How many are planned.  [default: 30]")
@option("--approaches", metavar="A,B", help="What is compared: devdns, ports, hosts, nginx.  [default: devdns,ports]")
@option("--tasks", metavar="T,U", help="What is done with each.  [default: all five]")
@option("--seed", type=int, metavar="N", help="What the orders are drawn from.  [default: 1]")
@option(
    "--parameters",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="A TOML file with the words of the sheets.",
)
@option("--sheets", type=click.Path(path_type=Path), metavar="DIR", help="Write every instrument there, to be printed.")
@option("--power", is_flag=True, help="Simulate how many participants find which difference, and stop.")
@data_option
@json_option
@common
def plan(  # noqa: PLR0913 - one argument for each flag
    *,
    participants: int | None,
    approaches: str | None,
    tasks: str | None,
    seed: int | None,
    parameters: Path | None,
    sheets: Path | None,
    power: bool,
    data: Path,
    as_json: bool,
    state_dir: Path,  # noqa: ARG001 - understood by every command
    config: Path | None,  # noqa: ARG001
) -> None:
    """Fix the orders of a study, or show those that are fixed."""
    if power:
        _power(SEED if seed is None else seed, as_json=as_json)
        return
    from devdns_study.sheets import write_sheets  # noqa: PLC0415 - loaded when needed
    from devdns_study.store import Store  # noqa: PLC0415

    wishes = {"participants": participants, "approaches": approaches, "tasks": tasks, "seed": seed}
    with Store.opened(data, create=True) as store:
        fixed = _fixed(store, wishes, parameters, data)
        if sheets:
            write_sheets(fixed, sheets)
        store.keep_plan(fixed)
        orders = [{"participant": each.participant, "approaches": each.approaches} for each in store.assignments()]
    if as_json:
        print_json({"version": VERSION, **_shape(fixed), "assignments": orders})
        return
    say(f"seed {fixed.seed}, tasks {', '.join(fixed.tasks)}, in {clean(data)}")
    say(*table([(str(row["participant"]), " ".join(row["approaches"])) for row in orders], ("PARTICIPANT", "ORDER")))
    if sheets:
        say(f"sheets to print are in {clean(sheets)}")


def _shape(fixed: Plan) -> dict[str, Any]:
    return {
        "seed": fixed.seed,
        "approaches": fixed.approaches,
        "tasks": fixed.tasks,
        "participants": fixed.participants,
        "parameters": dict(fixed.parameters),
    }


def _fixed(store: Store, wishes: dict[str, Any], parameters: Path | None, data: Path) -> Plan:
    """The stored plan, or a new one; a plan that is fixed is not changed, but for words until the first participant."""
    from devdns_study.plan import block_size  # noqa: PLC0415 - loaded when needed

    old = store.plan()
    wanted = _wanted(old, wishes, parameters)
    if old is None:
        if wanted.participants % block_size(len(wanted.approaches)):
            block = block_size(len(wanted.approaches))
            raise UsageRefused(f"{wanted.participants} participants are not balanced", f"give a multiple of {block}")
    elif old != (wanted if store.participants() else replace(wanted, parameters=old.parameters)):
        raise UsageRefused(f"{str(data)!r} has another plan already", "give another --data FILE")
    return wanted


def _wanted(old: Plan | None, wishes: dict[str, Any], parameters: Path | None) -> Plan:
    from devdns_study.instrument import TASKS, approach, card  # noqa: PLC0415 - loaded when needed
    from devdns_study.plan import Plan  # noqa: PLC0415

    base = old or Plan(SEED, ("devdns", "ports"), TASKS, PARTICIPANTS)
    named = {key: _names(wishes[key], key) for key in ("approaches", "tasks")}
    numbers = {key: getattr(base, key) if wishes[key] is None else wishes[key] for key in ("seed", "participants")}
    chosen = Plan(
        numbers["seed"],
        named["approaches"] or base.approaches,
        named["tasks"] or base.tasks,
        numbers["participants"],
        tuple(_parameters(parameters)) if parameters else base.parameters,
    )
    for name in chosen.approaches:
        approach(name)
    for name in chosen.tasks:
        card(name)
    return chosen


def _names(text: str | None, flag: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",")) if text is not None else ()
    if len(set(names)) != len(names):
        raise UsageRefused(f"--{flag} {text!r} names one twice")
    return names


def _parameters(path: Path) -> Iterator[tuple[str, str]]:
    """The words of the file, sorted; all of those that a study needs, and no other."""
    from devdns_study.instrument import PARAMETERS  # noqa: PLC0415 - loaded when needed

    try:
        read = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageRefused(f"parameters {str(path)!r} cannot be read: {error}") from None
    if missing := [f"{key} ({PARAMETERS[key]})" for key in PARAMETERS if not str(read.get(key, "")).strip()]:
        raise UsageRefused(f"{path.name} does not say {', '.join(missing)}")
    if others := sorted(read.keys() - PARAMETERS.keys()):
        raise UsageRefused(f"{path.name} says {', '.join(others)}, which no sheet has")
    yield from sorted((key, str(value)) for key, value in read.items())


def _power(seed: int, *, as_json: bool) -> None:
    with extra("the power analysis"):
        from devdns_study.power import table as power_table  # noqa: PLC0415 - needs the extra

        rows = power_table(seed)
    if as_json:
        print_json({"version": VERSION, "seed": seed, "power": rows})
        return
    cells = [(str(row["participants"]), f"{row['difference']:g}", f"{row['power']:.2f}") for row in rows]
    say(*table(cells, ("PARTICIPANTS", "SUS DIFFERENCE", "POWER")))
