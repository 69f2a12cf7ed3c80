"""Where no route may lead: our own sockets by any path, and addresses that a name must not resolve to."""

from __future__ import annotations

import asyncio
import os
import socket

import pytest
from support.http_proxy import LAST, route, running


@pytest.fixture
def own_socket(tmp_path):
    """`control.sock` beside the `web.sock` that the proxy is told."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "control.sock"))
        listener.listen()
        listener.setblocking(False)
        yield listener


def symlink(folder):
    (folder / "app.sock").symlink_to(folder / "control.sock")
    return folder / "app.sock"


def hard_link(folder):
    os.link(folder / "control.sock", folder / "app.sock")
    return folder / "app.sock"


def linked_folder(folder):
    (folder / "there").symlink_to(folder)
    return folder / "there" / ".." / folder.name / "control.sock"


@pytest.mark.parametrize("spelling", [lambda folder: folder / "control.sock", symlink, hard_link, linked_folder])
async def test_our_own_socket_is_no_target_by_any_path(spelling, own_socket, tmp_path):
    async with running(route("api", f"unix:{spelling(tmp_path)}"), web=tmp_path / "web.sock") as proxy:
        answer = await proxy.say(LAST)
    assert answer.startswith(b"HTTP/1.1 502 ")
    assert b"is a control socket of devdns" in answer
    with pytest.raises(BlockingIOError):
        own_socket.accept()


@pytest.mark.parametrize(
    "address", ["::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "255.255.255.255", "0.0.0.0", "fe80::1%1", "ff02::1"]
)
async def test_a_name_that_resolves_to_what_no_route_may_lead_to_is_502(address, monkeypatch):
    async def found(*_, **__):
        return [(socket.AF_UNSPEC, socket.SOCK_STREAM, 6, "", (address, 80))]

    async with running(route("api", "service.example:80")) as proxy:
        monkeypatch.setattr(proxy.proxy.context, "loop", _Resolving(asyncio.get_running_loop(), found))
        answer = await proxy.say(LAST)
    assert answer.startswith(b"HTTP/1.1 502 ")
    assert b"which is not an address of a service" in answer


class _Resolving:
    """The loop, with a resolver whose answers are ours: no name here leads to such an address."""

    def __init__(self, loop, getaddrinfo):
        self._loop = loop
        self.getaddrinfo = getaddrinfo

    def __getattr__(self, name):
        return getattr(self._loop, name)
