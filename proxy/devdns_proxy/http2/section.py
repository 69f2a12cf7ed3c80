"""A field section that comes in several frames, bounded in bytes and in frames (CONTINUATION floods, CVE-2024-27316)."""

from __future__ import annotations

from devdns_proxy.http2.wire import ENHANCE_YOUR_CALM, Broken

MOST_FRAMES = 16


class Section:
    """What has come of the section of a stream; it is compressed in at most `most` bytes. `ended`: the stream ends with it."""

    __slots__ = ("_most", "ended", "frames", "number", "size")

    def __init__(self, number: int, most: int, *, ended: bool) -> None:
        self.number = number
        self.ended = ended
        self.frames: list[bytes] = []
        self.size = 0
        self._most = most

    def add(self, frame: bytes) -> None:
        """Raises `Broken` when it is too large."""
        self.frames.append(frame)
        self.size += len(frame)
        if self.size > self._most or len(self.frames) > MOST_FRAMES:
            raise Broken(ENHANCE_YOUR_CALM, "the field section is too large")
