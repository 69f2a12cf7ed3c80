"""Routes from plain values, as the API and routes.json hand them over."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devdns.core.errors import ConfigRefused
from devdns.core.names import Claim
from devdns.core.routes import Options, Target
from devdns.core.routes_file import OPTIONS, bind, read_line

LOCAL = Target("127.0.0.1", 5173)


@pytest.mark.parametrize(
    ("value", "targets", "options"),
    [
        (5173, (LOCAL,), Options()),
        ("5173", (LOCAL,), Options()),
        (["5173", 80], (LOCAL, Target("127.0.0.1", 80)), Options()),
        ({"target": 5173, "strip": True, "hold": 0.5, "timeout": 60}, (LOCAL,), Options(strip=True, hold=0.5, timeout=60.0)),
        ({"target": 5173, "strip": None, "host": None, "health": None, "hold": None}, (LOCAL,), Options()),
        ({"target": ["unix:/a"], "host": "LOCALHOST:80", "health": "/h?x=1"}, (Target("", 0, path="/a"),), Options(host="localhost:80", health="/h?x=1")),
        ({"target": ["https://a.lan", 80], "verify": False}, (Target("a.lan", 443, "https", trust="never"), Target("127.0.0.1", 80)), Options(verify=False)),
        ({"target": "https://localhost:1", "verify": "yes"}, (Target("localhost", 1, "https", trust="always"),), Options(verify=True)),
        ({"verify": True, "ca": "/a/ca.pem", "target": "https://a.lan"}, (Target("a.lan", 443, "https", trust="/a/ca.pem"),), Options(verify=True, ca="/a/ca.pem")),
    ],
)  # fmt: skip
def test_values(value, targets, options):
    line = read_line("api", value)
    assert (line.name, line.line, line.targets, line.options) == ("api", 0, targets, options)


@pytest.mark.parametrize(
    ("value", "problems"),
    [
        (None, ["has no target"]),
        ({}, ["has no target"]),
        (True, ["target 'true' is not a port, host:port, URL or unix:/path - write it like 5173 or 127.0.0.1:5173"]),
        ({"target": [True, None]}, [
            "target 'true' is not a port, host:port, URL or unix:/path - write it like 5173 or 127.0.0.1:5173",
            "target: has no target",
        ]),
        ({"target": 1, "strips": 1}, ["strips: unknown key - did you mean strip?"]),
        ({"target": 1, "hold": -1}, ["hold: '-1' is not a time of at most a day - write it like 15s, 500ms or 1m"]),
        ({"target": 1, "ca": "ca.pem"}, ["ca: 'ca.pem' is not the absolute path of a file of CA certificates - write it like /home/me/ca.pem"]),
        ({"target": 1, "ca": "/ca.pem", "verify": False}, ["has a ca and verify: false - keep one of them"]),
        ({"target": 1, "hold": {"a": 1}}, ["hold: a mapping is not a time"]),
    ],
)  # fmt: skip
def test_problems_have_keys_and_no_lines(value, problems):
    with pytest.raises(ConfigRefused) as caught:
        read_line("api", value)
    assert list(caught.value.problems) == problems


def test_bind_makes_a_route_of_a_source():
    route = bind(
        read_line("api/v2", {"target": 5173, "strip": "on"}),
        Claim("api.dev.test", "/v2"),
        source="manual",
        origin="here",
    )
    assert (route.name, route.targets, route.source, route.owner, route.origin) == (
        "api.dev.test/v2",
        (LOCAL,),
        "manual",
        "",
        "here",
    )
    assert route.options == Options(strip=True)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["target", *OPTIONS]) | st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=6,
)


@given(values)
def test_any_json_is_a_route_or_a_refusal(value):
    try:
        targets = read_line("api", value).targets
    except ConfigRefused as error:
        targets = error.problems
    assert targets
