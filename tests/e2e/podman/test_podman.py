"""Podman in Docker's place: labels become names, no change of a container loses a request, its service may come and go."""

import pytest
from support import change_scenes as changes
from support.change_run import docker_state, judged, play, surroundings
from support.containers import nonce, published
from support.stack import open_folder
from support.waiting import wait_until

pytestmark = pytest.mark.timeout(120)
#: Those that need nothing of it but its containers: the health checks of Podman need systemd.
SCENES = (
    changes.moved,
    changes.recreated,
    changes.replaced,
    changes.restarted,
    changes.graceful,
    changes.killed,
    changes.scaled,
    changes.paused,
    changes.renamed,
)


@pytest.fixture
def folder():
    with open_folder() as folder:
        yield folder


async def test_no_change_of_a_container_loses_a_request(podman, folder):
    with surroundings(podman, folder) as around:
        judged(await play(around, SCENES, 3, at_once=3))


def test_while_its_service_is_away_its_containers_are_served(podman, folder):
    with surroundings(podman, folder) as around:
        api = podman.run("api-1", {"dev.route": "api"})
        wait_until(lambda: around.stack.serves("api.dev.test", f"{nonce(api)}\n".encode()), what="api")
        podman.daemon_stop()
        wait_until(lambda: docker_state(around.stack) != "ok", what="a word of its end")
        assert around.stack.get("api.dev.test") == (200, f"{nonce(api)}\n".encode())
        podman.daemon_start()
        web = podman.run("web-1", {"dev.route": "web"})
        wait_until(lambda: around.stack.serves("web.dev.test", f"{nonce(web)}\n".encode()), what="web")
        assert around.stack.get("api.dev.test") == (200, f"{nonce(api)}\n".encode())


def test_without_root_the_published_port_is_followed(rootless, folder):
    with surroundings(rootless, folder) as around:
        for name in ("api-1", "api-2"):  # made anew, with a port of its own
            api = rootless.run(name, {"dev.route": "api"}, {"8000/tcp": ("127.0.0.1", None)})
            answer = f"{nonce(api)}\n".encode()
            wait_until(lambda answer=answer: around.stack.serves("api.dev.test", answer), what=name)
            (route,) = around.stack.json("routes")["routes"]
            assert route["targets"] == [f"http://127.0.0.1:{published(api)}"]
            api.restart(timeout=0)
            assert around.stack.get("api.dev.test") == (200, answer)
            api.remove(force=True)
