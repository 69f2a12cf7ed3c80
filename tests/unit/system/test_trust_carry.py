"""Trusting and taking back with real NSS stores: finished or undone after an end at any instant, and never somebody else's."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
from hashlib import sha256
from pathlib import Path

import pytest

from devdns.system import nss
from devdns.system.trust_carry import astray, known, trust, untrust
from devdns.system.trust_hands import TrustHands
from devdns.system.trust_steps import anchor
from devdns.system.trust_stores import CHROMIUM, FIREFOX, Store


class Died(BaseException):
    """As a SIGKILL does, nothing behind it runs."""


class Mortal(TrustHands):
    """Dies before or after the touch of a store, at the instant `fuse`."""

    def __init__(self, fuse):
        super().__init__()
        self.fuse = fuse

    def _burn(self):
        self.fuse -= 1
        if self.fuse == -1:
            raise Died

    def apply(self, step, before):
        self._burn()
        super().apply(step, before)
        self._burn()

    def undo(self, step, before):
        self._burn()
        super().undo(step, before)
        self._burn()


@pytest.fixture
def tmp_path():
    """In memory where there is such a place: every step is synced to the disk several times."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as name:
        yield Path(name)


@pytest.fixture
def state(tmp_path):
    (tmp_path / "state").mkdir()
    return tmp_path / "state"


@pytest.fixture
def stores(tmp_path, store):
    """A profile of Firefox, and a Chromium that has not made its store yet."""
    return [Store(FIREFOX, str(store)), Store(CHROMIUM, str(tmp_path / ".pki" / "nssdb"), present=False)]


def _trusts(stores, ca):
    return [nss.trusts(folder, ca.der) for store in stores if (folder := _folder(store)).exists()]


def _folder(store):
    return Path(store.place)


def test_both_trust_it_and_both_forget_it_again(state, stores, ca, tmp_path):
    steps = [anchor(store, ca) for store in stores]
    assert [outcome.failure for outcome in trust(state, steps, TrustHands())] == ["", ""]
    assert _trusts(stores, ca) == [True, True]
    assert (tmp_path / ".pki").stat().st_mode & 0o777 == 0o700
    assert [outcome.failure for outcome in untrust(state, known(state), TrustHands())] == ["", ""]
    assert _trusts(stores, ca) == [False]
    assert not (tmp_path / ".pki").exists()
    assert list(state.iterdir()) == []


def test_trusting_twice_changes_nothing(state, stores, ca):
    steps = [anchor(store, ca) for store in stores]
    trust(state, steps, TrustHands())
    digests = [sha256((_folder(store) / nss.CERTS).read_bytes()).digest() for store in stores]
    assert [outcome.failure for outcome in trust(state, steps, TrustHands())] == ["", ""]
    assert [sha256((_folder(store) / nss.CERTS).read_bytes()).digest() for store in stores] == digests


@pytest.mark.parametrize("fuse", range(4))
def test_a_run_that_died_is_finished_by_the_next(state, stores, ca, fuse):
    steps = [anchor(store, ca) for store in stores]
    with contextlib.suppress(Died):
        trust(state, steps, Mortal(fuse))
    assert [outcome.failure for outcome in trust(state, steps, TrustHands())] == ["", ""]
    assert _trusts(stores, ca) == [True, True]


@pytest.mark.parametrize(
    ("fuse", "second"), [(0, None), (1, None), (2, None), (3, None), (3, 0), (3, 1), (3, 2), (3, 3)]
)
def test_a_run_that_died_is_taken_back_whole(state, stores, ca, tmp_path, fuse, second):
    """Even where the taking back dies, too."""
    steps = [anchor(store, ca) for store in stores]
    with contextlib.suppress(Died):
        trust(state, steps, Mortal(fuse))
    if second is not None:
        with contextlib.suppress(Died):
            untrust(state, known(state), Mortal(second))
    assert not any(outcome.failure for outcome in untrust(state, known(state), TrustHands()))
    assert _trusts(stores, ca) == [False]
    assert not (tmp_path / ".pki").exists()
    assert known(state) == ()


def test_a_store_that_somebody_else_used_since_stays(state, stores, ca, other_ca, tmp_path):
    trust(state, [anchor(store, ca) for store in stores], TrustHands())
    folder = _folder(stores[1])
    subprocess.run(nss.add(str(folder), "theirs"), input=other_ca.pem, check=True, timeout=30)
    untrust(state, known(state), TrustHands())
    assert nss.entries(folder) == (nss.Entry("theirs", other_ca.der),)


def test_a_certificate_in_the_place_of_ours_stays_and_is_told(state, stores, ca, other_ca):
    steps = [anchor(stores[0], ca)]
    trust(state, steps, TrustHands())
    folder = stores[0].place
    subprocess.run(nss.delete(folder, ca.name), check=True, timeout=30)
    subprocess.run(nss.add(folder, ca.name), input=other_ca.pem, check=True, timeout=30)
    (outcome,) = untrust(state, known(state), TrustHands())
    assert "another certificate" in outcome.failure
    assert nss.entries(_folder(stores[0])) == (nss.Entry(ca.name, other_ca.der),)


def test_the_same_certificate_that_a_person_added_stays(state, stores, ca):
    """By another name: whoever gave it that one wants it."""
    folder = _folder(stores[0])
    subprocess.run(nss.add(str(folder), "mine"), input=ca.pem, check=True, timeout=30)
    assert astray((), stores, ca, TrustHands()) == ()
    assert untrust(state, known(state), TrustHands()) == []
    assert nss.entries(folder) == (nss.Entry("mine", ca.der),)


def test_ours_is_found_without_its_journal(state, stores, ca):
    trust(state, [anchor(stores[0], ca)], TrustHands())
    (state / "trust.json").unlink()
    entries = astray(known(state), stores, ca, TrustHands())
    assert [entry.step.kind for entry in entries] == [FIREFOX]
    untrust(state, entries, TrustHands())
    assert _trusts(stores[:1], ca) == [False]


def test_one_store_that_refuses_does_not_hold_up_the_next(state, stores, ca, tmp_path):
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / nss.CERTS).write_text("no database, and long enough to be none: " * 100)
    broken = anchor(Store(FIREFOX, str(tmp_path / "broken")), ca)
    first, second = trust(state, [broken, anchor(stores[0], ca)], TrustHands())
    assert "not a database" in first.failure
    assert second.failure == ""
    assert _trusts(stores[:1], ca) == [True]


def test_a_profile_that_is_gone_is_forgotten(state, stores, ca):
    trust(state, [anchor(stores[0], ca)], TrustHands())
    folder = _folder(stores[0])
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    assert [outcome.failure for outcome in untrust(state, known(state), TrustHands())] == [""]
    assert known(state) == ()
    assert not folder.exists()
