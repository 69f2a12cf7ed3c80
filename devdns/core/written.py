"""What a person wrote, as written: YAML (or plain values) as scalars of text with their lines, never as guessed types.

YAML 1.1 reads `off` as false, `22:22` as 1342 and `null: 80` as a key that is no name; here every scalar stays text and
its reader decides. Aliases and tags are refused, nodes and depth bounded: a small text cannot grow into a large value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches

import yaml
from msgspec import Struct

from devdns.core.errors import ConfigRefused

MAX_TEXT = 32 << 20
MAX_NODES = 2_000_000
MAX_DEPTH = 16
MAX_PROBLEMS = 100
MAX_SHOWN = 60
#: A line that is nearly a pair.
NO_SPACE = re.compile(r"([^\s:]+):([^\s/]\S*)")
#: What to look at, by what the parser says.
MENDS = {
    "did not find expected key": "check the indentation here and in the line above",
    "did not find expected node content": "a value is missing here, or a bracket above is not closed",
    "mapping values are not allowed in this context": "quote a value that holds a colon and a space",
}
NULLS = ("", "~", "null", "Null", "NULL")
Loader = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader


class Scalar(Struct, frozen=True, gc=False):
    """One value as text; `plain` when it stood without quotes."""

    text: str
    line: int = 0
    plain: bool = True

    @property
    def is_null(self) -> bool:
        return self.plain and self.text in NULLS


class Items(Struct):
    """A list."""

    line: int
    values: list[Node]


class Pairs(Struct):
    """A mapping, with duplicates still in it."""

    line: int
    values: list[tuple[Node, Node]]


Node = Scalar | Items | Pairs


class Problems:
    """Gathers what is wrong, each with its line and key path, to be said all at once. Line 0 means: not from a file."""

    def __init__(self, path: str = "") -> None:
        self.path = path
        self._found: list[tuple[int, str]] = []

    def add(self, line: int, key: str, text: object) -> None:
        """`text` is led by its line and key, unless it begins with the key itself (`target 'x' is no ...`)."""
        where = f"{self.path}:{line}: " if line else ""
        lead = f"{key}: " if key and not str(text).startswith(f"{key} ") else ""
        self._found.append((line, f"{where}{lead}{text}"))

    def __bool__(self) -> bool:
        return bool(self._found)

    def refuse(self) -> None:
        """Raises `ConfigRefused` with all of them in the order of their lines, if there are any."""
        if not self._found:
            return
        texts = [text for _, text in sorted(self._found, key=lambda found: found[0])]
        more = len(texts) - MAX_PROBLEMS
        raise ConfigRefused(texts[:MAX_PROBLEMS] + ([f"{self.path}: {more} more problems"] if more > 0 else []), "")


def decode(data: bytes, path: str) -> str:
    """The text of a file; raises `ConfigRefused` when it is not UTF-8 (a byte order mark is dropped)."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigRefused(
            [f"{path}:{line}: not UTF-8: byte 0x{data[error.start]:02x}"], "", "save it as UTF-8"
        ) from None


def read_yaml(text: str, path: str) -> Node | None:
    """The one document of a YAML text, None when it holds nothing; raises `ConfigRefused`."""
    if len(text) > MAX_TEXT:
        raise ConfigRefused([f"{path}: {len(text)} characters long, over {MAX_TEXT}"], "")
    try:
        return _tree(yaml.parse(text, Loader=Loader), path)
    except yaml.MarkedYAMLError as error:
        raise ConfigRefused([_syntax(error, text, path)], "") from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ConfigRefused([f"{path}:{line}: character U+{_ordinal(error):04X} is not allowed in YAML"], "") from None


def _ordinal(error: yaml.reader.ReaderError) -> int:
    return error.character if isinstance(error.character, int) else ord(error.character)


def _syntax(error: yaml.MarkedYAMLError, text: str, path: str) -> str:
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else 1
    lines = text.splitlines()
    tab = 0 < line <= len(lines) and lines[line - 1].lstrip(" ").startswith("\t")
    said = error.problem or error.context or ""
    mend = "YAML indents with spaces, not tabs" if tab else MENDS.get(said, "")
    return f"{path}:{line}: {said}" + (f" - {mend}" if mend else "")


def _tree(events: Iterator[yaml.Event], path: str) -> Node | None:
    """Builds nodes from parser events with a stack of its own, so that no depth of input is a depth of ours."""
    root: list[Node] = []
    stack: list[Items | Pairs] = []
    keys: list[Node | None] = []
    for count, event in enumerate(events):
        if isinstance(event, yaml.CollectionEndEvent):
            stack.pop()
            keys.pop()
            continue
        node = _node(event, path)
        if node is None:
            continue
        if count > MAX_NODES or len(stack) >= MAX_DEPTH:
            raise ConfigRefused([f"{path}:{node.line}: too {'deep' if count <= MAX_NODES else 'many values'}"], "")
        _place(node, root, stack, keys)
        if not isinstance(node, Scalar):
            stack.append(node)
            keys.append(None)
    if len(root) > 1:
        raise ConfigRefused([f"{path}:{root[1].line}: a second YAML document - keep one, without ---"], "")
    return root[0] if root and not (isinstance(root[0], Scalar) and root[0].is_null) else None


def _place(node: Node, root: list[Node], stack: list[Items | Pairs], keys: list[Node | None]) -> None:
    """Puts a node into what is open: the document, a list, or a mapping (then keys and values take turns)."""
    if not stack:
        root.append(node)
        return
    parent, key = stack[-1], keys[-1]
    if isinstance(parent, Items):
        parent.values.append(node)
    elif key is None:
        keys[-1] = node
    else:
        parent.values.append((key, node))
        keys[-1] = None


def _node(event: yaml.Event, path: str) -> Node | None:
    """The node an event opens, None for the frame of the stream; raises `ConfigRefused` for aliases, anchors and tags."""
    if not isinstance(event, yaml.NodeEvent):
        return None
    line = event.start_mark.line + 1 if event.start_mark else 1
    if event.anchor is not None:
        raise ConfigRefused([f"{path}:{line}: anchors and aliases (& and *) are not read - write the value out"], "")
    tag = getattr(event, "tag", None)
    if tag is not None:
        raise ConfigRefused([f"{path}:{line}: tag {tag!r} is not read - write the value alone"], "")
    if isinstance(event, yaml.ScalarEvent):
        return Scalar(event.value, line, event.style is None or event.style == "")
    return Items(line, []) if isinstance(event, yaml.SequenceStartEvent) else Pairs(line, [])


def written(value: object) -> Node:
    """A plain value (as JSON gives it) as what a person would have written; raises TypeError for anything else."""
    if isinstance(value, bool):
        return Scalar("true" if value else "false")
    if value is None:
        return Scalar("")
    if isinstance(value, float):
        return Scalar(f"{value:f}" if "e" in repr(value) else repr(value))
    if isinstance(value, str | int):
        return Scalar(str(value), plain=not isinstance(value, str))
    if isinstance(value, Mapping):
        return Pairs(0, [(Scalar(str(key), plain=False), written(each)) for key, each in value.items()])
    if isinstance(value, list | tuple):
        return Items(0, [written(each) for each in value])
    raise TypeError(f"{type(value).__name__} is not written by hand")


def fields(node: Node, path: str, problems: Problems, known: Iterable[str] = ()) -> Iterator[tuple[Scalar, Node]]:
    """The pairs of a mapping, each key once; says what is no mapping (and its `known` keys), no plain key or there twice."""
    if not isinstance(node, Pairs):
        if not (isinstance(node, Scalar) and node.is_null):
            problems.add(node.line, path, f"{shown(node)} is not a mapping of keys to values{_pairs(node, known)}")
        return
    first: dict[str, int] = {}
    for key, value in node.values:
        if not isinstance(key, Scalar):
            problems.add(key.line, path, "a key must be a plain word")
        elif key.text in first:
            problems.add(key.line, below(path, key.text), f"is there twice, first on line {first[key.text]}")
        else:
            first[key.text] = key.line
            yield key, value


def _pairs(node: Node, known: Iterable[str]) -> str:
    """How to write what is no mapping as one."""
    near = NO_SPACE.fullmatch(node.text) if isinstance(node, Scalar) else None
    if near:
        return f" - write a space after the colon: {clipped(near[1])}: {clipped(near[2])}"
    return f" - its keys are {', '.join(known)}" if known else ""


def below(path: str, key: str) -> str:
    """The key path of `key` in `path`; what could confuse a terminal or a reader is quoted."""
    text = key if key.isascii() and key.isprintable() and key and " " not in key else repr(key)
    return f"{path}.{clipped(text)}" if path else clipped(text)


def shown(node: Node) -> str:
    """A node in a message: a scalar in quotes, else what it is."""
    if isinstance(node, Scalar):
        return clipped(repr(node.text))
    return "a list" if isinstance(node, Items) else "a mapping"


def clipped(text: str) -> str:
    """At most `MAX_SHOWN` characters of a text."""
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 3] + "..."


def stranger(key: str, known: list[str]) -> str:
    """What to say of an unknown key."""
    near = get_close_matches(key, known, 1, 0.6)
    return f"unknown key - did you mean {near[0]}?" if near else f"unknown key - known are {', '.join(known)}"
