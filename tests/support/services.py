"""Sample services: a thread each, on a free port, answering every request with their own nonce."""

import http.server
import secrets
import threading


class Service:
    """`with Service() as service:` answers `service.nonce` on `service.port`."""

    def __init__(self, address="127.0.0.1", port=0):
        self.nonce = secrets.token_hex(8).encode()
        nonce = self.nonce

        class Answer(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # head and body in one segment, or Nagle and delayed acknowledgements add 40 ms

            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Length", str(len(nonce)))
                self.end_headers()
                self.wfile.write(nonce)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            request_queue_size = 128  # the 5 of the library is less than any dev server has
            daemon_threads = True

            def handle_error(self, *_):
                """A proxy that was killed resets its connections; that is the test's doing."""

        self._server = Server((address, port), Answer)
        self.port = self._server.server_port

    def __enter__(self):
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
