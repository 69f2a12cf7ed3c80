"""A port where nothing listens, through the whole stack: the request is held, then answered at once, and everybody is told why."""

import json
import socket
import time

from support.stack import Stack
from support.waiting import wait_until


def seen(stack, route):
    return json.loads(stack.run("explain", route, "--json").stdout)["seen"]


def breaker(stack, route):
    return [each["breaker"] for each in seen(stack, route)]


def test_a_dead_port_is_waited_for_and_shown_until_it_listens(tmp_path):
    with socket.socket() as dead:
        dead.bind(("127.0.0.1", 0))
        with Stack(tmp_path, f"hold: 1s\nroutes: {{web: {dead.getsockname()[1]}}}\n") as stack:
            began = time.monotonic()
            status, body = stack.get("web.dev.test", headers={"Accept": "text/html"})
            assert status == 502
            assert time.monotonic() - began >= 0.9
            assert b'<meta http-equiv="refresh" content="1">' in body
            wait_until(lambda: seen(stack, "web"), what="the sighting")
            target = f"http://127.0.0.1:{dead.getsockname()[1]}"
            assert [each["target"] for each in stack.json("status")["targets"]] == [target]
            assert f"{target} takes no connection" in stack.run("status").stdout
            assert "the proxy could not reach it for" in stack.run("explain", "web").stdout
            wait_until(lambda: breaker(stack, "web") == ["open"], what="the open breaker")
            closed = f"target  {target} takes no connection"
            assert closed in stack.run("routes").stdout
            assert "1 request failed" in stack.run("history", "web").stdout

            dead.listen()
            wait_until(lambda: not stack.json("status")["targets"], what="the closed breaker")
