"""A certificate that the user brings: read with what belongs to it, or refused in one line that says why."""

import os
import time

import pytest
from support.certificates import bring, certificate, misissued, new_key, pem, private

from devdns.control.signing.brought import Brought
from devdns.control.signing.folder import load
from devdns.core.errors import UsageRefused
from devdns.core.names import Zones

ZONES = Zones(("dev.test", "shop.test"))


def own(paths):
    return Brought(*paths, ZONES)


def leaf(paths):
    return own(paths).leaf(time.time())


def test_it_is_for_the_hosts_it_names(tmp_path):
    names = ("dns:Dev.Test", "dns:*.dev.test", "dns:localhost", "ip:127.0.0.1", "email:you@dev.test", "dns:dev.test")
    found = leaf(bring(tmp_path, *names))
    assert found.names == ("dev.test", "*.dev.test", "localhost")
    assert found.until == pytest.approx(time.time() + 30 * 86_400, abs=60)
    assert found.chain.startswith("-----BEGIN CERTIFICATE-----")
    assert "PRIVATE KEY" in found.key


@pytest.mark.parametrize("old", [False, True])
def test_keys_of_both_kinds_are_taken(tmp_path, old):
    assert leaf(bring(tmp_path, "dns:api.dev.test", key=new_key(old=old))).names == ("api.dev.test",)


def test_the_chain_begins_with_the_certificate_of_the_key(tmp_path):
    tmp_path.chmod(0o700)
    authority = load(ZONES.names, time.time(), tmp_path)
    text, key = misissued(tmp_path, "dns:api.dev.test")
    (tmp_path / "own.pem").write_text(authority.pem().decode() + text)
    (tmp_path / "own.key").write_text(key)
    found = leaf((str(tmp_path / "own.pem"), str(tmp_path / "own.key")))
    assert found.chain == text + authority.pem().decode()
    assert found.names == ("api.dev.test",)


def test_both_may_be_in_one_file(tmp_path):
    key = new_key()
    both = tmp_path / "both.pem"
    both.write_text(private(key) + pem(certificate(key, ("dns:dev.test",))))
    assert leaf((str(both), str(both))).names == ("dev.test",)


def written(name, text):
    def spoil(folder):
        (folder / name).write_text(text)

    return spoil


def locked(folder):
    bring(folder, "dns:dev.test", password="secret")


def others_key(folder):
    (folder / "own.key").write_text(private(new_key()))


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (written("own.pem", ""), r"tls.cert '.*own.pem' holds no certificate in PEM form"),
        (written("own.key", "nonsense"), r"tls.key '.*own.key' holds no key in PEM form"),
        (others_key, r"tls.key '.*own.key' is not the key of tls.cert '.*own.pem'"),
        (locked, r"tls.key '.*own.key' is locked by a password - openssl pkey"),
        (lambda folder: (folder / "own.pem").unlink(), r"tls.cert '.*own.pem' cannot be read: no such file"),
        (lambda folder: (folder / "own.key").unlink(), r"tls.key '.*own.key' cannot be read: no such file"),
        (lambda folder: bring(folder, "dns:dev.test", days=-1), r"own.pem' ended on 20.* - renew it"),
        (lambda folder: bring(folder, common_name="dev.test"), r"own.pem' names no host: clients read subjectAltName"),
        (
            lambda folder: bring(folder, "dns:example.com"),
            r"is for example.com, and for no name in dev.test, shop.test",
        ),
        (lambda folder: bring(folder, "ip:127.0.0.1"), r"is for no host, and for no name in dev.test, shop.test"),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_line(tmp_path, spoil, why):
    paths = bring(tmp_path, "dns:dev.test")
    spoil(tmp_path)
    with pytest.raises(UsageRefused, match=why) as refused:
        leaf(paths)
    assert "\n" not in str(refused.value)


def test_a_pipe_in_its_place_holds_nothing_up(tmp_path):
    paths = bring(tmp_path, "dns:dev.test")
    (tmp_path / "own.key").unlink()
    os.mkfifo(tmp_path / "own.key")
    with pytest.raises(UsageRefused, match=r"own.key' cannot be read: not a plain file"):
        leaf(paths)


def test_another_file_is_noticed(tmp_path):
    found = own(bring(tmp_path, "dns:dev.test"))
    first = found.signature()
    assert found.signature() == first
    (tmp_path / "own.key").rename(tmp_path / "old.key")
    gone = found.signature()
    bring(tmp_path, "dns:dev.test")
    assert len({first, gone, found.signature()}) == 3
