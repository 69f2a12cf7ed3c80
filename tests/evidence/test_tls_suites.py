"""TLS as others test it: sslyze, sslscan and testssl.sh against the whole stack, with the CA that it made itself."""

from __future__ import annotations

import json
import re
import subprocess

import pytest
from support.parts import need
from support.services import Service
from support.source import ROOT
from support.stack import Stack, open_folder

pytestmark = pytest.mark.evidence
SSLYZE = ROOT / ".cache" / "sslyze" / "bin" / "sslyze"
NAME = "app.dev.test"
#: A private CA revokes nothing; what fields stand in a response is the matter of the service.
NOT_OURS = {"cert_revocation", "security_headers"}
WELL = {"OK", "INFO", "LOW"}


@pytest.fixture(scope="module")
def stack():
    listen = ("--dns", "127.0.0.1:0", "--http", "127.0.0.1:0", "--https", "127.0.0.1:0")
    with open_folder() as folder, Service() as app, Stack(folder, f"routes: {{app: {app.port}}}", *listen) as running:
        yield running


@pytest.fixture(scope="module")
def port(stack):
    return stack.facts["listeners"]["https"][0][1]


def told(*command, bound=120):
    done = subprocess.run(command, capture_output=True, text=True, timeout=bound, check=False)
    return done.stdout + done.stderr


def test_sslyze_finds_mozillas_intermediate_configuration(stack, port):
    if not SSLYZE.exists():
        pytest.skip("sslyze is missing: sh .ci/sslyze")
    ca = f"--certinfo_ca_file={stack.state / 'ca.pem'}"
    said = told(str(SSLYZE), "--mozilla_config=intermediate", ca, f"{NAME}:{port}{{127.0.0.1}}")
    print(said.partition("COMPLIANCE")[2])
    assert re.search(rf"{NAME}:{port}: OK - Compliant", said), said


def test_sslscan_finds_nothing_old(port):
    need("sslscan")
    said = told("sslscan", "--no-colour", f"--sni-name={NAME}", f"127.0.0.1:{port}")
    print(said)
    assert dict(re.findall(r"^((?:SSL|TLS)v[0-9.]+) +(enabled|disabled)$", said, re.MULTILINE)) == {
        **dict.fromkeys(("SSLv2", "SSLv3", "TLSv1.0", "TLSv1.1"), "disabled"),
        **dict.fromkeys(("TLSv1.2", "TLSv1.3"), "enabled"),
    }
    suites = re.findall(r"^(?:Preferred|Accepted) +TLSv1\.[23] +[0-9]+ bits +(\S+)", said, re.MULTILINE)
    assert len(suites) == 6
    assert [suite for suite in suites if not re.search("GCM|CHACHA20", suite)] == []
    assert "Session renegotiation not supported" in said
    assert re.findall(r".* vulnerable to heartbleed", said) == [
        f"TLSv1.{minor} not vulnerable to heartbleed" for minor in "32"
    ]


@pytest.mark.timeout(900)
def test_testssl_finds_nothing_above_low_but_what_is_not_ours(stack, port, tmp_path):
    """With colours off it is the same script; it runs openssl some thousand times."""
    need("testssl", "hexdump", "openssl")
    out = tmp_path / "found.json"
    how = ("--warnings", "off", "--quiet", "--color", "0", "--connect-timeout", "10")
    where = ("--nodns", "none", "--ip", "127.0.0.1", "--add-ca", str(stack.state / "ca.pem"))
    told("testssl", *how, *where, "--jsonfile", str(out), f"{NAME}:{port}", bound=880)
    found = {each["id"]: (each["severity"], each["finding"]) for each in json.loads(out.read_text())}
    print(*(f"{each}: {why}" for each, why in found.items() if why[0] not in ("OK", "INFO")), sep="\n")
    assert len(found) > 100
    assert found["cert_chain_of_trust"] == ("OK", "passed.")
    assert {each: why for each, why in found.items() if why[0] not in WELL}.keys() <= NOT_OURS
