"""HTTPS of the whole stack: control's CA, two workers, and what a client of its own trust store sees."""

import json
import socket
import ssl
import subprocess
from contextlib import AsyncExitStack

import grpc
import grpc.aio
import pytest
from support.grpc_service import Stub, grpc_service, make_the_four_kinds_of_calls
from support.parts import need
from support.stack import Stack, open_folder
from support.waiting import wait_until

FLAGS = ("--dns", "127.0.0.1:0", "--http", "127.0.0.1:0", "--https", "127.0.0.1:0")


@pytest.fixture(scope="module")
def stack():
    with (
        open_folder() as folder,
        Stack(folder, "routes: {api: {target: 1, redirect: true, hold: 0s}}\n", *FLAGS, workers=2) as stack,
    ):
        yield stack


def place(stack, role="https"):
    return tuple(stack.facts["listeners"][role][0])


def asked(stack, name, path="/", host=None):
    """The status line and the certificate's names."""
    settings = ssl.create_default_context(cafile=stack.state / "ca.pem")
    with socket.create_connection(place(stack), 10) as sock, settings.wrap_socket(sock, server_hostname=name) as tls:
        tls.sendall(f"GET {path} HTTP/1.1\r\nHost: {host or name}\r\nConnection: close\r\n\r\n".encode())
        return tls.makefile("rb").readline().decode().strip(), tls.getpeercert()["subjectAltName"]


def covered(stack, name):
    """False while a proxy has asked control and not got the certificate within its 20 ms: the next handshake has it."""
    try:
        return all(asked(stack, name) for _ in range(4))
    except ssl.SSLCertVerificationError:
        return False


def test_every_name_has_a_certificate_of_the_local_ca(stack):
    assert f"  https 127.0.0.1:{place(stack)[1]}" in stack.lines[-1]
    for _ in range(4):  # either worker
        assert asked(stack, "api.dev.test") == (
            "HTTP/1.1 502 Bad Gateway",
            (("DNS", "dev.test"), ("DNS", "*.dev.test")),
        )
    wait_until(lambda: covered(stack, "deep.er.dev.test"), what="a certificate that control had to sign")
    line, names = asked(stack, "deep.er.dev.test")
    assert line == "HTTP/1.1 404 Not Found"
    assert ("DNS", "*.er.dev.test") in names
    own = f"devdns.dev.test:{place(stack)[1]}"
    assert asked(stack, "devdns.dev.test", "/api/v1/status", host=own)[0] == "HTTP/1.1 200 OK"
    assert asked(stack, "api.dev.test", host="devdns.dev.test")[0] == "HTTP/1.1 421 Misdirected Request"


def test_redirects_name_the_port_that_is_listened_at(stack):
    with socket.create_connection(place(stack, "http"), 10) as sock:
        sock.sendall(b"GET /x HTTP/1.1\r\nHost: api.dev.test\r\nConnection: close\r\n\r\n")
        head = sock.makefile("rb").read()
    assert head.startswith(b"HTTP/1.1 308 ")
    assert f"\r\nLocation: https://api.dev.test:{place(stack)[1]}/x\r\n".encode() in head


def test_only_the_key_exchanges_of_the_intermediate_configuration(stack):
    need("openssl")
    host, port = place(stack)
    for group, well in (("X25519", True), ("P-256", True), ("P-521", False), ("X448", False)):
        command = ["openssl", "s_client", "-connect", f"{host}:{port}", "-servername", "api.dev.test", "-groups", group]
        done = subprocess.run(command, input=b"", capture_output=True, timeout=20, check=False)
        assert (done.returncode == 0) == well, group


def test_a_proxy_that_was_killed_has_its_certificates_again(stack):
    stack.kill("proxy-1")
    stack.kill("proxy-2")
    assert asked(stack, "api.dev.test")[0] == "HTTP/1.1 502 Bad Gateway"


async def test_grpc_clients_need_the_ca_and_nothing_else(stack):
    """The four kinds of calls, by name, in TLS, to a service that speaks HTTP/2 in the clear."""
    host, port = place(stack)
    credentials = grpc.ssl_channel_credentials((stack.state / "ca.pem").read_bytes())
    named = (("grpc.ssl_target_name_override", "grpc.dev.test"), ("grpc.default_authority", f"grpc.dev.test:{port}"))
    async with AsyncExitStack() as ends:
        _, service = await ends.enter_async_context(grpc_service())
        stack.run("add", "grpc", f"h2c://127.0.0.1:{service}", check=0)
        channel = grpc.aio.secure_channel(f"{host}:{port}", credentials, options=named)
        await ends.enter_async_context(channel)
        await make_the_four_kinds_of_calls(Stub(channel))


def test_status_shows_the_listener(stack):
    listeners = json.loads(stack.run("status", "--json", check=0).stdout)["listeners"]
    assert list(place(stack)) in listeners["https"]
