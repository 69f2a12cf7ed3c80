"""What a person does to get a stack working: commands typed and files edited, carried out and counted.

Nothing else in the bench changes the room's configuration, so that the counts are those of what really ran.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from msgspec import Struct

PATIENCE = 60.0


class Step(Struct, frozen=True):
    """One thing done by hand; `root` when it needs the administrator's rights on an ordinary machine."""

    kind: Literal["command", "edit"]
    what: str
    root: bool = False


class StepFailed(Exception):
    """A command did not end well; says which, and the end of what it wrote."""


class User:
    """The person at the keyboard, who works in `home`, types without pause, and makes no mistakes."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.steps: list[Step] = []

    def types(self, *command: str, root: bool = False, shown: str = "") -> str:
        """Runs a command to its end and returns what it wrote. Raises `StepFailed`."""
        self.notes("command", shown or typed(command), root=root)
        return ran(command, self.home)

    def edits(self, path: Path, text: str, *, root: bool = False) -> None:
        """Writes a file; one edit, however long."""
        self.notes("edit", str(path), root=root)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def adds(self, path: Path, text: str, *, root: bool = False) -> None:
        """Adds to the end of a file that is there."""
        self.edits(path, path.read_text() + text, root=root)

    def notes(self, kind: Literal["command", "edit"], what: str, *, root: bool = False) -> None:
        """Counts what was done elsewhere, as the start of a server that stays."""
        self.steps.append(Step(kind, what, root))


def typed(command: Sequence[str]) -> str:
    """The command as a person types it: programs are found by their names, wherever they are installed."""
    return " ".join([Path(command[0]).name, *command[1:]])


def ran(command: Sequence[str], folder: Path) -> str:
    """Runs a command to its end; standard output. Raises `StepFailed`, also when it takes over a minute."""
    try:
        done = subprocess.run(  # noqa: S603 - our own command lines
            command, cwd=folder, capture_output=True, text=True, timeout=PATIENCE, check=False, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired as error:
        raise StepFailed(f"{' '.join(command)!r} took over {PATIENCE:.0f} s") from error
    if done.returncode:
        raise StepFailed(f"{' '.join(command)!r} ended with {done.returncode}: {(done.stderr or done.stdout)[-400:]}")
    return done.stdout
