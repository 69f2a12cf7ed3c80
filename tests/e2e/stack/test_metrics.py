"""What the other processes count is shown by control, whoever of them is started again meanwhile."""

import json
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from support.figures import series, value
from support.parts import need
from support.stack import Stack
from support.waiting import wait_until

HITS = {"transport": "udp", "type": "A", "rcode": "NOERROR", "kept": "true"}
REPLIES = "devdns_dns_replies_total"
REQUESTS = "devdns_http_requests_total"
API = {"route": "api.dev.test", "status": "200"}


def asked(stack, path):
    """The body of one answer of control."""
    curl = ["curl", "-s", "--unix-socket", str(stack.state / "control.sock"), f"http://localhost{path}"]
    return subprocess.run(curl, capture_output=True, check=True, timeout=10).stdout


def metric(stack, name, **labels):
    """The value of one series, or None."""
    return value(asked(stack, "/metrics"), name, **labels)


@pytest.fixture
def service():
    """The port of a service that says 200, or 503 at `/bad`."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(503 if self.path == "/bad" else 200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server.server_port
    server.shutdown()
    server.server_close()
    thread.join()


def test_replies_are_counted_where_they_can_be_read_and_stay_counted(tmp_path):
    need("curl", "dig")
    with Stack(tmp_path) as stack:
        for _ in range(3):
            assert stack.dig("api.dev.test", "A", "+noedns") == ["127.0.0.1"]
        wait_until(lambda: metric(stack, REPLIES, **HITS) == 2.0, what="two replies that were kept")
        assert metric(stack, REPLIES, **{**HITS, "kept": "false"}) == 1.0
        assert metric(stack, "devdns_dns_reply_seconds_count") == 3.0
        assert metric(stack, "devdns_routes") == 0.0
        stack.kill("resolver")
        wait_until(lambda: stack.running("resolver"), what="the next resolver")
        for _ in range(2):
            stack.dig("api.dev.test", "A", "+noedns")
        wait_until(lambda: metric(stack, REPLIES, **HITS) == 3.0, what="one more that was kept")
        assert metric(stack, "devdns_child_restarts_total", child="resolver") == 1.0
        assert metric(stack, "devdns_child_up", child="resolver") == 1.0


def test_requests_of_several_proxies_are_one_count_that_never_falls(tmp_path, service):
    need("curl")
    with Stack(tmp_path, f"routes: {{api: {service}}}", workers=2) as stack, ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda _: stack.get("api.dev.test")[0], range(60)))
        assert statuses == [200] * 60
        assert stack.get("api.dev.test", "/bad")[0] == 503
        assert stack.get("nobody.dev.test")[0] == 404
        wait_until(lambda: metric(stack, REQUESTS, **API) == 60, what="the count of both proxies")
        wait_until(lambda: metric(stack, REQUESTS, **{**API, "status": "503"}) == 1, what="the failure")
        assert metric(stack, REQUESTS, route="", status="404") == 1
        assert metric(stack, "devdns_http_request_duration_seconds_count", route="api.dev.test") == 61
        assert metric(stack, "devdns_http_connections_total") >= 62
        rates = json.loads(asked(stack, "/api/v1/rates"))
        assert rates["routes"][0]["name"] == "api.dev.test"
        assert 0 < rates["routes"][0]["errors"] < rates["requests"] <= 62
        stack.kill("proxy-1")
        wait_until(lambda: stack.running("proxy-1"), what="the next proxy")
        assert metric(stack, REQUESTS, **API) == 60
        assert stack.get("api.dev.test")[0] == 200
        wait_until(lambda: metric(stack, REQUESTS, **API) == 61, what="the next request")
        assert metric(stack, "devdns_child_restarts_total", child="proxy-1") == 1
        assert {name for name, _ in series(asked(stack, "/metrics"))} >= {REQUESTS, "devdns_child_up"}
