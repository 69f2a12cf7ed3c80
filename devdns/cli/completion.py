"""`devdns completion bash|zsh|fish`: the script that completes commands, options and names of routes."""

from __future__ import annotations

from pathlib import Path

import click
from click.shell_completion import BashComplete, FishComplete, ZshComplete

from devdns.cli.options import common
from devdns.cli.text import say

SHELLS = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}


@click.command()
@click.argument("shell", type=click.Choice(tuple(SHELLS)))
@common
@click.pass_context
def completion(ctx: click.Context, *, shell: str, state_dir: Path, config: Path | None) -> None:  # noqa: ARG001 - understood by every command
    """Print the completion script of a shell.

    \b
    bash  devdns completion bash > ~/.local/share/bash-completion/completions/devdns
    zsh   devdns completion zsh > ~/.zfunc/_devdns        (a folder of your fpath)
    fish  devdns completion fish > ~/.config/fish/completions/devdns.fish
    """  # noqa: D301 - \b is click's mark for text that keeps its lines
    script = SHELLS[shell](ctx.find_root().command, {}, "devdns", "_DEVDNS_COMPLETE")
    say(script.source_template % script.source_vars())
