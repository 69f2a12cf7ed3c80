"""What `devdns status` shows of who trusts the CA: one line, looked up here and not by control, which reads no home."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from devdns.cli.text import clean, style
from devdns.cli.trust_machine import machine
from devdns.cli.trust_show import CA
from devdns.core.errors import DevdnsError
from devdns.system.certificate import read
from devdns.system.trust import Trust, trusts


def trust_lines(state_dir: Path) -> list[str]:
    """Which stores trust the CA and which do not; nothing where there is no CA."""
    try:
        certificate = read(state_dir / CA)
        stores = machine(state_dir, "trust", os.environ).stores
    except DevdnsError:
        return []
    return trust_line(trusts(stores, certificate))


def trust_line(found: Sequence[Trust]) -> list[str]:
    """The line, with the command that mends what is amiss; nothing where there is no store."""
    if not found:
        return []
    paint = style(sys.stdout)
    amiss = [clean(each.store.label) for each in found if each.answer != "trusted"]
    well = [clean(each.store.label) for each in found if each.answer == "trusted"]
    said = ", ".join(well) or paint("by no store of this machine", "yellow")
    mend = f"; not {', '.join(amiss)}" if well and amiss else ""
    return [f"trusted {said}{mend}{' - devdns trust' if amiss else ''}"]
