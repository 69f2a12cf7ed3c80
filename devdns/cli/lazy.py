"""A click group whose subcommands are imported when they are called: `devdns routes` does not pay for what `devdns up` needs."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

import click


class LazyGroup(click.Group):
    """`places` says where each subcommand lives (`module:name`), in the order of the help."""

    def __init__(self, *arguments: Any, places: Mapping[str, str], **attributes: Any) -> None:
        super().__init__(*arguments, **attributes)
        self._places = places

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(self._places)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        if cmd_name not in self._places:
            return None
        module, _, name = self._places[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        wanted, known = args[0], self._places
        if wanted not in known and not ctx.resilient_parsing and (near := get_close_matches(wanted, known, 1)):
            ctx.fail(f"No such command {wanted!r}, did you mean {near[0]!r}?")
        return super().resolve_command(ctx, args)
