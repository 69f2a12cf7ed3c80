"""How long a change takes until traffic follows it, beside the direct way; figures are printed, medians are judged."""

import http.client
import statistics
import threading
import time

import pytest
from support.containers import address
from support.services import Service
from support.stack import Stack
from support.waiting import wait_until

pytestmark = pytest.mark.evidence
REPEATS = 20
BOUND = 0.050


def first_answer(place, host, expected=None):
    """The moment (monotonic seconds) of the first 200 that `place` gives for `host`."""

    def answered():
        connection = http.client.HTTPConnection(*place, timeout=2)
        try:
            connection.request("GET", "/", headers={"Host": host})
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()
        return time.monotonic() if answer.status == 200 and expected in (None, body) else None

    return wait_until(answered, what=f"an answer of {host}")


def report(title, figures):
    ordered = sorted(round(1000 * each, 1) for each in figures)
    print(f"\n{title}: median {statistics.median(ordered)} ms, {ordered[0]} to {ordered[-1]} ms, n={len(ordered)}")


def test_from_the_start_event_to_the_first_answer(engine, tmp_path):
    engine.folder.chmod(0o711)
    with Stack(tmp_path, "", DOCKER_HOST=engine.url, DEVDNS_DOCKER_ENABLED="true") as stack:
        wait_until(lambda: any(each["state"] == "ok" for each in stack.json("status")["sources"]))
        added, whole = zip(*(one_start(engine, stack) for _ in range(REPEATS)), strict=True)
    report("start event -> first 200 by name", whole)
    report("of which above the direct way", added)
    assert statistics.median(added) <= BOUND


def one_start(engine, stack):
    container = engine.create(None, {"dev.route": "api", "dev.hold": "0s"})
    events = engine.client.events(decode=True, filters={"event": "start"})
    through = []
    racer = threading.Thread(target=lambda: through.append(first_answer(stack.http, "api.dev.test")))
    racer.start()
    container.start()
    next(events)
    started = time.monotonic()
    events.close()
    direct = first_answer((address(container), 8000), "api")
    racer.join(10)
    container.remove(force=True)
    wait_until(lambda: stack.get("api.dev.test")[0] == 404)
    return through[0] - max(direct, started), through[0] - started


def test_from_a_file_edit_to_the_first_answer(tmp_path):
    took = []
    with Service() as first, Service() as second, Stack(tmp_path, f"routes: {{api: {first.port}}}\n") as stack:
        for number in range(REPEATS):
            service = (second, first)[number % 2]
            edited = time.monotonic()
            stack.config.write_text(f"routes: {{api: {service.port}}}\n")
            took.append(first_answer(stack.http, "api.dev.test", service.nonce) - edited)
    report("file edit -> first answer of the new target", took)
    assert statistics.median(took) <= BOUND
