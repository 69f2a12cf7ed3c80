"""The tables of proxy/README.md are what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from devdns_proxy.limits import Limits
from devdns_proxy.rendering import REASONS

README = Path(__file__).parents[3].joinpath("proxy", "README.md").read_text()


def rows(heading: str) -> list[list[str]]:
    section = README.split(f"## {heading}\n")[1].split("\n## ")[0]
    return [
        [cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line.startswith("| ")
    ][1:]


def test_limits():
    documented = {name.strip("`"): float(re.match(r"[0-9.]+", value)[0]) for name, value, _ in rows("Limits")}
    assert documented == {name: float(value) for name, value in msgspec.structs.asdict(Limits()).items()}


def test_statuses():
    assert [int(status) for status, _ in rows("What it answers itself")] == sorted(REASONS)


def test_fields():
    from devdns.core.names import Zones  # noqa: PLC0415 # only here
    from devdns_proxy.heads import read_block  # noqa: PLC0415
    from devdns_proxy.places import Origin  # noqa: PLC0415

    sent = read_block(b"Host: api.dev.test\r\n\r\n", b"1", Origin("127.0.0.1", "i", Zones())).fields
    ours = {line.partition(b":")[0].decode() for line in sent.splitlines()} | {"X-Request-ID", "X-Forwarded-Prefix"}
    assert {name.strip("`") for name, _ in rows("What a service sees")} == ours
