"""The signals of the supervisor as a socket that turns readable, for its selector. Standard library only."""

from __future__ import annotations

import contextlib
import signal
import socket

ENDS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Signals:
    """From now on signals do nothing but wake whoever waits for `socket`."""

    def __init__(self) -> None:
        self.socket, self._writer = socket.socketpair()
        self.socket.setblocking(False)
        self._writer.setblocking(False)
        signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN  # nohup: the end of the terminal is not ours
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, *(() if ignored else (signal.SIGHUP,))):
            signal.signal(number, lambda *_: None)

    def ends(self) -> int:
        """How many of the signals that came ask for an end."""
        with contextlib.suppress(BlockingIOError):
            return sum(number in ENDS for number in self.socket.recv(64))
        return 0
