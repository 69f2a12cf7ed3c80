import concurrent.futures
import http.server
import threading

import pytest
from support.stack import open_folder


@pytest.fixture
def tmp_path():
    with open_folder() as folder:
        yield folder


class SlowService:
    """Answers only when `finish` is set; `asked` tells that a request reached it."""

    def __init__(self):
        asked, finish = self.asked, self.finish = threading.Event(), threading.Event()

        class Answer(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                asked.set()
                finish.wait(20)
                self.send_response(200)
                self.send_header("Content-Length", "5")
                self.end_headers()
                self.wfile.write(b"whole")

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self.server.daemon_threads = True
        self.port = self.server.server_port
        self.pool = concurrent.futures.ThreadPoolExecutor(1)

    def request_through(self, stack):
        """One request to `slow.dev.test` on its way; a future of (status, body)."""
        return self.pool.submit(stack.get, "slow.dev.test")


@pytest.fixture
def slow_service():
    service = SlowService()
    thread = threading.Thread(target=service.server.serve_forever, args=(0.02,))
    thread.start()
    yield service
    service.finish.set()
    service.server.shutdown()
    service.server.server_close()
    service.pool.shutdown()
    thread.join()
