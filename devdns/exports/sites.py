"""The routes as other programs are told of them: plain hosts with their targets. What no file of theirs could hold is left out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

#: A host as `core/names.py` makes them. Whatever else comes is refused here once more: these texts are read by programs of root.
HOST = re.compile(r"(\*\.)?[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+")


class Site(Struct, frozen=True, order=True):
    """A host, perhaps with `*.` in front."""

    host: str

    @property
    def is_wildcard(self) -> bool:
        return self.host.startswith("*.")


def sites(rows: Iterable[Mapping[str, Any]]) -> list[Site]:
    """Each host of the routes of the API once, in the order of the alphabet."""
    return [Site(host) for host in sorted({str(row["host"]) for row in rows}) if HOST.fullmatch(host)]
