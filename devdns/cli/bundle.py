"""`devdns bundle`: a `.tar.gz` for somebody who helps, without secrets, shown before it is written."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click

import devdns
from devdns.cli.client import Client
from devdns.cli.consent import agreed, consent_options
from devdns.cli.doctor_look import facts, home
from devdns.cli.options import common, option
from devdns.cli.settings import find_config
from devdns.cli.state import here
from devdns.cli.text import clean, say
from devdns.core.errors import DevdnsError, UsageRefused
from devdns.core.plain_file import read_regular
from devdns.diagnostics import collecting
from devdns.diagnostics.parts import COMPONENTS, Part, archive, chosen, fitted, manifest, note
from devdns.diagnostics.parts import clean as cleaned
from devdns.diagnostics.redaction import RULES, Rule, literal, own
from devdns.doctor.checks import findings
from devdns.doctor.findings import shape

LIMIT = 10
PATHS = {"status": "/api/v1/status", "routes": "/api/v1/routes"}
_component = click.Choice(tuple(COMPONENTS))


@click.command()
@option("--with", "wanted", multiple=True, type=_component, help="Only this component; several times.")
@option("--without", "unwanted", multiple=True, type=_component, help="Not this component; several times.")
@option(
    "--file",
    "files",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="A file from elsewhere, too; several times.",
)
@option("--redact", "patterns", multiple=True, metavar="REGEX", help="Take out what this matches, too; several times.")
@option(
    "--limit",
    type=click.IntRange(1, 1024),
    default=LIMIT,
    metavar="MIB",
    help="The size of all files together, at most.  [default: 10]",
)
@consent_options
@common
def bundle(*, state_dir: Path, config: Path | None, dry_run: bool, yes: bool, **wish: Any) -> int:
    """Pack what somebody who helps needs to see."""
    parts = _packed(Wish(**wish), state_dir, config)
    say(*(f"{part.size:>9}  {clean(part.name)}{note(part)}" for part in parts))
    if dry_run:
        return 0
    if not agreed("write these into an archive here?", yes=yes, command="devdns bundle"):
        return 1
    say(f"{_written([manifest(parts), *parts])}, for your eyes only until you pass it on")
    return 0


class Wish(NamedTuple):
    """What is to be in it, and what is not."""

    wanted: Sequence[str]
    unwanted: Sequence[str]
    files: Sequence[Path]
    patterns: Sequence[str]
    limit: int


def _packed(wish: Wish, state_dir: Path, config: Path | None) -> list[Part]:
    rules = (*own(wish.patterns), *_rules(state_dir))
    components = chosen(wish.wanted, wish.unwanted)
    found = [*_parts(components, state_dir, config), *collecting.files(wish.files, state_dir)]
    return fitted((cleaned(each, rules) for each in found), wish.limit << 20)


def _rules(state_dir: Path) -> tuple[Rule, ...]:
    """The token's very value, and whose home this is, besides what looks like a secret."""
    try:
        token = read_regular(state_dir / "token", 4096).decode("utf-8", "replace").strip()
    except OSError:
        token = ""
    folder = home()
    user = literal(f"/{folder.name}/", "/[user]/") if folder.parent.name in ("home", "Users") else ()
    return (*literal(token), *RULES, *literal(str(folder), "~"), *user)


def _parts(components: Sequence[str], state_dir: Path, config: Path | None) -> Iterator[Part]:
    path = config or find_config()
    for each in components:
        match each:
            case "versions":
                yield collecting.versions(devdns.__version__)
            case "status" | "routes":
                yield _told(each, state_dir)
            case "doctor":
                yield Part(each, "doctor.json", json.dumps(shape(findings(facts(state_dir, config))), indent=2) + "\n")
            case "config":
                yield from collecting.config(path, os.environ)
            case "logs":
                yield from collecting.logs(state_dir)
            case "state":
                yield from collecting.state(state_dir)
            case "permissions":
                yield collecting.permissions(state_dir)
            case "git":
                yield collecting.git(path.parent if path else here())


def _told(component: str, state_dir: Path) -> Part:
    """What the API says, or why it does not."""
    try:
        body = json.dumps(Client(state_dir).ask("GET", PATHS[component]), indent=2)
    except DevdnsError as error:
        body = str(error)
    return Part(component, f"{component}.json", f"{body}\n")


def _written(parts: Sequence[Part]) -> str:
    """The archive's name; it is new, and nobody else can read it."""
    now = time.time()
    name = time.strftime("devdns-bundle-%Y%m%d-%H%M%S", time.gmtime(now))
    try:
        descriptor = os.open(f"{name}.tar.gz", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor, not a path
            file.write(archive(parts, name, now))
    except OSError as error:
        raise UsageRefused(
            f"'{name}.tar.gz' cannot be written here: {error.strerror}", "go to another folder"
        ) from None
    return f"{name}.tar.gz"
