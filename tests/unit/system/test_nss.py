"""NSS stores as certutil makes them: read without it, changed by it, their other certificates untouched."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import time

import pytest

from devdns.system import nss
from devdns.system.trust import trusted
from devdns.system.trust_stores import FIREFOX, Store


def _certutil(folder, *arguments, given=b""):
    command = ["certutil", arguments[0], "-d", f"sql:{folder}", *arguments[1:]]
    return subprocess.run(command, input=given, capture_output=True, check=True, timeout=30).stdout.decode()


def test_an_empty_store_is_empty(store, ca):
    assert nss.entries(store) == ()
    assert nss.is_empty(store)
    assert not nss.trusts(store, ca.der)


def test_the_command_trusts_for_servers_and_for_nothing_else(store, ca):
    subprocess.run(nss.add(str(store), ca.name), input=ca.pem, check=True, timeout=30)
    assert nss.entries(store) == (nss.Entry(ca.name, ca.der),)
    assert nss.trusts(store, ca.der)
    assert not nss.is_empty(store)
    assert [line.split() for line in _certutil(store, "-L").splitlines() if ca.name in line] == [[ca.name, "C,,"]]


@pytest.mark.parametrize("flags", [",,", "T,,", "p,,", "c,,", ",C,C"])
def test_a_certificate_with_other_trust_is_there_and_not_trusted(store, ca, flags):
    _certutil(store, "-A", "-n", "somebody's", "-t", flags, given=ca.pem)
    assert [entry.nickname for entry in nss.entries(store)] == ["somebody's"]
    assert trusted(Store(FIREFOX, str(store)), ca).answer == "not trusted"


def test_a_removal_takes_the_one_that_is_named(store, ca, other_ca):
    for each in (ca, other_ca):
        subprocess.run(nss.add(str(store), each.name), input=each.pem, check=True, timeout=30)
    subprocess.run(nss.delete(str(store), ca.name), check=True, timeout=30)
    assert nss.entries(store) == (nss.Entry(other_ca.name, other_ca.der),)


def test_a_store_that_is_none_is_unknown_and_not_an_error(tmp_path, ca):
    (tmp_path / nss.CERTS).write_text("not a database, and long enough to be none: " * 100)
    answer = trusted(Store(FIREFOX, str(tmp_path)), ca)
    assert answer.answer == "unknown"
    assert "not a database" in answer.reason


def test_a_fifo_in_the_place_of_a_store_holds_nobody_up(tmp_path, ca):
    os.mkfifo(tmp_path / nss.CERTS)
    assert trusted(Store(FIREFOX, str(tmp_path)), ca).answer == "unknown"


def test_a_store_that_is_not_there_trusts_nothing_and_is_not_made(tmp_path, ca):
    assert trusted(Store(FIREFOX, str(tmp_path / "none")), ca).answer == "not trusted"
    assert list(tmp_path.iterdir()) == []


def test_a_browser_that_writes_holds_us_up_for_a_bounded_time(store, ca):
    with sqlite3.connect(store / nss.CERTS, isolation_level=None) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        begun = time.monotonic()
        answer = trusted(Store(FIREFOX, str(store)), ca)
        taken = time.monotonic() - begun
        writer.execute("ROLLBACK")
    writer.close()
    assert (answer.answer, "locked" in answer.reason) == ("unknown", True)
    assert taken < 10 * nss.SECONDS
