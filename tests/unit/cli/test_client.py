import socket
import threading
from contextlib import contextmanager

import pytest

from devdns.cli.client import ApiRefused, Client, explain_path, parse_events, route_path
from devdns.core.errors import DevdnsError, NotRunning


@contextmanager
def answering(folder, reply):
    """A listener on control.sock that gives each connection the same bytes; yields what it was asked."""
    asked = []
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "control.sock"))
        listener.listen()

        def serve():
            connection, _ = listener.accept()
            with connection:
                asked.append(_request(connection.makefile("rb")))
                connection.sendall(reply)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield asked
        thread.join(5)


def _request(stream):
    """The bytes of one request, its body by Content-Length."""
    head = b"".join(iter(stream.readline, b"\r\n"))
    length = next((int(line[15:]) for line in head.splitlines() if line.startswith(b"Content-Length:")), 0)
    return head + b"\r\n" + stream.read(length)


def http_reply(body, status="200 OK"):
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


def test_the_body_of_an_answer(tmp_path):
    with answering(tmp_path, http_reply('{"version": 1}')) as asked:
        assert Client(tmp_path).ask("PUT", "/api/v1/routes/a", {"target": "1"}) == {"version": 1}
    head, _, body = asked[0].partition(b"\r\n\r\n")
    assert head.startswith(b"PUT /api/v1/routes/a HTTP/1.1\r\n")
    assert body == b'{"target": "1"}'


@pytest.mark.parametrize(
    ("status", "exit_code"), [("400 Bad Request", 2), ("404 Not Found", 1), ("409 Conflict", 1), ("500 Oops", 1)]
)
def test_a_refusal_is_said_in_the_words_of_control(tmp_path, status, exit_code):
    reply = http_reply('{"error": "bad", "detail": "it is bad", "code": 1}', status)
    with answering(tmp_path, reply), pytest.raises(ApiRefused) as refused:
        Client(tmp_path).ask("GET", "/x")
    assert (str(refused.value), refused.value.exit_code) == ("it is bad", exit_code)


@pytest.mark.parametrize("reply", [b"", b"SSH-2.0\r\n", http_reply("<html>"), http_reply("[]")])
def test_what_is_no_answer_is_an_error_of_ours(tmp_path, reply):
    with answering(tmp_path, reply), pytest.raises(DevdnsError):
        Client(tmp_path).ask("GET", "/x")


def test_no_answer_in_time(tmp_path):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "control.sock"))
        listener.listen()
        with pytest.raises(DevdnsError, match="did not answer within 0 s"):
            Client(tmp_path, seconds=0.05).ask("GET", "/x")


def test_nobody_there(tmp_path):
    with socket.socket(socket.AF_UNIX) as left_over:
        left_over.bind(str(tmp_path / "control.sock"))
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(NotRunning, match="devdns up"):
            Client(folder).ask("GET", "/x")


def test_a_state_folder_deeper_than_a_socket_path_may_be(tmp_path):
    folder = tmp_path / ("d" * 100)
    folder.mkdir()
    with socket.socket(socket.AF_UNIX) as listener, pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        listener.bind("control.sock")
        listener.listen()
        patch.chdir(tmp_path)
        with pytest.raises(DevdnsError, match="did not answer"):
            Client(folder, seconds=0.05).ask("GET", "/x")


def test_events_of_a_stream():
    stream = [
        b": beat\n",
        b"\n",
        b"event: table\r\n",
        b'data: {"a":\r\n',
        b"data: 1}\r\n",
        b"\r\n",
        b"data: {}\n",
        b"\n",
    ]
    assert list(parse_events(iter([*stream, b"event: cut\n"]))) == [("table", {"a": 1}), ("message", {})]


def test_paths_of_names():
    assert route_path("api/v2") == "/api/v1/routes/api/v2"
    assert route_path("*.api") == "/api/v1/routes/*.api"
    assert route_path("a b?c#d%") == "/api/v1/routes/a%20b%3Fc%23d%25"
    assert explain_path("http://api.dev.test/x?y") == "/api/v1/explain/http%3A%2F%2Fapi.dev.test%2Fx%3Fy"
