"""The engine that the tests bring up is a real one: containers answer at their own address and on published ports."""

import pytest
from support.containers import address, body, nonce, published
from support.engine import Engine, within

pytestmark = pytest.mark.engine


def test_a_container_answers_with_its_own_nonce(engine: Engine) -> None:
    one, two = engine.run("one", ports={"8000/tcp": ("127.0.0.1", None)}), engine.run("two")
    within(5, lambda: _answers(address(one), 8000), "the first app to listen")
    within(5, lambda: _answers(address(two), 8000), "the second app to listen")
    assert nonce(one) != nonce(two)
    assert body(address(one), 8000) == body("127.0.0.1", published(one)) == nonce(one)
    assert body(address(two), 8000) == nonce(two)


@pytest.mark.parametrize("kill", [False, True])
def test_a_container_comes_back_with_a_restarted_daemon(engine: Engine, *, kill: bool) -> None:
    kept = engine.run("kept", restart_policy={"Name": "always"})
    engine.daemon_restart(kill=kill)
    within(10, lambda: engine.client.containers.get("kept").status == "running", "the container to be back")
    within(5, lambda: _answers(address(kept), 8000), "its app to listen")
    assert body(address(kept), 8000) == nonce(kept)


def _answers(host: str, port: int) -> bool:
    try:
        return bool(body(host, port))
    except OSError:
        return False
