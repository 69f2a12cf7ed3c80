"""Every test here runs on both event loops that the product runs on."""

from __future__ import annotations

import asyncio

import pytest
import uvloop

from devdns_proxy.client import Client


def pytest_asyncio_loop_factories():
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture
def sent(monkeypatch):
    """The paths of requests in the order in which they are sent: a service that gets two at a time may read either one first."""
    paths, send = [], Client._send

    def noted(self, upstream):
        paths.append(self._path())
        send(self, upstream)

    monkeypatch.setattr(Client, "_send", noted)
    return paths
