"""schemathesis against the running API: whatever it sends, what comes back is what openapi.json says."""

import asyncio
import json
import threading

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from support.control import Scripted, registry_of, route, tcp_door

from devdns.control.api import OPENAPI
from devdns.core.sources import Refusal, Statement

CHECKS = (not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance)
SCHEMA = schemathesis.openapi.from_dict(json.loads(OPENAPI)).exclude(path="/api/v1/routes/events")


async def _serve(address, up, stop):
    docker = Scripted(
        "docker",
        Statement((route("web", "127.0.0.1:1", "docker"),), (Refusal("container x", "x", "no port", "dev.port"),)),
    )
    async with registry_of(docker) as registry, tcp_door(registry) as port:
        address.append(f"http://127.0.0.1:{port}")
        loop = asyncio.get_running_loop()
        done = asyncio.Event()
        stop.append(lambda: loop.call_soon_threadsafe(done.set))
        up.set()
        await done.wait()


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    """The API on a TCP port of its own, in a thread with its own loop."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("state"))
        address, stop, up = [], [], threading.Event()
        thread = threading.Thread(target=lambda: asyncio.run(_serve(address, up, stop)))
        thread.start()
        assert up.wait(10)
        yield address[0]
        stop[0]()
        thread.join(10)


@SCHEMA.parametrize()
@settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    database=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
def test_the_api_answers_as_described(case, url):
    response = case.call(base_url=url, timeout=10)
    case.validate_response(response, checks=CHECKS)
    assert response.headers["cache-control"] == ["no-store"]
