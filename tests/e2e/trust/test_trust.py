"""`devdns trust` and `untrust` on a machine of Debian's: what they show, change and bring back, byte for byte."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace

import pytest
from support.certificates import bring
from support.trust_room import write_ca
from support.visit import PROFILE

from devdns.system import nss
from devdns.system.certificate import read

ANCHORS = "/usr/local/share/ca-certificates"
USER = 1234
NOBODY_TO_ASK = "this changes your machine, and there is no terminal to ask on - devdns {} --yes"
EVERYTHING = ["debian", "firefox", "chromium"]


@pytest.fixture
def ca(bare):
    return read(bare.state / "ca.pem")


def _files(folder):
    return {str(path.relative_to(folder)): path.lstat().st_uid for path in folder.rglob("*")}


def test_untrust_leaves_every_file_of_the_store_as_it_was(bare, ca):
    before, home = bare.stores(), _files(bare.home)
    told = json.loads(bare.devdns("trust", "--yes", "--json").out)
    assert [(each["kind"], each["state"]) for each in told["stores"]] == [(kind, "trusted") for kind in EVERYTHING]
    changed = bare.stores()
    assert changed[f"{ANCHORS}/{ca.name}.crt".lstrip("/")].startswith("100644 ")
    assert changed["etc/ssl/certs/ca-certificates.crt"] != before["etc/ssl/certs/ca-certificates.crt"]
    assert [nss.trusts(bare.home / store, ca.der) for store in (PROFILE, ".pki/nssdb")] == [True, True]
    assert bare.devdns("untrust").error == NOBODY_TO_ASK.format("untrust")
    assert bare.stores() == changed
    told = json.loads(bare.devdns("untrust", "--yes", "--json").out)
    assert {(each["kind"], each["state"]) for each in told["stores"]} == {(kind, "removed") for kind in EVERYTHING}
    assert bare.stores() == before
    assert _files(bare.home) == home
    assert nss.entries(bare.home / PROFILE) == ()
    assert {path.name for path in bare.state.iterdir()} == {"ca.pem", "ca.key", "supervisor.lock"}
    assert bare.devdns("untrust", "--yes").out == "nothing on this machine trusts the CA because of devdns\n"


def test_a_dry_run_shows_the_commands_and_changes_nothing(bare, ca):
    before, home = bare.stores(), _files(bare.home)
    said = bare.devdns("trust", "--dry-run")
    assert said.code == 0
    assert f"  cp ca.pem {ANCHORS}/{ca.name}.crt\n  update-ca-certificates\n" in said.out
    assert f"  certutil -A -d sql:{bare.home / PROFILE} -n {ca.name} -t C,, -i ca.pem\n" in said.out
    told = json.loads(bare.devdns("trust", "--dry-run", "--json").out)
    assert [(each["kind"], each["state"]) for each in told["stores"]] == [(kind, "not trusted") for kind in EVERYTHING]
    assert (told["version"], told["dry_run"], told["ca"]["sha256"]) == (1, True, ca.fingerprint)
    assert (bare.stores(), _files(bare.home)) == (before, home)


def test_without_a_terminal_nothing_is_done_unasked(bare):
    before = bare.stores()
    done = bare.devdns("trust")
    assert (done.code, done.error) == (2, NOBODY_TO_ASK.format("trust"))
    assert bare.stores() == before


def test_before_there_is_a_ca_it_says_how_it_comes_to_be(bare):
    (bare.state / "ca.pem").unlink()
    done = bare.devdns("trust", "--yes")
    assert done.code == 1
    assert done.error.endswith("devdns makes it when it first serves https: devdns up")
    assert bare.devdns("untrust", "--yes").code == 0


def test_a_ca_that_could_sign_for_every_name_is_refused(bare, tmp_path):
    """Whoever can write the state folder must not get the whole machine to trust anybody."""
    before = bare.stores()
    bring(tmp_path, "dns:evil.example")
    (bare.state / "ca.pem").write_bytes((tmp_path / "own.pem").read_bytes())
    done = bare.devdns("trust", "--yes")
    assert done.code == 1
    assert "is no CA that devdns made: nothing limits what it may sign for" in done.error
    assert bare.stores() == before


def test_under_sudo_the_browsers_are_the_callers_and_stay_theirs(bare, ca):
    for path in (bare.state, bare.home, *bare.state.rglob("*"), *bare.home.rglob("*")):
        os.chown(path, USER, USER)
    home = _files(bare.home)
    people = bare.folder / "copies/etc/passwd"
    people.write_text(f"{people.read_text()}dev:x:{USER}:{USER}::{bare.home}:/bin/sh\n")
    sudo = {"SUDO_UID": str(USER), "SUDO_GID": str(USER), "HOME": "/root"}
    assert bare.devdns("trust", "--yes", **sudo).code == 0
    assert nss.trusts(bare.home / ".pki/nssdb", ca.der)
    assert {*_files(bare.home).values(), *_files(bare.state).values()} == {USER}
    assert bare.devdns("untrust", "--yes", **sudo).code == 0
    assert _files(bare.home) == home


def test_without_root_the_browsers_are_done_and_the_line_for_the_rest_is_printed(bare, ca):
    person = replace(bare, prefix=[*bare.prefix, "unshare", "--user", "--map-user=1000"])
    before = bare.stores()
    assert "system store (Debian): needs root - sudo " in person.devdns("trust", "--dry-run").out
    done = person.devdns("trust", "--yes")
    assert done.code == 1
    assert bare.stores() == before
    assert nss.trusts(bare.home / PROFILE, ca.der)
    (line,) = [line for line in done.out.splitlines() if line.startswith("not trusted")]
    assert re.search(r"system store \(Debian\) +needs root - sudo .*devdns.* trust --yes --state-dir ", line)
    assert bare.devdns("trust", "--yes").code == 0
    done = person.devdns("untrust", "--yes")
    assert done.code == 1
    words = [line.split()[0] for line in done.out.splitlines() if not line.startswith(" ")]
    assert (words.count("removed"), words.count("stays")) == (2, 1)
    assert (bare.state / "trust-system.json").exists()
    assert bare.devdns("untrust", "--yes").code == 0
    assert bare.stores() == before


def test_a_file_that_somebody_changed_stays_and_is_told(bare, ca):
    bare.devdns("trust", "--yes")
    file = bare.folder / f"copies{ANCHORS}" / f"{ca.name}.crt"
    file.write_bytes(file.read_bytes() + b"# mine now\n" + write_ca(bare.home / "other").pem())
    kept = file.read_bytes()
    done = bare.devdns("untrust", "--yes")
    assert done.code == 1
    (line,) = [line for line in done.out.splitlines() if line.startswith("stays")]
    assert "Debian" in line
    assert "somebody put another certificate in its place" in line
    assert file.read_bytes() == kept
    file.unlink()
    bare.run("update-ca-certificates", "--fresh")


def test_another_ca_takes_the_place_of_the_first_everywhere(bare, ca):
    before = bare.stores()
    bare.devdns("trust", "--yes")
    second = write_ca(bare.home / "new").pem()
    (bare.state / "ca.pem").write_bytes(second)
    done = bare.devdns("trust", "--yes")
    assert done.code == 0
    assert "an older CA of devdns" in done.out
    assert f"{ANCHORS}/{ca.name}.crt".lstrip("/") not in bare.stores()
    assert [len(nss.entries(bare.home / PROFILE)), nss.trusts(bare.home / PROFILE, ca.der)] == [1, False]
    bare.devdns("untrust", "--yes")
    assert bare.stores() == before


def test_fedoras_store_has_its_own_folder_and_program(bare, ca):
    """Its program stands here as one line: none is in Debian. What is shown is where the file goes, and when the bundle is made."""
    script = """
        set -e
        mkdir /usr/local/share/debian
        mv /etc/debian_version /usr/local/share/ca-certificates /usr/local/share/debian
        touch /etc/fedora-release
        mkdir -p /etc/pki/ca-trust/source/anchors /etc/pki/ca-trust/extracted/pem
        cd /etc/pki/ca-trust
        printf '#!/bin/sh\ncat /dev/null /etc/pki/ca-trust/source/anchors/* >%s\n' $PWD/extracted/pem/tls-ca-bundle.pem >update
        chmod 755 update
        touch update-ca-trust source/anchors/theirs.pem
        mv update update-ca-trust
    """
    done = bare.run("sh", "-c", script)
    assert done.returncode == 0, done.stderr
    folder = bare.folder / "copies/etc/pki/ca-trust"
    path = f"/etc/pki/ca-trust:{os.environ['PATH']}"
    told = json.loads(bare.devdns("trust", "--yes", "--json", PATH=path).out)
    assert told["stores"][0]["state"] == "trusted"
    assert told["stores"][0]["kind"] == "fedora"
    assert read(folder / f"source/anchors/{ca.name}.pem") == ca
    assert read(folder / "extracted/pem/tls-ca-bundle.pem") == ca
    assert bare.devdns("untrust", "--yes", PATH=path).code == 0
    assert [file.name for file in (folder / "source/anchors").iterdir()] == ["theirs.pem"]
    assert (folder / "extracted/pem/tls-ca-bundle.pem").read_bytes() == b""
    back = "cd /usr/local/share && mv debian/ca-certificates . && mv debian/debian_version /etc && rm -r /etc/fedora-release /etc/pki"
    assert bare.run("sh", "-c", back).returncode == 0
