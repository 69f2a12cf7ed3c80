"""The journal of a running devdns: what changed and what failed, over a crash of control and a restart of all."""

from support.services import Service
from support.stack import Stack
from support.waiting import wait_until


def entries(stack, *arguments):
    return stack.json("history", *arguments)["entries"]


def test_changes_and_failed_requests_are_told_and_survive(tmp_path):
    with Service() as service, Stack(tmp_path, f"routes: {{api: {service.port}}}\n") as stack:
        wait_until(lambda: entries(stack, "api"), what="the first entry")
        (came,) = entries(stack, "api")
        assert (came["kind"], came["from"], came["to"]["targets"]) == (
            "change",
            None,
            [f"http://127.0.0.1:{service.port}"],
        )
        stack.config.write_text("routes: {api: {target: 1, hold: 0s}}\n")
        wait_until(lambda: len(entries(stack, "api")) == 2, what="the edit")
        assert entries(stack, "api")[-1]["cause"] == "its file changed"
        status, _ = stack.get("api.dev.test")
        assert status in (502, 503)
        wait_until(lambda: entries(stack, "api")[-1]["kind"] == "failed", what="the failed request")
        failed = entries(stack, "api")[-1]
        assert (failed["count"], failed["reason"][:3]) == (1, str(status))
        assert failed["cause"].startswith("live since ")
        assert failed["cause"].endswith("its file changed")
        stack.kill("control")
        wait_until(lambda: stack.running("control"))
        assert entries(stack, "api", "--since", "1h")[:3] == entries(stack, "api")[:3]
        assert entries(stack, "web") == []
    with Stack(tmp_path) as stack:
        assert entries(stack, "api")[2] == failed
