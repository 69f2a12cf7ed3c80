"""Variables for a shell: their names, which routes get one, and text in which no shell finds anything but text."""

from __future__ import annotations

import json
import subprocess

import pytest
from support.parts import need

from devdns.exports.shell import LINES, Place, no_proxy, text, urls, variable

HOSTILE = [
    "plain",
    "",
    "it's",
    "$(touch pwned)",
    "`touch pwned`",
    '"; touch pwned; "',
    "back\\slash\\",
    "\\'",
    "'",
    "a\nb",
    "~ * ? [x] {a,b} !history $HOME %PATH% & | ; < > #",
    "\u2018curly\u2019",
    "é\u202e",
]
SHOW = 'import json, os; print(json.dumps({k: v for k, v in os.environ.items() if k.startswith("X_")}))'
#: What each shell is told to do with the text on its standard input.
EVAL = {
    "sh": ('eval "$(cat)"; exec python3 -c "$1"', "sh"),
    "dash": ('eval "$(cat)"; exec python3 -c "$1"', "sh"),
    "bash": ('eval "$(cat)"; exec python3 -c "$1"', "sh"),
    "fish": ('cat | source; exec python3 -c "$argv[2]"', "fish"),
}


@pytest.mark.parametrize("shell", EVAL)
def test_no_shell_reads_anything_into_a_value(shell, tmp_path):
    need(*({shell} - {"sh", "dash", "bash"}))
    script, syntax = EVAL[shell]
    variables = {f"X_{number}": value for number, value in enumerate(HOSTILE)}
    done = subprocess.run(
        [shell, "-c", script, "name", SHOW],
        input=text(variables, syntax),
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(tmp_path), "LANG": "C.UTF-8", "PYTHONUTF8": "1"},
        timeout=30,
        check=False,
    )
    assert json.loads(done.stdout) == variables, done.stderr
    assert not (tmp_path / "pwned").exists()


def test_fish_can_eval_the_lines_as_one():
    need("fish")
    lines = text({"X_A": "one two", "X_B": "it's"}, "fish")
    done = subprocess.run(
        ["fish", "-c", 'eval (cat); echo "$X_A|$X_B"'],
        input=lines,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert done.stdout == "one two|it's\n"


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ("C:\\a b", "$env:X = 'C:\\a b'"),
        ("it's $(x) `n \"", "$env:X = 'it''s $(x) `n \"'"),
        ("\u2018\u2019\u201a\u201b", "$env:X = '\u2018\u2018\u2019\u2019\u201a\u201a\u201b\u201b'"),
    ],
)
def test_powershell_ends_a_string_at_curly_quotes_too(value, line):
    assert LINES["powershell"]("X", value) == line


def _place(host, prefix=""):
    return Place(host, prefix, f"https://{host}{prefix}")


@pytest.mark.parametrize(
    ("host", "prefix", "name"),
    [
        ("api.dev.test", "", "API_URL"),
        ("api.shop.dev.test", "", "API_SHOP_URL"),
        ("api.dev.test", "/v2", "API_V2_URL"),
        ("3d.dev.test", "", "_3D_URL"),
        ("my-app.dev.test", "", "MY_APP_URL"),
        ("xn--bcher-kva.dev.test", "", "XN_BCHER_KVA_URL"),
        ("api.other.test", "", "API_OTHER_TEST_URL"),
        ("api.dev.test", "/a%20b/~$(x)", "API_A_20B_X_URL"),
    ],
)
def test_a_route_has_a_variable_that_every_shell_allows(host, prefix, name):
    assert variable(_place(host, prefix), "dev.test") == name


def test_urls_are_those_of_the_routes():
    found = urls([_place("web.dev.test"), _place("api.dev.test", "/v2"), _place("*.api.dev.test")], "dev.test")
    assert found.variables == {"API_V2_URL": "https://api.dev.test/v2", "WEB_URL": "https://web.dev.test"}
    assert list(found.variables) == sorted(found.variables)
    assert found.left_out == {}


def test_two_routes_of_one_variable_have_none():
    found = urls([_place("a-b.dev.test"), _place("a.b.dev.test"), _place("c.dev.test")], "dev.test")
    assert list(found.variables) == ["C_URL"]
    assert set(found.left_out) == {"a-b.dev.test", "a.b.dev.test"}


@pytest.mark.parametrize("host", ["pip-index", "index.pip", "aws-endpoint", "npm.registry", "git"])
def test_no_label_sets_a_variable_that_programs_obey(host):
    found = urls([_place(f"{host}.dev.test")], "dev.test")
    allowed = {"git": ["GIT_URL"], "index.pip": ["INDEX_PIP_URL"]}.get(host, [])
    assert list(found.variables) == allowed
    assert bool(found.left_out) is not bool(allowed)


@pytest.mark.parametrize(
    ("known", "wanted"),
    [
        ("", "dev.test,.dev.test"),
        ("localhost, .corp", "localhost,.corp,dev.test,.dev.test"),
        ("dev.test,.dev.test", "dev.test,.dev.test"),
        ("*", "*"),
    ],
)
def test_no_proxy_keeps_what_it_held_and_grows_once(known, wanted):
    assert no_proxy(known, ["dev.test"]) == wanted
    assert no_proxy(wanted, ["dev.test"]) == wanted
