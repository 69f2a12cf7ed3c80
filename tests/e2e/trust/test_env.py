"""`devdns env` for a running devdns, read by real shells; and what programs make of it."""

from __future__ import annotations

import json
import ssl
import subprocess

import pytest
from support.cli import run
from support.parts import need
from support.stack import Stack, open_folder

ROUTES = "routes: {api: 9, api/v2: 9, 3d: 9, pip-index: 9, '*.wild': 9}\ntcp: {db: {target: 127.0.0.1:9, port: 15432}}"
SHOW = "import json, os; print(json.dumps(dict(os.environ)))"
EVAL = {
    "sh": 'eval "$("$@" env)"; exec python3 -c "$SHOW"',
    "bash": 'eval "$("$@" env)"; exec python3 -c "$SHOW"',
    "fish": '$argv env --shell fish | source; exec python3 -c "$SHOW"',
}


@pytest.fixture(scope="module")
def stack():
    """In a folder whose name is what a shell would like to read something into."""
    with open_folder() as folder:
        hostile = folder / 'it\'s $(touch pwned) "`touch pwned`" \\ x'
        hostile.mkdir()
        listen = ("--dns", "127.0.0.1:0", "--http", "127.0.0.1:0", "--https", "127.0.0.1:0")
        with Stack(hostile, ROUTES, *listen) as running:
            yield running


@pytest.fixture(scope="module")
def told(stack):
    return json.loads(stack.run("env", "--json", check=0, no_proxy="localhost").stdout)


def test_every_live_name_has_its_url_and_the_ca_its_variables(stack, told):
    _, port = stack.facts["listeners"]["https"][0]
    urls = {name: value for name, value in told["variables"].items() if name.endswith("_URL")}
    assert urls == {
        "API_URL": f"https://api.dev.test:{port}",
        "API_V2_URL": f"https://api.dev.test:{port}/v2",
        "_3D_URL": f"https://3d.dev.test:{port}",
    }
    assert (told["version"], list(told["left_out"])) == (1, ["pip-index.dev.test"])
    assert told["variables"]["no_proxy"] == told["variables"]["NO_PROXY"] == "localhost,dev.test,.dev.test"
    assert told["variables"]["NODE_EXTRA_CA_CERTS"] == str(stack.state / "ca.pem")


def test_the_bundle_holds_the_systems_cas_and_ours(stack, told):
    bundle = ssl.create_default_context(cafile=told["variables"]["SSL_CERT_FILE"]).get_ca_certs(binary_form=True)
    ours = ssl.PEM_cert_to_DER_cert((stack.state / "ca.pem").read_text())
    assert ours in bundle
    assert {
        *ssl.create_default_context(cafile="/etc/ssl/certs/ca-certificates.crt").get_ca_certs(binary_form=True)
    } <= {*bundle}


@pytest.mark.parametrize("shell", EVAL)
def test_a_shell_reads_it_and_nothing_more(stack, told, shell):
    need(*({shell} & {"fish"}))
    done = subprocess.run(
        [shell, "-c", EVAL[shell], *([] if shell == "fish" else ["name"]), *stack.command],
        env={**stack.environ, "SHOW": SHOW, "no_proxy": "localhost"},
        capture_output=True,
        text=True,
        timeout=60,
        cwd=stack.folder,
        check=True,
    )
    found = json.loads(done.stdout)
    assert {name: found.get(name) for name in told["variables"]} == told["variables"]
    assert "pip-index.dev.test has no variable: PIP_INDEX_URL is a variable that programs may obey" in done.stderr
    assert list(stack.folder.glob("pwned")) == []


def test_curl_takes_the_certificate_by_these_variables_alone(stack, told):
    need("curl")
    _, port = stack.facts["listeners"]["https"][0]
    command = ["curl", "--silent", "--output", "-", "--resolve", f"none.dev.test:{port}:127.0.0.1"]
    with_it = subprocess.run(
        [*command, f"https://none.dev.test:{port}/"],
        env=told["variables"],
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert (with_it.returncode, b"No route for none.dev.test" in with_it.stdout) == (0, True)
    without = subprocess.run([*command, f"https://none.dev.test:{port}/"], capture_output=True, timeout=30, check=False)
    assert without.returncode == 60  # CURLE_PEER_FAILED_VERIFICATION


def test_without_a_devdns_it_says_so(tmp_path):
    done = run("env", "--state-dir", tmp_path)
    assert (done.code, done.out) == (3, "")
    assert "start it with devdns up" in done.error
