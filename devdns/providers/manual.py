"""Routes added by hand (`devdns add`, the API), kept in the state folder.

The file is written whole beside the old one and renamed over it, so a reader or a crash meets one or the other. What
cannot be a route now (its zone is gone, say) is refused and stays in the file.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from devdns.core.errors import DevdnsError
from devdns.core.names import Claim, Zones, parse_any_claim
from devdns.core.plain_file import read_regular
from devdns.core.routes import Options, Route
from devdns.core.routes_file import bind, read_line
from devdns.core.sources import Refusal, Statement, Trouble

SOURCE = "manual"
VERSION = 1
MAX_SIZE = 32 << 20


class _Kept(Struct):
    """The file: each route under its full name, in the mapping form of the routes file, `origin` beside."""

    routes: dict[str, dict[str, Any]]
    version: int = VERSION


class ManualRoutes:
    """The manual source. `put` and `remove` write the file before they return and raise OSError when that fails."""

    source = SOURCE

    def __init__(self, path: str, zones: Zones) -> None:
        self.path = Path(path)
        self.zones = zones
        self._kept: _Kept | None = None
        self._trouble: Trouble | None = None
        self._news = asyncio.Event()

    def put(self, route: Route) -> None:
        """Adds a route or replaces the one of its claim."""
        before = self._load()
        self._write(_Kept({**before.routes, route.name: _written(route)}))

    def remove(self, claim: Claim) -> None:
        """Takes a route back; nothing happens when there is none."""
        before = self._load()
        self._write(_Kept({name: each for name, each in before.routes.items() if name != str(claim)}))

    async def watch(self) -> AsyncIterator[Statement | Trouble]:
        """States all manual routes now and after each `put` and `remove`."""
        while True:
            self._news.clear()
            yield self._said()
            await self._news.wait()

    def _said(self) -> Statement | Trouble:
        try:
            kept = self._load()
        except OSError as error:
            return Trouble(f"{str(self.path)!r} cannot be read by uid {os.geteuid()}: {error.strerror}")
        return self._trouble or self._statement(kept.routes)

    def _statement(self, kept: Mapping[str, Mapping[str, Any]]) -> Statement:
        routes, refusals = [], []
        for name, entry in kept.items():
            try:
                routes.append(self._route(name, entry))
            except DevdnsError as error:
                refusals.append(Refusal(self.path.name, name, error.message.replace("\n", "; "), error.hint))
            except RecursionError:
                refusals.append(Refusal(self.path.name, name, "it is nested too deep"))
        return Statement(tuple(routes), tuple(refusals))

    def _route(self, name: str, entry: Mapping[str, Any]) -> Route:
        """Raises `DevdnsError` for a name that is in no zone any more, and for what somebody wrote into the file."""
        claim = parse_any_claim(name, self.zones)
        if str(claim) != name:
            raise DevdnsError(f"{name} is in none of the zones {', '.join(self.zones.names)}", "add its zone again")
        value = {key: each for key, each in entry.items() if key != "origin"}
        return bind(read_line(claim.host, value, claim.port), claim, source=SOURCE, origin=str(entry.get("origin", "")))

    def _load(self) -> _Kept:
        """The file's content, read once; raises OSError when it is there and cannot be read."""
        if self._kept is None:
            self._sweep()
            try:
                data = read_regular(self.path, MAX_SIZE + 1)
            except FileNotFoundError:
                self._kept = _Kept({})
                return self._kept
            self._kept = self._decoded(data)
        return self._kept

    def _decoded(self, data: bytes) -> _Kept:
        """What the bytes hold; a file that is none of ours is set aside and named in the trouble."""
        try:
            kept = msgspec.json.decode(data, type=_Kept)
            if kept.version != VERSION or len(data) > MAX_SIZE:
                raise msgspec.ValidationError(f"version {kept.version}, {len(data)} bytes")
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            aside = self.path.with_name(self.path.name + ".broken")
            self.path.replace(aside)
            self._trouble = Trouble(
                f"{str(self.path)!r} could not be understood ({error}); it is kept as {aside.name!r}",
                "the next devdns add starts a new one",
            )
            return _Kept({})
        return kept

    def _sweep(self) -> None:
        """Removes what a writer that was killed left behind."""
        with suppress(OSError):
            for rest in self.path.parent.glob(f"{self.path.name}.*.tmp"):
                rest.unlink(missing_ok=True)

    def _write(self, kept: _Kept) -> None:
        data = msgspec.json.format(msgspec.json.encode(kept), indent=2) + b"\n"
        # not tempfile: it makes the name absolute, and a child that gave up root may not walk the way to its own folder
        fresh = self.path.with_name(f"{self.path.name}.{secrets.token_hex(4)}.tmp")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self.path)
        except BaseException:
            with suppress(OSError):
                fresh.unlink()
            raise
        _sync_folder(self.path.parent)
        self._kept, self._trouble = kept, None
        self._news.set()


def _written(route: Route) -> dict[str, Any]:
    """A route in the mapping form; only options that differ from the default."""
    targets = [str(target) for target in route.targets]
    plain = msgspec.to_builtins(route.options)
    default = msgspec.to_builtins(Options())
    options = {key: value for key, value in plain.items() if value != default[key]}
    return {"target": targets, **options, "origin": route.origin}


def _sync_folder(folder: Path) -> None:
    """Makes the rename last through a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
