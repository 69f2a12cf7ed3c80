"""On the path of a Python process: SIGUSR2 makes it write how many tasks it has to the file that `TOLD` names."""

import os
import signal
import sys

try:
    _told = os.open(os.environ["TOLD"], os.O_WRONLY | os.O_APPEND)
except (KeyError, OSError):
    _told = -1


def _tell(*_):
    tasks = len(sys.modules["asyncio"].all_tasks())
    os.write(_told, f"{os.getpid()} {tasks}\n".encode())


if _told >= 0:
    signal.signal(signal.SIGUSR2, _tell)
