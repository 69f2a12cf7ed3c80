"""Where a person finds what a source says, or what is wrong with it, in words: each place is named once. Pure."""

from __future__ import annotations

from pathlib import PurePath


def whence(source: str, origin: str) -> str:
    """`/w/devdns.yml:2` of a file, whose origin begins with the file's name; `docker, container api-1` of others."""
    kind, _, path = source.partition(":")
    if kind == "file":
        return path + origin.removeprefix(PurePath(path).name)
    return f"{source}, {origin}" if origin else source


def trouble(source: str, reason: str) -> str:
    """The reason led by its source, unless it names it itself, as that of a file does."""
    kind, _, path = source.partition(":")
    return reason if kind == "file" and path in reason else f"{source}: {reason}"
