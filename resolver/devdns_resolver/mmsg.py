"""Batches of datagrams by recvmmsg(2) and sendmmsg(2): one system call each way, into and out of memory laid out once.

A reply is written over the query it answers, so the headers that received a batch also send it. Linux only: `available` is
False elsewhere, where the plain listener does the same one message at a time.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import socket
import sys

#: Messages of a batch.
SIZE = 64
#: Bytes of a message: our OPT allows 1232 and no reply is longer. A longer query is cut off, and malformed then.
ROOM = 1280
NAME = 28  # sizeof(struct sockaddr_in6)
#: Where the address stands in a sockaddr.
ADDRESS = {socket.AF_INET: (4, 8), socket.AF_INET6: (8, 24)}

_libc = ctypes.CDLL(None, use_errno=True)
available = sys.platform == "linux" and hasattr(_libc, "recvmmsg") and hasattr(_libc, "sendmmsg")
if available:
    _libc.recvmmsg.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int, ctypes.c_void_p)
    _libc.sendmmsg.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int)


class Vector(ctypes.Structure):
    """`struct iovec`."""

    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class Header(ctypes.Structure):
    """`struct msghdr`."""

    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint32),
        ("vectors", ctypes.c_void_p),
        ("vector_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


class Message(ctypes.Structure):
    """`struct mmsghdr`."""

    _fields_ = (("header", Header), ("size", ctypes.c_uint32))


class Batch:
    """Room for one batch of `sock`. A slot is a message's number, where it and what follows its ID begin in `room`, and its sender's address in `names`.

    `lengths` says of each message how much of it `send` sends. Slices of a memory map are bytes at once and can be assigned,
    which no bytearray or memoryview does as cheaply.
    """

    def __init__(self, sock: socket.socket) -> None:
        self.room = mmap.mmap(-1, SIZE * ROOM)
        self.names = mmap.mmap(-1, SIZE * NAME)
        start, end = ADDRESS[sock.family]
        self.slots = tuple(
            (number, number * ROOM, number * ROOM + 2, slice(number * NAME + start, number * NAME + end))
            for number in range(SIZE)
        )
        self._socket = sock.fileno()
        self._vectors = (Vector * SIZE)()
        self._messages = (Message * SIZE)()
        self._at = [ctypes.addressof(message) for message in self._messages]
        room, names = (ctypes.addressof(ctypes.c_char.from_buffer(each)) for each in (self.room, self.names))
        for number, (vector, message) in enumerate(zip(self._vectors, self._messages, strict=True)):
            vector.base, vector.length = room + number * ROOM, ROOM
            message.header.name, message.header.name_length = names + number * NAME, NAME
            message.header.vectors, message.header.vector_count = ctypes.addressof(vector), 1
        self.lengths = memoryview(self._vectors).cast("B").cast("P")[1::2]
        self._all_vectors = memoryview(self._vectors).cast("B")
        self._empty = bytes(self._vectors)
        sizes = memoryview(self._messages).cast("B").cast("I")
        self._sizes = sizes[Message.size.offset // sizes.itemsize :: ctypes.sizeof(Message) // sizes.itemsize]

    def receive(self) -> list[int]:
        """The sizes of the messages that wait, at most `SIZE`. Never waits itself: raises BlockingIOError, or OSError."""
        self._all_vectors[:] = self._empty
        count: int = _libc.recvmmsg(self._socket, self._at[0], SIZE, socket.MSG_DONTWAIT, None)
        if count < 0:
            raise _failure()
        return self._sizes[:count].tolist()

    def send(self, first: int, end: int) -> int:
        """Sends messages `first` up to `end`, without waiting for room; returns how many had no way back to their senders."""
        lost = 0
        while first < end:
            sent: int = _libc.sendmmsg(self._socket, self._at[first], end - first, socket.MSG_DONTWAIT)
            if sent < 0 and isinstance(_failure(), BlockingIOError):
                break  # the client asks again
            lost += sent < 0
            first += max(sent, 1)
        return lost


def _failure() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))
