"""Which engine is meant: variables, contexts, sockets."""

import hashlib
import json

import pytest

from devdns.providers.docker_hosts import Endpoint, EngineLost, endpoint


def context(home, name, host, *, tls=False, skip=False):
    """A context as `docker context create` stores it."""
    digest = hashlib.sha256(name.encode()).hexdigest()
    meta = home / ".docker/contexts/meta" / digest
    meta.mkdir(parents=True)
    endpoints = {"docker": {"Host": host, "SkipTLSVerify": skip}}
    (meta / "meta.json").write_text(json.dumps({"Name": name, "Metadata": {}, "Endpoints": endpoints}))
    if tls:
        pem = home / ".docker/contexts/tls" / digest / "docker"
        pem.mkdir(parents=True)
        for each in ("ca.pem", "cert.pem", "key.pem"):
            (pem / each).touch()


def current(home, name):
    (home / ".docker").mkdir(exist_ok=True)
    (home / ".docker/config.json").write_text(
        json.dumps({"currentContext": name, "auths": {"r": {"auth": "c2VjcmV0"}}})
    )


def found(home, host=None, **environ):
    return endpoint(host, {"HOME": str(home), "XDG_RUNTIME_DIR": str(home / "run"), **environ})


def test_a_host_of_the_configuration_beats_docker_host_which_beats_the_context(tmp_path):
    context(tmp_path, "lab", "tcp://lab:2375")
    current(tmp_path, "lab")
    assert found(tmp_path, "tcp://a:2375", DOCKER_HOST="tcp://b:2375").url == "tcp://a:2375"
    assert found(tmp_path, DOCKER_HOST="tcp://b:2375").url == "tcp://b:2375"
    assert found(tmp_path).url == "tcp://lab:2375"


def test_docker_context_beats_the_current_one(tmp_path):
    context(tmp_path, "lab", "tcp://lab:2375")
    context(tmp_path, "home", "unix:///home.sock")
    current(tmp_path, "lab")
    assert found(tmp_path, DOCKER_CONTEXT="home") == Endpoint("unix:///home.sock")


def test_a_context_with_certificates_speaks_tls(tmp_path):
    context(tmp_path, "lab", "tcp://lab:2376", tls=True, skip=True)
    at = found(tmp_path, DOCKER_CONTEXT="lab")
    assert at.pem is not None
    assert [path.rsplit("/", 1)[1] for path in at.pem] == ["ca.pem", "cert.pem", "key.pem"]
    assert not at.verify


def test_docker_config_is_where_contexts_are(tmp_path):
    context(tmp_path, "lab", "tcp://lab:2375")
    current(tmp_path, "lab")
    assert endpoint(None, {"HOME": "/nowhere", "DOCKER_CONFIG": str(tmp_path / ".docker")}).url == "tcp://lab:2375"


def test_an_unknown_context_is_said_by_name(tmp_path):
    current(tmp_path, "gone")
    with pytest.raises(EngineLost, match="Docker context 'gone' does not exist - docker context ls"):
        found(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"currentContext": null}', '{"currentContext": "default"}'])
def test_any_other_configuration_means_the_default(tmp_path, text):
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker/config.json").write_text(text)
    assert not found(tmp_path).named


def test_without_a_word_the_first_socket_there_is_counts(tmp_path, monkeypatch):
    monkeypatch.setattr("devdns.providers.docker_hosts.SOCKETS", ("~/one.sock", "$XDG_RUNTIME_DIR/two.sock"))
    assert found(tmp_path) == Endpoint("unix:///var/run/docker.sock", named=False)
    (tmp_path / "run").mkdir()
    (tmp_path / "run/two.sock").touch()
    assert found(tmp_path) == Endpoint(f"unix://{tmp_path}/run/two.sock", named=False)


def test_certificates_of_the_variables(tmp_path):
    at = found(tmp_path, DOCKER_HOST="tcp://lab:2376", DOCKER_TLS_VERIFY="1", DOCKER_CERT_PATH="/certs")
    assert at == Endpoint("tcp://lab:2376", ("/certs/ca.pem", "/certs/cert.pem", "/certs/key.pem"))
    at = found(tmp_path, DOCKER_HOST="tcp://lab:2376", DOCKER_TLS_VERIFY="1")
    assert at.pem is not None
    assert at.pem[0] == f"{tmp_path}/.docker/ca.pem"


@pytest.mark.parametrize("url", ["lab:2375", "ftp://lab", "unix://", "", "tcp://"])
def test_what_is_no_url_of_an_engine_is_refused(tmp_path, url):
    if url:
        with pytest.raises(EngineLost, match="is not the URL of an engine"):
            found(tmp_path, DOCKER_HOST=url)
    else:
        assert not found(tmp_path, DOCKER_HOST=url).named


def test_ssh_is_refused_with_the_line_that_forwards_the_socket(tmp_path):
    with pytest.raises(
        EngineLost, match=r"ssh -nNT -L /tmp/docker.sock:/var/run/docker.sock me@lab, and use unix:///tmp/docker.sock"
    ):
        found(tmp_path, "ssh://me@lab")


@pytest.mark.parametrize(
    ("url", "machine", "here"),
    [
        ("unix:///var/run/docker.sock", "127.0.0.1", True),
        ("tcp://127.0.0.1:2375", "127.0.0.1", True),
        ("tcp://localhost:2375", "127.0.0.1", True),
        ("tcp://[::1]:2375", "127.0.0.1", True),
        ("tcp://lab:2375", "lab", False),
        ("tcp://192.168.1.9:2375", "192.168.1.9", False),
    ],
)
def test_whose_machine_it_is(url, machine, here):
    assert (Endpoint(url).machine, Endpoint(url).is_here) == (machine, here)
