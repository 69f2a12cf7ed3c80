"""The whole stack over https with its own CA, and with a certificate that the user brings: what a client and a person see."""

import contextlib
import http.client
import socket
import ssl
import stat
import subprocess

import pytest
from support.certificates import bring, certificate, new_key, pem, private
from support.services import Service
from support.stack import Stack
from support.waiting import wait_until

FLAGS = ("--dns", "127.0.0.1:0", "--http", "127.0.0.1:0", "--https", "127.0.0.1:0")


def get(stack, host, ca):
    """(status, body) over TLS from a client that trusts `ca` alone and checks the name."""
    address = tuple(stack.facts["listeners"]["https"][0])
    settings = ssl.create_default_context(cadata=ca)
    with contextlib.closing(http.client.HTTPSConnection(*address, timeout=10)) as connection:
        raw = socket.create_connection(address, 10)
        connection.sock = settings.wrap_socket(raw, server_hostname=host)
        connection.request("GET", "/", headers={"Host": f"{host}:{address[1]}"})
        answer = connection.getresponse()
        return answer.status, answer.read()


def shown(stack, host):
    """The names of the certificate that a client of `host` is shown."""
    address = tuple(stack.facts["listeners"]["https"][0])
    settings = ssl.create_default_context(cadata=(stack.folder / "own.pem").read_text())
    settings.check_hostname = False
    settings.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    with socket.create_connection(address, 10) as raw, settings.wrap_socket(raw, server_hostname=host) as wrapped:
        return [name for _, name in wrapped.getpeercert()["subjectAltName"]]


def refused(folder, config):
    """What a start that ends at once with exit code 2 says."""
    stack = Stack(folder, config, *FLAGS)
    command = [*stack.command, *stack.arguments]
    ran = subprocess.run(command, env=stack.environ, capture_output=True, text=True, timeout=30, check=False)
    assert ran.returncode == 2
    assert "Traceback" not in ran.stderr
    return ran.stderr


@pytest.fixture
def service():
    with Service() as running:
        yield running


def test_every_name_has_a_certificate_of_the_local_ca(tmp_path, service):
    key = f"https://127.0.0.1:{service.port}, ca: {tmp_path}/state/ca.key"
    routes = f"routes: {{api: {service.port}, web.shop: {service.port}, peek: {{target: {key}}}}}\n"
    with Stack(tmp_path, routes, *FLAGS, DEVDNS_DEBUG="true") as stack:
        ca = (stack.state / "ca.pem").read_text()
        for host in ("api.dev.test", "web.shop.dev.test"):
            assert get(stack, host, ca)[0] == 200, host
        for host in ("unknown.dev.test", "deep.down.below.dev.test"):
            assert get(stack, host, ca)[0] == 404, host
        assert get(stack, "dev.test", ca)[0] == 200

        assert (
            b"ca.key cannot be used: permission denied" in get(stack, "peek.dev.test", ca)[1]
        )  # the proxy may not read it

        key = (stack.state / "ca.key").stat()
        assert stat.S_IMODE(key.st_mode) == 0o600
        assert key.st_uid == stack.state.stat().st_uid

        found = stack.json("status")["tls"]
        assert found["ca"]["path"] == str(stack.state / "ca.pem")
        assert found["ca"]["zones"] == ["dev.test"]
        assert found["own"] is None
        assert found["leaves"]["count"] == 3
        lines = stack.run("status", check=0).stdout
        assert f"ca      {found['ca']['fingerprint'][:23]}..., for dev.test, until 20" in lines
        assert "leaves  3 signed, until 20" in lines

        stack.kill("control")
        wait_until(lambda: stack.running("control"), what="control again")
        wait_until(lambda: stack.json("status")["tls"]["ca"] == found["ca"], what="the same CA")
        assert get(stack, "deep.down.below.dev.test", ca)[0] == 404
        log = stack.log()
    assert [line for line in log.splitlines() if "late import" in line] == []
    (stack.state / "ca.key").unlink()
    assert "ca.key is missing - remove ca.pem and ca.key there" in refused(tmp_path, routes)


def test_a_certificate_that_the_user_brings_is_shown_and_renewed(tmp_path, service):
    bring(tmp_path, "dns:*.dev.test")
    config = f"routes: {{api: {service.port}}}\ntls: {{cert: own.pem, key: own.key}}\n"
    with Stack(tmp_path, config, *FLAGS) as stack:
        assert shown(stack, "api.dev.test") == ["*.dev.test"]
        assert get(stack, "dev.test", (stack.state / "ca.pem").read_text())[0] == 200  # what it is not for
        assert stack.json("status")["tls"]["own"]["names"] == ["*.dev.test"]
        assert f"tls     {tmp_path / 'own.pem'}, for *.dev.test, until 20" in stack.run("status", check=0).stdout

        key = new_key()  # written as a renewal writes it: each file whole, one after the other
        for name, text in (
            ("own.pem", pem(certificate(key, ("dns:*.dev.test", "dns:dev.test")))),
            ("own.key", private(key)),
        ):
            (tmp_path / "fresh").write_text(text)
            (tmp_path / "fresh").chmod(0o644)
            (tmp_path / "fresh").replace(tmp_path / name)
        wait_until(lambda: len(stack.json("status")["tls"]["own"]["names"]) == 2, what="the renewal")
        assert shown(stack, "dev.test") == ["*.dev.test", "dev.test"]


def test_one_that_cannot_be_used_is_refused_at_the_start(tmp_path):
    bring(tmp_path, "dns:*.dev.test")
    said = refused(tmp_path, "tls: {cert: own.pem, key: other.key}")
    assert f"tls.key '{tmp_path}/other.key' cannot be read: no such file or directory" in said
