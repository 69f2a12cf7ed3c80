"""Where a person finds what a source says, in words: the line of a file, else the source and what it names there. Pure."""

from __future__ import annotations

from pathlib import PurePath


def whence(source: str, origin: str) -> str:
    """`/w/devdns.yml:2` of a file, whose origin begins with the file's name; `docker, container api-1` of others."""
    kind, _, path = source.partition(":")
    if kind == "file":
        return path + origin.removeprefix(PurePath(path).name)
    return f"{source}, {origin}" if origin else source
