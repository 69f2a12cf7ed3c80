"""The ```console blocks of a page, run as they stand: `$ command` lines, each followed by what it prints.

In what is printed `...` stands for any text within a line, and a line of `...` alone for any lines. What differs from run to
run (see `VARYING`) and the width of columns do not count. A last line `^C` means that the command runs until it is
interrupted, once it has printed what stands above.
"""

import os
import re
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

INTERRUPT = "^C"
VARYING = (
    (re.compile(r"\b[1-6][0-9]{4}\b"), "PORT"),
    (re.compile(r"\b[0-9a-f]{8}\b"), "NONCE"),
    (re.compile(r"\b[0-9.]+ ms\b"), "TIME"),
    (re.compile(r"\bof [0-9]+ requests\b"), "of REQUESTS"),
    (re.compile(r"(/tmp/[a-z-]+)-[a-z0-9_]+"), r"\1"),
    (re.compile(r"(?<=\S) +"), " "),
)
BOUND = 60.0


@dataclass
class Step:
    """One command and the lines it is said to print; `line` is where it stands on the page."""

    line: int
    command: str
    printed: list[str] = field(default_factory=list)

    @property
    def awaited(self) -> list[str] | None:
        """What it prints before it is interrupted; None when it ends by itself."""
        return self.printed[: self.printed.index(INTERRUPT)] if INTERRUPT in self.printed else None

    def matches(self, text: str) -> bool:
        return _match([line for line in self.printed if line != INTERRUPT], text)


def _match(said: Sequence[str], text: str) -> bool:
    pattern = "".join(
        "(?:.*\n)*?" if line == "..." else ".*?".join(map(re.escape, _settled(line).split("..."))) + "\n"
        for line in said
    )
    return bool(re.fullmatch(pattern, "".join(f"{_settled(line)}\n" for line in text.splitlines())))


def _settled(line: str) -> str:
    """The line with what varies named instead."""
    for varying, name in VARYING:
        line = varying.sub(name, line)
    return line.rstrip()


def blocks(page: str, language: str) -> Iterator[tuple[int, str]]:
    """(line, text) of each fenced block of a language."""
    for found in re.finditer(rf"^```{language}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
        yield page.count("\n", 0, found.start()) + 2, found.group(1)


def steps(page: str) -> list[Step]:
    """Every step of the page's ```console blocks, in order. A command goes on after a backslash."""
    found: list[Step] = []
    for start, text in blocks(page, "console"):
        joined = text.replace("\\\n", "\\\0").splitlines()
        for number, line in enumerate(joined, start):
            if line.startswith("$ "):
                found.append(Step(number, line[2:].replace("\\\0", "\\\n")))
            else:
                assert found, f"line {number}: a block starts with `$ command`"
                found[-1].printed.append(line)
        while found[-1].printed[-1:] == [""]:
            found[-1].printed.pop()
    return found


def run(step: Step, prefix: Sequence[str], cwd: Path, environ: dict[str, str]) -> str | None:
    """Runs a step; returns what differs from the page, or None."""
    process = subprocess.Popen(
        [*prefix, "bash", "-c", step.command],
        cwd=cwd,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        text = "" if step.awaited is None else _read(process, partial(_match, step.awaited))
        if step.awaited is not None and process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
        text += _read(process)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        assert process.stdout is not None
        process.stdout.close()
    if step.matches(text):
        return None
    shown = "\n".join(step.printed)
    return f"line {step.line}: $ {step.command}\n--- the page says\n{shown}\n--- it printed\n{text}"


def _read(process: subprocess.Popen[bytes], enough: Callable[[str], bool] = lambda _: False) -> str:
    """What the process prints until it closes its output, or it is enough, or `BOUND` seconds are over."""
    assert process.stdout is not None
    data, deadline = b"", time.monotonic() + BOUND
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while (left := deadline - time.monotonic()) > 0 and not enough(data.decode(errors="replace")):
            piece = os.read(process.stdout.fileno(), 65536) if selector.select(left) else b""
            if not piece:
                break
            data += piece
    return data.decode(errors="replace")
