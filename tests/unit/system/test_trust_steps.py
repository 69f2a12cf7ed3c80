"""What is done to each kind of store, command by command, and what stands in its way: golden, with no program run."""

from __future__ import annotations

import pytest

from devdns.system import keychain, windows
from devdns.system.certificate import Certificate, spoken
from devdns.system.trust import Trust
from devdns.system.trust_steps import Means, anchor, lines, taking, wishes
from devdns.system.trust_stores import CHROMIUM, DEBIAN, FEDORA, FIREFOX, KEYCHAIN, MACOS, WINDOWS, Store

CA = Certificate(b"any bytes will do")
NAME, PRINT = CA.name, CA.thumbprint
EVERYTHING = frozenset({"certutil", "update-ca-certificates", "update-ca-trust", "security", "certutil.exe"})

#: Store -> the commands that trust, and those that take it back.
GOLDEN = {
    Store(DEBIAN, "/usr/local/share/ca-certificates"): (
        [f"cp ca.pem /usr/local/share/ca-certificates/{NAME}.crt", "update-ca-certificates"],
        [f"rm /usr/local/share/ca-certificates/{NAME}.crt", "update-ca-certificates"],
    ),
    Store(FEDORA, "/etc/pki/ca-trust/source/anchors"): (
        [f"cp ca.pem /etc/pki/ca-trust/source/anchors/{NAME}.pem", "update-ca-trust"],
        [f"rm /etc/pki/ca-trust/source/anchors/{NAME}.pem", "update-ca-trust"],
    ),
    Store(MACOS, KEYCHAIN): (
        ["security add-trusted-cert -d -r trustRoot -p ssl -k /Library/Keychains/System.keychain ca.pem"],
        [
            "security remove-trusted-cert -d ca.pem",
            f"security delete-certificate -Z {PRINT} /Library/Keychains/System.keychain",
        ],
    ),
    Store(WINDOWS, "Root"): (
        ["certutil.exe -user -addstore Root ca.pem"],
        [f"certutil.exe -user -delstore Root {PRINT}"],
    ),
    Store(FIREFOX, "/home/me/.mozilla/firefox/a b"): (
        [f"certutil -A -d 'sql:/home/me/.mozilla/firefox/a b' -n {NAME} -t C,, -i ca.pem"],
        [f"certutil -D -d 'sql:/home/me/.mozilla/firefox/a b' -n {NAME}"],
    ),
    Store(CHROMIUM, "/home/me/.pki/nssdb", present=False): (
        [
            "mkdir -p -m 700 /home/me/.pki /home/me/.pki/nssdb",
            "certutil -N -d sql:/home/me/.pki/nssdb --empty-password",
            f"certutil -A -d sql:/home/me/.pki/nssdb -n {NAME} -t C,, -i ca.pem",
        ],
        [f"certutil -D -d sql:/home/me/.pki/nssdb -n {NAME}"],
    ),
}


@pytest.mark.parametrize("store", GOLDEN, ids=lambda store: store.kind)
def test_the_plan_is_this(store):
    trust, untrust = GOLDEN[store]
    step = anchor(store, CA)
    assert list(lines(step, present=store.present)) == trust
    assert list(taking(step)) == untrust


@pytest.mark.parametrize(
    ("store", "missing", "installers", "root", "said"),
    [
        (Store(FIREFOX, "/p"), "certutil", ("apt-get",), False, ("certutil is missing", "sudo apt-get install libnss3-tools")),
        (Store(CHROMIUM, "/p"), "certutil", ("dnf",), False, ("certutil is missing", "sudo dnf install nss-tools")),
        (Store(FIREFOX, "/p"), "certutil", ("brew",), False, ("certutil is missing", "brew install nss")),
        (Store(FIREFOX, "/p"), "certutil", (), False, ("certutil is missing", "install certutil (package libnss3-tools or nss-tools or nss)")),
        (Store(DEBIAN, "/p"), "update-ca-certificates", ("apt-get",), True, ("update-ca-certificates is missing", "sudo apt-get install ca-certificates")),
        (Store(DEBIAN, "/p"), "", (), False, ("needs root", "sudo devdns trust")),
        (Store(MACOS, "/p"), "", (), False, ("needs root", "sudo devdns trust")),
        (Store(DEBIAN, "/p"), "", (), True, ("", "")),
        (Store(FIREFOX, "/p"), "", (), False, ("", "")),
        (Store(WINDOWS, "Root"), "", (), False, ("", "")),
    ],
)  # fmt: skip
def test_what_stands_in_the_way_is_said_with_its_mend(store, missing, installers, root, said):
    means = Means(EVERYTHING - {missing}, installers, root, "sudo devdns trust")
    (wish,) = wishes([Trust(store, "not trusted")], CA, means)
    assert (wish.hindrance, wish.mend) == said
    assert wish.open is not any(said)
    (done,) = wishes([Trust(store, "trusted")], CA, means)
    assert (done.hindrance, done.open) == ("", False)


def test_a_listing_of_the_keychain_is_read_by_sha_256():
    said = f"SHA-256 hash: {CA.fingerprint.upper()}\nSHA-1 hash: {PRINT}\nkeychain: ...\n"
    assert keychain.listed(said, CA)
    assert not keychain.listed(f"SHA-256 hash: {'0' * 64}\nSHA-1 hash: {PRINT}\n", CA)


@pytest.mark.parametrize("lead", ["Cert Hash(sha1): ", "Zertifikathash(sha1): "])
def test_a_listing_of_windows_is_read_in_every_language(lead):
    gaps = spoken(PRINT).replace(":", " ").lower()
    assert windows.listed(f"================\r\n{lead}{gaps}\r\n", CA)
    assert windows.listed(f"{lead}{PRINT.lower()}\r\n", CA)
    assert not windows.listed(f"{lead}{PRINT[:-2]}00\r\nCertUtil: -store FAILED: 0x80090011\r\n", CA)
