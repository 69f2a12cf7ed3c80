"""Every test here has the proxy in its own loop, and clients and services that others wrote at both sides."""

from __future__ import annotations

from contextlib import ExitStack

import pytest
import uvloop
from support.foreign.services import serving
from support.http_proxy import route, running
from support.stack import open_folder


def pytest_asyncio_loop_factories():
    return {"uvloop": uvloop.new_event_loop}  # both loops meet foreign parts in tests/e2e/proxy


@pytest.fixture(scope="session")
def services():
    """`services(name)`: the sample service on that server, started when first asked for and shared by all tests."""
    with ExitStack() as stack:
        started = {}

        def service(name):
            if name not in started:
                started[name] = stack.enter_context(serving(name, stack.enter_context(open_folder())))
            return started[name]

        yield service


@pytest.fixture
def service(request, services):
    """The server that the test's parameter names."""
    return services(request.param)


@pytest.fixture
async def proxy(service):
    """A proxy whose only route, `api`, leads to the test's service."""
    async with running(route("api", service.port)) as proxy:
        yield proxy
