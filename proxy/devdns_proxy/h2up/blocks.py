"""What the field sections of the responses of one connection mean, remembered while the table that they refer to stays as it is."""

from __future__ import annotations

from devdns_proxy.h2up import words
from devdns_proxy.h2up.words import Told
from devdns_proxy.http2.hpack import Field, Reader

#: How many, and of which size.
MOST_KNOWN = 32
MOST_KNOWN_BLOCK = 1_024


class Blocks:
    """Reads every block, in order."""

    __slots__ = ("_known", "_reader")

    def __init__(self) -> None:
        self._reader = Reader()
        self._known: dict[tuple[bytes, bool, bool], Told] = {}

    def fields(self, block: bytes) -> list[Field]:
        """A section that is no head; raises `Broken`."""
        fields = self._reader.fields(block)
        if not self._reader.steady:
            self._known.clear()
        return fields

    def told(self, block: bytes, *, ended: bool, to_head: bool) -> Told:
        """The head of a response, as `words.told` has it; raises `Broken` and `ReplyRefused`."""
        key = (block, ended, to_head)
        known = self._known.get(key)
        if known is not None:
            return known
        told = words.told(self.fields(block), ended=ended, to_head=to_head)
        if self._reader.steady and len(block) <= MOST_KNOWN_BLOCK:
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            self._known[key] = told
        return told
