"""The certificates this proxy shows, by the name that a client asks for: kept as control gives them, asked for where it has not.

A leaf that is renewed goes into the settings of the one before, whose clients can then go on resuming their sessions. The keys
that their tickets are sealed with belong to one process: Python lets nobody set them, so that another worker begins anew.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import tempfile
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog
from msgspec import Struct

from devdns.core.leaves import Ask, Frame, Leaf, Leaves, Refused

#: Mozilla's intermediate list (5.7); those of TLS 1.3 stand in `openssl.cnf`. No key exchange without forward secrecy.
CIPHERS = (
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
)
#: Of OpenSSL, without a name in Python: a client that likes ChaCha20 best, as one whose machine is slow at AES, has it.
OP_PRIORITIZE_CHACHA = 1 << 21
MOST_ASKED = 1_024
ASK_TIME = 0.02  # seconds that a handshake waits for control
ASKS = 50  # in a second
REFUSED_TIME = 5.0  # seconds until a name that was refused is asked for again

ssl.SSLContext(
    ssl.PROTOCOL_TLS_SERVER
)  # OpenSSL reads its configuration with the first one: while the file can be read
log = structlog.get_logger()
Given = Callable[[ssl.SSLContext | None], None]


class Shown(Struct):
    """A leaf as it is shown to clients."""

    leaf: Leaf
    settings: ssl.SSLContext


class Wardrobe:
    """All leaves of this process. `alpn` are the protocols offered to clients, the best first."""

    def __init__(self, clock: Callable[[], float], alpn: tuple[str, ...] = ("http/1.1",)) -> None:
        self.ready = asyncio.Event()
        self.send: Callable[[Ask], None] | None = None
        self._clock = clock
        self._alpn = list(alpn)
        self._pushed: dict[str, Shown] = {}
        self._first: Shown | None = None
        self._asked: OrderedDict[str, Shown] = OrderedDict()
        self._refused: dict[str, float] = {}
        self._waiting: dict[str, list[Given]] = {}
        self._asks = float(ASKS)
        self._since = clock()

    def find(self, name: str | None, zone: str | None, given: Given) -> None:
        """Calls `given` with the settings for `name`, at once where they are known, else within `ASK_TIME`.

        `zone` is the one that holds the name: in none, or where control has nothing better, it is a leaf that there is,
        and None where there is none at all.
        """
        if name is None or zone is None:
            given(self._fallback(None))
            return
        shown = self._known(name)
        if shown is not None:
            given(shown.settings)
        elif not self._ask(name, given):
            given(self._fallback(zone))

    def _known(self, name: str) -> Shown | None:
        """What covers the name; its own certificate rather than a wildcard's."""
        for each in (name, "*." + name.partition(".")[2]):
            if each in self._pushed:
                return self._pushed[each]
            if each in self._asked:
                self._asked.move_to_end(each)
                return self._asked[each]
        return None

    def _fallback(self, zone: str | None) -> ssl.SSLContext | None:
        shown = self._pushed.get(f"*.{zone}", self._first)
        return shown.settings if shown is not None else None

    def _ask(self, name: str, given: Given) -> bool:
        """Asks control; False where it is away, has refused, or has been asked too often."""
        if name in self._waiting:
            self._waiting[name].append(given)
            return True
        now = self._clock()
        self._asks, self._since = min(ASKS, self._asks + (now - self._since) * ASKS), now
        if self.send is None or self._asks < 1 or self._refused.get(name, 0.0) > now:
            return False
        self._asks -= 1
        self._waiting[name] = [given]
        asyncio.get_running_loop().call_later(ASK_TIME, self._answer, name)
        self.send(Ask(name))
        return True

    def _answer(self, name: str) -> None:
        """Goes on with who waits for `name`, with what there is by now."""
        shown = self._known(name)
        settings = shown.settings if shown is not None else self._fallback(self._zone(name))
        for given in self._waiting.pop(name, ()):
            given(settings)

    def _zone(self, name: str) -> str | None:
        """The zone above `name` that has a wildcard of its own."""
        parent = name
        while parent := parent.partition(".")[2]:
            if f"*.{parent}" in self._pushed:
                return parent
        return None

    def take(self, frame: Frame) -> None:
        """What control says."""
        if isinstance(frame, Leaves):
            self._replace(frame.leaves)
        elif isinstance(frame, Leaf):
            self._add(frame)
        elif isinstance(frame, Refused):
            if len(self._refused) >= MOST_ASKED:
                self._refused.clear()
            self._refused[frame.name] = self._clock() + REFUSED_TIME
            self._answer(frame.name)

    def _replace(self, leaves: tuple[Leaf, ...]) -> None:
        old = {shown.leaf.names: shown for shown in self._pushed.values()}
        every = [shown for leaf in leaves if (shown := self._shown(leaf, old.get(leaf.names))) is not None]
        self._pushed = {name: shown for shown in reversed(every) for name in shown.leaf.names}
        self._first = every[0] if every else None
        self._asked.clear()
        self._refused.clear()
        self.ready.set()

    def _add(self, leaf: Leaf) -> None:
        """One more, in place of those for the same names: one that was asked for, or is new."""
        pushed = {shown.leaf.names: shown for shown in self._pushed.values()}.get(leaf.names)
        asked = self._asked.get(leaf.names[0]) if leaf.names else None
        shown = self._shown(leaf, pushed or asked)
        if shown is None:
            return
        if pushed is None:
            for name in leaf.names:
                self._asked[name] = shown
                self._asked.move_to_end(name)
            while len(self._asked) > MOST_ASKED:
                self._asked.popitem(last=False)
        for name in [name for name in self._waiting if leaf.covers(name)]:
            self._answer(name)

    def _shown(self, leaf: Leaf, before: Shown | None) -> Shown | None:
        """The leaf in the settings of the one `before`; None, and a word in the log, where it cannot be used."""
        if before is not None and before.leaf == leaf:
            return before
        try:
            shown = before or Shown(leaf, settings(self._alpn))
            load(shown.settings, leaf)
        except (OSError, ValueError) as error:  # an SSLError is an OSError
            log.warning("certificate not used", names=leaf.names, reason=str(error))
            return before
        shown.leaf = leaf
        return shown


def settings(alpn: list[str]) -> ssl.SSLContext:
    """How to speak TLS with clients: TLS 1.2 and 1.3 as Mozilla's intermediate configuration has it."""
    found = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    found.minimum_version = ssl.TLSVersion.TLSv1_2
    found.set_ciphers(CIPHERS)
    found.options |= ssl.OP_NO_RENEGOTIATION
    found.options |= ssl.OP_CIPHER_SERVER_PREFERENCE | OP_PRIORITIZE_CHACHA
    found.set_alpn_protocols(alpn)
    return found


def load(into: ssl.SSLContext, leaf: Leaf) -> None:
    """Shows the leaf from now on; raises OSError or ValueError where it cannot be."""
    with _written((leaf.key + "\n" + leaf.chain).encode()) as path:
        into.load_cert_chain(path)


@contextmanager
def _written(data: bytes) -> Iterator[str]:
    """A path to read `data` from: ssl takes no bytes. In memory where the system can, since it is a key."""
    if not hasattr(os, "memfd_create"):
        with tempfile.NamedTemporaryFile() as file:
            file.write(data)
            file.flush()
            yield file.name
        return
    descriptor = os.memfd_create("leaf", os.MFD_CLOEXEC)
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(data)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)
