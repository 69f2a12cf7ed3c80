"""A bounded memory of parsed heads: bytes in, what they mean out. It knows nothing of routes.

Why it is safe: a head is kept under its exact bytes and everything else its meaning depends on, and what is kept is
immutable; so a hit answers what the parser would answer. It is dropped whole when full: no bookkeeping on a hit.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")

ENTRIES = 1_024
ENTRY_BYTES = 8_192


class Memo(Generic[Key, Value]):
    """At most `ENTRIES` values of heads of at most `ENTRY_BYTES`; `get` is the dictionary's own."""

    __slots__ = ("_entries", "clear", "get")

    def __init__(self) -> None:
        self._entries: dict[Key, Value] = {}
        self.get = self._entries.get
        self.clear = self._entries.clear

    def put(self, key: Key, size: int, value: Value) -> None:
        """Remembers `value` unless its head of `size` bytes is too large."""
        if size > ENTRY_BYTES:
            return
        if len(self._entries) >= ENTRIES:
            self._entries.clear()
        self._entries[key] = value

    def __len__(self) -> int:
        return len(self._entries)
