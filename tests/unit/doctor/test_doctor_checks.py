"""The checks over facts that no test machine has, or that would take long to plant; each is the first of all findings."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from support.parts import need
from support.trust_room import write_ca

from devdns.doctor import browsers, look
from devdns.doctor.asking import engine
from devdns.doctor.checks import findings
from devdns.doctor.facts import Answer, Browser, Daemon, Facts, Files
from devdns.doctor.findings import Finding, shape
from devdns.system import trust_carry
from devdns.system.certificate import read
from devdns.system.nss import create
from devdns.system.trust_hands import TrustHands
from devdns.system.trust_steps import anchor
from devdns.system.trust_stores import FIREFOX, Store

NOW = time.time()
STATUS: dict[str, Any] = {
    "devdns": "1.0",
    "problems": [],
    "targets": [],
    "listeners": {"dns": [["127.0.0.53", 53]], "http": [["127.0.0.1", 80]], "https": [["127.0.0.1", 443]]},
}
WELL = Facts(
    version="1.0",
    zones=("dev.test",),
    name="devdns.dev.test",
    now=NOW,
    built=NOW - 1000,
    daemon=Daemon(running=True, status=STATUS),
    direct=Answer(("127.0.0.1",)),
    system=Answer(("127.0.0.1",)),
    files=Files("nameserver 127.0.0.53\n", "hosts: files dns\n", "127.0.0.1 localhost\n"),
    installed="/etc/resolv.conf",
)


def first(facts: Facts) -> Finding:
    return findings(facts)[0]


def test_all_is_well() -> None:
    found = findings(WELL)
    assert {each.level for each in found} == {"fine"}
    assert shape(found)["well"] is True


def daemon(**more: Any) -> dict[str, Any]:
    return {"daemon": Daemon(running=True, status={**STATUS, **more})}


@pytest.mark.parametrize(
    ("change", "check", "word"),
    [
        ({"system": Answer(("192.0.2.9",))}, "system resolver", "192.0.2.9"),
        ({"system": Answer(failure="Name or service not known")}, "system resolver", "Name or service not known"),
        ({"direct": Answer(failure="no DNS answer")}, "our resolver", "no DNS answer"),
        ({"daemon": Daemon(running=True, silence="no answer within 3 s")}, "daemon", "no answer within 3 s"),
        (daemon(problems=["docker: cannot be reached - start it"]), "sources", "docker: cannot be reached"),
        ({"zones": ("shop.local",)}, "zone", "shop.local"),
        ({"zones": ("shop.dev",)}, "zone", "browsers only open with https"),
        ({"now": NOW - 90_000}, "clock", "was installed on"),
        ({"state_problem": "state folder '/x' belongs to uid 7"}, "state folder", "uid 7"),
        ({"journal_problem": "journal '/x' cannot be read"}, "journal", "cannot be read"),
        (daemon(listeners={"http": [["127.0.0.1", 8080]]}), "usual ports", "http is at 127.0.0.1:8080"),
        ({"browsers": (Browser("Brave", "/p", "first", "https://x/"),)}, "browser DNS", "first: /p"),
    ],
)
def test_a_fact_that_is_wrong_is_named_first(change: dict[str, Any], check: str, word: str) -> None:
    found = first(replace(WELL, **change))
    assert (found.check, word in found.seen) == (check, True), found
    assert found.level != "fine"


def test_a_browser_that_leaves_our_zone_out_is_well() -> None:
    named = Browser("Firefox", "/p", "strict", "", ("example.org", "dev.test"))
    assert first(replace(WELL, browsers=(named,))).level == "fine"


def test_a_fault_comes_before_a_warning_whatever_the_order_of_the_checks() -> None:
    both = replace(WELL, zones=("shop.dev",), name="devdns.shop.dev", system=Answer(failure="no"))
    assert [each.level for each in findings(both)][:2] == ["fault", "warning"]


@pytest.mark.parametrize("no_proxy", ["dev.test", ".dev.test", "localhost, .test", "*"])
def test_a_proxy_that_leaves_our_zone_out_is_well(no_proxy: str) -> None:
    assert first(replace(WELL, proxies={"http_proxy": "http://10.0.0.1", "no_proxy": no_proxy})).level == "fine"


# -- the CA, with real files and a real store


def with_ca(folder: Path, now: float = NOW) -> Facts:
    found = look.authority(folder / "state", ("dev.test",), folder, {"PATH": "/nonexistent"}, root=folder)
    return replace(WELL, authority=found, now=now)


def test_a_ca_that_is_well(tmp_path: Path) -> None:
    write_ca(tmp_path / "state")
    assert first(with_ca(tmp_path, time.time() + 1)).level == "fine"


@pytest.mark.parametrize(
    ("zones", "later", "check", "word"),
    [
        (("other.test",), 0, "CA", "may not sign for dev.test"),
        (("dev.test",), -20 * 86_400, "clock", "its CA is valid from"),
        (("dev.test",), 40 * 365 * 86_400, "CA", "the CA ended on"),
    ],
)
def test_a_ca_that_does_not_fit(tmp_path: Path, zones: tuple[str, ...], later: float, check: str, word: str) -> None:
    write_ca(tmp_path / "state", zones)
    facts = replace(with_ca(tmp_path, time.time() + 1 + later), built=0)
    assert (first(facts).check, word in first(facts).seen) == (check, True), first(facts)


def test_a_key_that_others_can_read_and_a_file_that_is_no_certificate(tmp_path: Path) -> None:
    write_ca(tmp_path / "state")
    (tmp_path / "state/ca.key").chmod(0o644)
    assert first(with_ca(tmp_path, time.time() + 1)).fix == "key"
    (tmp_path / "state/ca.pem").write_text("torn")
    assert "0 certificates" in first(with_ca(tmp_path)).seen


def test_a_store_that_trusts_the_ca_no_more_is_a_fault_and_one_that_never_did_a_warning(tmp_path: Path) -> None:
    need("certutil")
    write_ca(tmp_path / "state")
    profile = tmp_path / ".mozilla/firefox/x.default"
    for command in create(str(profile)):
        subprocess.run(command, check=True)
    assert (first(with_ca(tmp_path, time.time() + 1)).check, first(with_ca(tmp_path, time.time() + 1)).level) == (
        "trust",
        "warning",
    )
    certificate = read(tmp_path / "state/ca.pem")
    step = anchor(Store(FIREFOX, str(profile)), certificate)
    assert not trust_carry.trust(tmp_path / "state", [step], TrustHands(None))[0].failure
    assert first(with_ca(tmp_path, time.time() + 1)).level == "fine"
    subprocess.run(["certutil", "-D", "-d", f"sql:{profile}", "-n", certificate.name], check=True)
    gone = first(with_ca(tmp_path, time.time() + 1))
    assert (gone.check, gone.level) == ("trust", "fault")
    assert "x.default does not trust the CA any more" in gone.seen


# -- browsers, from files as they write them


@pytest.mark.parametrize(
    ("path", "text", "mode"),
    [
        (".mozilla/firefox/a/prefs.js", 'user_pref("network.trr.mode", 2);\n', "first"),
        (".mozilla/firefox/a/prefs.js", 'user_pref("network.trr.mode", 5);\n', "off"),
        (".mozilla/firefox/a/prefs.js", 'user_pref("network.trr.mode", "\\', "off"),
        (".config/google-chrome/Local State", '{"dns_over_https": {"mode": "automatic"}}', "first"),
        (".config/microsoft-edge/Local State", '{"dns_over_https": {"mode": "secure"}}', "strict"),
        (".config/BraveSoftware/Brave-Browser/Local State", "[[[", "off"),
        ("etc/chromium/policies/managed/a.json", '{"DnsOverHttpsMode": "off"}', "off"),
    ],
)
def test_what_a_browser_says(tmp_path: Path, path: str, text: str, mode: str) -> None:
    (tmp_path / path).parent.mkdir(parents=True)
    (tmp_path / path).write_text(text)
    (found,) = browsers.found(tmp_path, tmp_path)
    assert found.mode == mode


def test_user_js_wins_over_prefs_js_and_names_the_domains_left_out(tmp_path: Path) -> None:
    profile = tmp_path / ".mozilla/firefox/a"
    profile.mkdir(parents=True)
    (profile / "prefs.js").write_text('user_pref("network.trr.mode", 2);\n')
    (profile / "user.js").write_text(
        'user_pref("network.trr.mode", 3);\nuser_pref("network.trr.excluded-domains", "lan, .Dev.Test");\n'
    )
    (found,) = browsers.found(tmp_path, tmp_path)
    assert (found.mode, found.excluded) == ("strict", ("lan", "dev.test"))


def test_an_engine_that_may_not_be_spoken_to_or_is_not_there(tmp_path: Path) -> None:
    assert engine("ssh://host", asked=True) is None
    gone = engine(f"unix://{tmp_path}/docker.sock", asked=True)
    assert gone is not None
    assert "no such file" in gone.failure
    assert first(replace(WELL, engine=gone)).check == "docker"


@pytest.mark.parametrize(("domain", "level"), [("test", "warning"), ("dev.test", "fault"), ("local", "fine")])
def test_a_file_of_puma_dev_for_our_zone(tmp_path: Path, domain: str, level: str) -> None:
    folder = tmp_path / "etc/resolver"
    folder.mkdir(parents=True)
    (folder / domain).write_text("# Generated by puma-dev\nnameserver 127.0.0.1\nport 9253\n")
    found = first(replace(WELL, files=replace(WELL.files, resolvers=look.files(tmp_path).resolvers)))
    assert found.level == level
    assert level == "fine" or f"{domain} is of puma-dev" in found.seen
