"""Configuration: what files and variables say, and every problem at once with its place."""

import time

import jsonschema_rs
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from devdns.core.config import (
    KEYS,
    Config,
    DnsConfig,
    DockerConfig,
    HttpConfig,
    HttpsConfig,
    MdnsConfig,
    load,
    parse,
    routes,
    schema,
)
from devdns.core.errors import ConfigRefused
from devdns.core.names import Zones
from devdns.core.routes import Options, Target

EXAMPLE = """\
zone: dev.test                     # or zones: [dev.test, shop.test]
routes:
  api: 5173                        # port | host:port | http(s)|h2c://host:port | unix:/path | a list = a pool
  api/v2: {target: 9000, strip: true, host: localhost:9000, health: /healthz, hold: 15s, timeout: 60s}
docker: {enabled: auto, hosts: [], default_names: published}
mdns: {enabled: true, default_names: false, allow_remote: false}
dns: {listen: [127.0.0.1:5300], forward: off, allow: []}
http: {listen: [127.0.0.1:8080]}
https: {listen: [127.0.0.1:8443], redirect: false}
tls: {cert: null, key: null}
"""


def _read(text, environ, how):
    file = parse(text, "devdns.yml", **how)
    routes(file, Zones(load(file, environ).zones))


def problems(text, environ=None, **how):
    """Every line said about a file, and then about it with variables."""
    with pytest.raises(ConfigRefused) as caught:
        _read(text, environ or {}, how)
    assert caught.value.exit_code == 2
    return str(caught.value).split("\n")


def config(text="", **environ):
    return load(parse(text, "devdns.yml"), environ)


def made(text, *zones):
    return routes(parse(text, "/x/devdns.yml"), Zones(zones or ("dev.test",)))


def test_the_example_of_the_design_reads_as_the_defaults_but_for_its_listeners():
    assert config(EXAMPLE) == Config(
        dns=DnsConfig(listen=(("127.0.0.1", 5300),)),
        http=HttpConfig(listen=(("127.0.0.1", 8080),)),
        https=HttpsConfig(listen=(("127.0.0.1", 8443),)),
    )
    api, v2 = made(EXAMPLE)
    assert (api.host, api.prefix, api.targets, api.options) == (
        "api.dev.test",
        "",
        (Target("127.0.0.1", 5173),),
        Options(),
    )
    assert (v2.name, v2.targets) == ("api.dev.test/v2", (Target("127.0.0.1", 9000),))
    assert v2.options == Options(True, "localhost:9000", "/healthz", 15.0, 60.0)
    assert (v2.source, v2.owner, v2.origin) == ("file:/x/devdns.yml", "/x/devdns.yml", "devdns.yml:4")


@pytest.mark.parametrize(
    "text", ["", "\n", "# only a comment\n", "null", "~", "routes:", "routes: {}", "docker:", "\ufeff"]
)
def test_a_file_that_says_nothing_is_the_defaults(text):
    file = parse(text.removeprefix("\ufeff"), "devdns.yml")
    assert load(file, {}) == Config() == load(None, {})
    assert routes(file, Zones()) == ()


SETTINGS = [
    ("zone: Shop.Test.", {}, Config(zones=("shop.test",))),
    ("zone: test", {}, Config(zones=("test",))),
    ("zones: [dev.test, shop.test]", {}, Config(zones=("dev.test", "shop.test"))),
    ("zones: [dev.test]", {"DEVDNS_ZONE": "a.test,b.test"}, Config(zones=("a.test", "b.test"))),
    ("zone: a.test", {"DEVDNS_ZONES": "b.test"}, Config(zones=("b.test",))),
    ("zone: a.test", {"DEVDNS_ZONE": " "}, Config(zones=("a.test",))),
    ("docker: {enabled: off}", {}, Config(docker=DockerConfig(enabled=False))),
    ("docker: {enabled: Yes}", {}, Config(docker=DockerConfig(enabled=True))),
    ("docker: {enabled: no}", {"DEVDNS_DOCKER_ENABLED": "auto"}, Config()),
    ("docker: {default_names: off}", {}, Config(docker=DockerConfig(default_names=False))),
    ("docker: {hosts: 'tcp://1.2.3.4:2375'}", {}, Config(docker=DockerConfig(hosts=("tcp://1.2.3.4:2375",)))),
    ("mdns: {enabled: 'off'}", {}, Config(mdns=MdnsConfig(enabled=False))),
    ("dns: {forward: off}", {}, Config()),
    ("dns: {forward: []}", {}, Config()),
    ("dns: {forward: system}", {}, Config(dns=DnsConfig(forward="system"))),
    ("dns: {forward: [1.1.1.1, '[2606::1]:5353', '::1']}", {}, Config(dns=DnsConfig(forward=("1.1.1.1:53", "[2606::1]:5353", "[::1]:53")))),
    ("", {"DEVDNS_DNS_FORWARD": "1.1.1.1, 8.8.8.8"}, Config(dns=DnsConfig(forward=("1.1.1.1:53", "8.8.8.8:53")))),
    ("dns: {allow: [192.168.1.0/24, 10.0.0.1]}", {}, Config(dns=DnsConfig(allow=("192.168.1.0/24", "10.0.0.1/32")))),
    ("dns: {listen: '0.0.0.0:53', allow: 10.0.0.0/8}", {}, Config(dns=DnsConfig(listen=(("0.0.0.0", 53),), allow=("10.0.0.0/8",)))),
    ("http: {listen: ['[::1]:80', 127.0.0.1:0, 127.0.0.1:0]}", {}, Config(http=HttpConfig(listen=(("::1", 80), ("127.0.0.1", 0), ("127.0.0.1", 0))))),
    ("http: {access_log: yes}", {}, Config(http=HttpConfig(access_log="access.log"))),
    ("http: {access_log: '-'}", {}, Config(http=HttpConfig(access_log="-"))),
    ("http: {access_log: /var/log/a.log}", {"DEVDNS_ACCESS_LOG": "off"}, Config()),
    ("", {"DEVDNS_ACCESS_LOG": "logs/a.log"}, Config(http=HttpConfig(access_log="logs/a.log"))),
    ("http: {listen: 127.0.0.1:1}", {"DEVDNS_HTTP": "127.0.0.1:2,[::1]:2"}, Config(http=HttpConfig(listen=(("127.0.0.1", 2), ("::1", 2))))),
    ("https: {listen: [off]}", {}, Config(https=HttpsConfig(listen=()))),
    ("https: {listen: [127.0.0.1:1], redirect: true}", {"DEVDNS_HTTPS": "off"}, Config(https=HttpsConfig(listen=(), redirect=True))),
    ("workers: 4", {"DEVDNS_WORKERS": "2"}, Config(workers=2)),
    ("hold: 2m", {}, Config(hold=120.0)),
    ("hold: 2m", {"DEVDNS_HOLD": "500ms"}, Config(hold=0.5)),
    ("workers: '3'", {"PATH": "/bin", "DEVDNS_UNKNOWN": "x"}, Config(workers=3)),
]  # fmt: skip


@pytest.mark.parametrize(("text", "environ", "expected"), SETTINGS)
def test_settings(text, environ, expected):
    assert config(text, **environ) == expected


ROUTES = [
    ("api: 5173", {"api.dev.test": ["http://127.0.0.1:5173"]}),
    ("api: '5173'", {"api.dev.test": ["http://127.0.0.1:5173"]}),
    ("api: localhost:80", {"api.dev.test": ["http://localhost:80"]}),
    ("api: https://x.example", {"api.dev.test": ["https://x.example:443"]}),
    ("api: h2c://127.0.0.1:50051", {"api.dev.test": ["h2c://127.0.0.1:50051"]}),
    ("api: unix:/run/app.sock", {"api.dev.test": ["unix:/run/app.sock"]}),
    ("api: [1, 2, 1]", {"api.dev.test": ["http://127.0.0.1:1", "http://127.0.0.1:2"]}),
    ("api: {target: [1, 2]}", {"api.dev.test": ["http://127.0.0.1:1", "http://127.0.0.1:2"]}),
    ("api: {target: 1, strip: null, hold: ~}", {"api.dev.test": ["http://127.0.0.1:1"]}),
    ("8080: 1", {"8080.dev.test": ["http://127.0.0.1:1"]}),
    ("null: 1", {"null.dev.test": ["http://127.0.0.1:1"]}),
    ("off: 1", {"off.dev.test": ["http://127.0.0.1:1"]}),
    ("1.5: 1", {"1.5.dev.test": ["http://127.0.0.1:1"]}),
    ("1e3: 1", {"1e3.dev.test": ["http://127.0.0.1:1"]}),
    ("2026-01-01: 1", {"2026-01-01.dev.test": ["http://127.0.0.1:1"]}),
    ("'*.api': 1", {"*.api.dev.test": ["http://127.0.0.1:1"]}),
    ("api/v2: 1", {"api.dev.test/v2": ["http://127.0.0.1:1"]}),
    ("Api.Shop.Dev.Test.: 1", {"api.shop.dev.test": ["http://127.0.0.1:1"]}),
    ("bücher: 1", {"xn--bcher-kva.dev.test": ["http://127.0.0.1:1"]}),
]


@pytest.mark.parametrize(("text", "expected"), ROUTES)
def test_routes(text, expected):
    assert {route.name: [str(each) for each in route.targets] for route in made(f"routes:\n  {text}\n")} == expected


@pytest.mark.parametrize(
    ("hold", "seconds"),
    [("15s", 15.0), ("500ms", 0.5), ("1m", 60.0), ("1h", 3600.0), ("1.5", 1.5), ("0", 0.0), ("24h", 86400.0)],
)
def test_times(hold, seconds):
    [route] = made(f"routes: {{api: {{target: 1, hold: {hold}}}}}")
    assert route.options.hold == seconds


PROBLEMS = [
    ("zon: x", ["1: zon: unknown key - did you mean zone?"]),
    ("frobnicate: x", ["1: frobnicate: unknown key - known are dns, docker, hold, http, https, mdns, routes, tcp, tls, workers, zone, zones"]),
    ("docker: {host: []}", ["1: docker.host: unknown key - did you mean hosts?"]),
    ("docker:\n  hosts: nowhere", ["2: docker.hosts: 'nowhere' is not the URL of a Docker Engine - write it like unix:///var/run/docker.sock or tcp://127.0.0.1:2375"]),
    ("docker: [1]", ["1: docker: a list is not a mapping of keys to values - its keys are enabled, hosts, default_names"]),
    ("docker: 5", ["1: docker: '5' is not a mapping of keys to values - its keys are enabled, hosts, default_names"]),
    ("docker: {enabled: [yes]}", ["1: docker.enabled: a list is not auto, true or false"]),
    ("docker: {enabled: 1}", ["1: docker.enabled: '1' is not auto, true or false"]),
    ("docker: {default_names: all}", ["1: docker.default_names: 'all' is not published or off"]),
    ("docker: {hosts: [tcp://a:1, tcp://a:1]}", ["1: docker.hosts: holds one value twice"]),
    ("zone: a.test\nzone: b.test", ["2: zone: is there twice, first on line 1"]),
    ("zone: a.test\n\nzones: [b.test]", ["3: zones: zone is there too, on line 1 - keep one of them"]),
    ("zones: []", ["1: zones: needs at least one zone"]),
    ("zones:\n- a.test\n-\n- null", ["3: zones: an entry without a value is not a zone, or a list of them", "4: zones: an entry without a value is not a zone, or a list of them"]),
    ("zones: [a.test, A.test.]", ["1: zones: holds one value twice"]),
    ("zones:\n- a_b\n- localhost\n- x.localhost\n- 127.0.0.1", [
        "2: zones: name 'a_b' may hold only letters, digits and inner hyphens - write a-b",
        "3: zones: zone 'localhost' is reserved: localhost is this machine (RFC 6761)",
        "4: zones: zone 'x.localhost' is reserved: localhost is this machine (RFC 6761)",
        "5: zones: '127.0.0.1' is not a zone: it ends in a number, as an address does",
    ]),
    ("zone: com", ["1: zone 'com' is a whole top-level domain - write com.test"]),
    ("zone: local", ["1: zone 'local' belongs to mDNS (RFC 6762) - write dev.test"]),
    ("api: 5173", ["1: api: unknown key - if it is a route, put it below routes:"]),
    ("routes: api:5173", ["1: routes: 'api:5173' is not a mapping of keys to values - write a space after the colon: api: 5173"]),
    ("routes:\n  api: http://localhost:3000/base", ["2: routes.api: target 'http://localhost:3000/base' holds a path - leave out '/base'"]),
    (f"zone: {'a.' * 124}test", ["1: zone: '" + "a." * 28 + "... is not a zone: too long to hold names"]),
    ("http: {listen: []}", ["1: http.listen: needs at least one address - leave the key out for the default ones"]),
    ("http: {listen: [127.0.0.1:80, 127.0.0.1:80]}", ["1: http.listen: holds one address twice"]),
    ("dns: {listen: 22:22}", ["1: dns.listen: '22:22' is not an address and port - write it like 127.0.0.1:8080 or [::1]:8080"]),
    ("dns: {listen: [localhost:53, ':53', 53, '::1:53', '127.0.0.1', '[127.0.0.1]:1', '127.0.0.1:99999']}", [
        *(f"1: dns.listen: '{value}' is not an address and port - write it like 127.0.0.1:8080 or [::1]:8080" for value in ("localhost:53", ":53", "53", "::1:53", "127.0.0.1", "[127.0.0.1]:1")),
        "1: dns.listen: '127.0.0.1:99999' is not an address and port: ports end at 65535",
    ]),
    ("dns: {listen: '0.0.0.0:53'}", ["1: dns.listen: 0.0.0.0 is open to every network - name in dns.allow who may ask"]),
    ("dns:\n  listen: '[::]:53'\n  allow: []", ["2: dns.listen: :: is open to every network - name in dns.allow who may ask"]),
    ("dns: {forward: [off, 1.1.1.1]}", ["1: dns.forward: off stands alone, not beside addresses"]),
    ("dns: {forward: 1.1.1}", ["1: dns.forward: '1.1.1' is not off, system or an address - write it like 1.1.1.1 or [2606:4700::1]:53"]),
    ("dns: {allow: [10.0.0.1/8]}", ["1: dns.allow: '10.0.0.1/8' is not a network: it has host bits set - write it like 192.168.1.0/24"]),
    ("https: {listen: [127.0.0.1:8443, off]}", ["1: https.listen: off stands alone, not beside addresses"]),
    ("https: {listen: 8443}", ["1: https.listen: '8443' is not an address and port - write it like 127.0.0.1:8080 or [::1]:8080"]),
    ("https: {redirect: maybe}", ["1: https.redirect: 'maybe' is not true or false"]),
    ("https: off", ["1: https: 'off' is not a mapping of keys to values - its keys are listen, redirect"]),
    ("tls: {cert: x}", ["1: tls.cert: needs tls.key beside it"]),
    ("workers: 1_000", ["1: workers: '1_000' is not a number from 1 to 64"]),
    ("workers: 0", ["1: workers: '0' is not a number from 1 to 64"]),
    ("workers: 0x10", ["1: workers: '0x10' is not a number from 1 to 64"]),
    ("workers: 2.0", ["1: workers: '2.0' is not a number from 1 to 64"]),
    ("- a", ["1: a list is not a mapping of keys to values"]),
    ("just words", ["1: 'just words' is not a mapping of keys to values"]),
    ("routes: [api]", ["1: routes: a list is not a mapping of keys to values"]),
    ("routes:\n  api: 1_000", ["2: routes.api: target '1_000' is not a port, host:port, URL or unix:/path - write it like 5173 or 127.0.0.1:5173"]),
    ("routes:\n  api: 70000", ["2: routes.api: target '70000': port 70000 is not between 1 and 65535"]),
    ("routes:\n  api:", ["2: routes.api: has no target"]),
    ("routes:\n  api: []", ["2: routes.api: has no target: the list is empty"]),
    ("routes:\n  api: [[1]]", ["2: routes.api: a list is no target"]),
    ("routes:\n  api: {}", ["2: routes.api: has no target"]),
    ("routes:\n  api: {targets: 1}", ["2: routes.api.targets: unknown key - did you mean target?", "2: routes.api: has no target"]),
    ("routes:\n  api: {target: 1, hold: soon, timeout: 0, health: x, host: 'a b', strip: perhaps}", [
        "2: routes.api.hold: 'soon' is not a time of at most a day - write it like 15s, 500ms or 1m",
        "2: routes.api.timeout: '0' is not a time above zero - write it like 60s",
        "2: routes.api.health: 'x' is not a path to probe - write it like /healthz, or tcp",
        "2: routes.api.host: 'a b' is not a host - write it like localhost:8000",
        "2: routes.api.strip: 'perhaps' is not true or false",
    ]),
    ("routes:\n  api: {target: 1, target: 2}", ["2: routes.api.target: is there twice, first on line 2"]),
    ("routes:\n  api: 1\n  api: 2", ["3: routes.api: is there twice, first on line 2"]),
    ("routes:\n  api: 1\n  x: 1\n  API.dev.test: 2", ["4: routes.API.dev.test: claims api.dev.test as line 2 does (api)"]),
    ("routes:\n  ? [a]\n  : 1", ["2: routes: a key must be a plain word"]),
    ("routes:\n  devdns: 1", ["2: routes.devdns: name 'devdns' is reserved: devdns itself answers at devdns.dev.test"]),
    ("routes:\n  '*': 1", ["2: routes.*: name '*' cannot be claimed - claim a name such as api, or *.api"]),
    ("routes:\n  localhost: 1", ["2: routes.localhost: name 'localhost' is reserved: localhost cannot be claimed (RFC 6761)"]),
    ('routes:\n  "a\\e[31m": 1', [r"2: routes.'a\x1b[31m': name 'a\x1b[31m' may hold only letters, digits and inner hyphens"]),
    ("routes:\n  x y: 1\nzon: 1\nworkers: no", [
        "2: routes.'x y': name 'x y' may hold only letters, digits and inner hyphens",
        "3: zon: unknown key - did you mean zone?",
        "4: workers: 'no' is not a number from 1 to 64",
    ]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "lines"), PROBLEMS)
def test_problems(text, lines):
    assert problems(text) == [f"devdns.yml:{line}" for line in lines]


SYNTAX = [
    ("a: [", "2: did not find expected node content - a value is missing here, or a bracket above is not closed"),
    ("a:\n\t- b", "2: found character that cannot start any token - YAML indents with spaces, not tabs"),
    ("a: b: c", "1: mapping values are not allowed in this context - quote a value that holds a colon and a space"),
    ("a:\n  b: 1\n c: 2", "3: did not find expected key - check the indentation here and in the line above"),
    ("zone: a\n---\nzone: b", "3: a second YAML document - keep one, without ---"),
    ("zone: &x a", "1: anchors and aliases (& and *) are not read - write the value out"),
    ("zone: a\nroutes: *x", "2: anchors and aliases (& and *) are not read - write the value out"),
    ("routes:\n  <<: *base", "2: anchors and aliases (& and *) are not read - write the value out"),
    ("zone: !!str a", "1: tag 'tag:yaml.org,2002:str' is not read - write the value alone"),
    ("zone: !!python/object/apply:os.system [x]", "1: tag 'tag:yaml.org,2002:python/object/apply:os.system' is not read - write the value alone"),
    ("zone: \x00", "1: character U+0000 is not allowed in YAML"),
    ("a\nzone: \x1b", "2: character U+001B is not allowed in YAML"),
    ("[" * 100_000, "1: too deep"),
    ("a: " + "{a: " * 17 + "}" * 17, "1: too deep"),
    ("%YAML 3.0\n---\na: b", "1: found incompatible YAML document"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line"), SYNTAX)
def test_what_is_no_yaml_of_ours_is_one_problem_with_its_line(text, line):
    assert problems(text) == [f"devdns.yml:{line}"]


VARIABLES = [
    ({"DEVDNS_HTTP": "8080"}, ["http.listen (DEVDNS_HTTP, --http): '8080' is not an address and port - write it like 127.0.0.1:8080 or [::1]:8080"]),
    ({"DEVDNS_ZONE": "a.test", "DEVDNS_ZONES": "b.test"}, ["zones (DEVDNS_ZONES): DEVDNS_ZONE is set too - keep one of them"]),
    ({"DEVDNS_DNS": "0.0.0.0:53"}, ["dns.listen (DEVDNS_DNS, --dns): 0.0.0.0 is open to every network - name in dns.allow who may ask"]),
    ({"DEVDNS_WORKERS": "many", "DEVDNS_MDNS_ENABLED": "2", "DEVDNS_TLS_KEY": "k"}, [
        "mdns.enabled (DEVDNS_MDNS_ENABLED): '2' is not true or false",
        "workers (DEVDNS_WORKERS, --workers): 'many' is not a number from 1 to 64",
        "tls.key (DEVDNS_TLS_KEY): needs tls.cert beside it",
    ]),
]  # fmt: skip


@pytest.mark.parametrize(("environ", "lines"), VARIABLES)
def test_problems_of_variables_name_key_variable_and_flag(environ, lines):
    assert problems("", environ) == lines


def test_a_variable_can_mend_a_contradiction_of_the_file():
    assert config("dns: {listen: '0.0.0.0:53'}", DEVDNS_DNS_ALLOW="10.0.0.0/8").dns.allow == ("10.0.0.0/8",)


def test_more_than_a_hundred_problems_are_counted():
    said = problems("routes:\n" + "".join(f"  a{count}: x\n" for count in range(150)))
    assert (len(said), said[-1]) == (101, "devdns.yml: 50 more problems")


def test_an_attached_file_brings_routes_and_names_what_it_must_not_set():
    file = parse("zone: x\nroutes: {api: 1}\ndns: {listen: nonsense}\n", "f.yml", routes_only=True)
    assert (file.settings, file.ignored) == ({}, ("zone", "dns"))
    assert [route.name for route in routes(file, Zones())] == ["api.dev.test"]
    assert problems("zon: x", routes_only=True) == ["devdns.yml:1: zon: unknown key - did you mean zone?"]


def test_names_are_completed_by_the_zones_in_force_not_by_those_of_the_file():
    text = "zone: a.test\nroutes: {api: 1, web.b.test: 2}\n"
    assert [route.name for route in made(text, "b.test")] == ["api.b.test", "web.b.test"]


def test_a_hundred_thousand_routes_are_read_in_seconds():
    text = "routes:\n" + "".join(f"  s{count}.shop: {1000 + count % 60000}\n" for count in range(100_000))
    start = time.process_time()
    assert len(made(text)) == 100_000
    assert time.process_time() - start < 8


def test_a_bomb_of_nodes_is_refused():
    assert problems("a: [" + "[]," * 1_000_001 + "]") == ["devdns.yml:1: too many values"]


def accepted(text):
    try:
        load(file := parse(text, "x"), {})
        routes(file, Zones())
    except ConfigRefused:
        return False
    return True


@given(st.text(st.characters(codec="utf-8"), max_size=200) | st.text("abz: -[]{},&*!|>'\"%@`#?\n\t.0/", max_size=60))
def test_any_text_is_settings_or_a_refusal(text):
    assert accepted(text) in (True, False)


@given(st.text(max_size=40), st.sampled_from(KEYS))
def test_any_variable_is_a_setting_or_a_refusal(text, key):
    try:
        found = load(None, {key.variable: text})
    except ConfigRefused as error:
        found = str(error)
    assert isinstance(found, Config) or key.variable in found


json_like = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 70000) | st.sampled_from(["off", "15s", "x:80", "/h", "unix:/a", "[::1]:1"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["target", "hold", "host", "listen", "enabled", "hosts"]), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
TREES = st.dictionaries(
    st.sampled_from(["zone", "zones", "routes", "docker", "dns", "http", "https", "mdns", "tls", "workers"]),
    json_like | st.dictionaries(st.sampled_from(["api", "b"]), json_like, max_size=2),
    max_size=3,
)
VALIDATOR = jsonschema_rs.validator_for(schema())


@given(TREES)
@settings(max_examples=300)
def test_what_the_reader_accepts_the_schema_accepts(tree):
    assert VALIDATOR.is_valid(tree) or not accepted(yaml.safe_dump(tree))


@pytest.mark.parametrize(
    "text", [text for text, _, _ in SETTINGS] + [EXAMPLE, "routes:\n  api: {target: [1, h:2], hold: 15s}"]
)
def test_the_schema_accepts_what_people_write(text):
    VALIDATOR.validate(yaml.safe_load(text))
    assert VALIDATOR.is_valid(yaml.safe_load(text))


@pytest.mark.parametrize(
    "text",
    [
        "zon: x",
        "docker: {host: []}",
        "routes: {api: {strip: true}}",
        "zone: a\nzones: [b]",
        "workers: 65",
        "routes: []",
    ],
)
def test_the_schema_refuses_what_the_reader_refuses(text):
    assert not VALIDATOR.is_valid(yaml.safe_load(text))
    assert not accepted(text)


def test_every_key_has_one_variable_a_reason_and_a_default_that_reads():
    assert len({key.variable for key in KEYS}) == len(KEYS)
    for key in KEYS:
        assert key.doc
        assert key.variable.startswith("DEVDNS_")
        assert key.default


def test_raw_tcp_names():
    text = """
tcp:
  db: {target: 127.0.0.1:15432, port: 5432, hold: 15s, health: tcp}
  cache: 10.0.0.5:6379
  queue: 5672
  sock: {target: "unix:/run/pg.sock", port: 5432}
routes:
  db: 5173
"""
    found = {each.name: each for each in made(text)}
    db = found["db.dev.test:5432"]
    assert (db.port, db.targets, db.options) == (
        5432,
        (Target("127.0.0.1", 15432, "tcp"),),
        Options(hold=15.0, health="tcp"),
    )
    assert (db.host, db.prefix, db.origin) == ("db.dev.test", "", "devdns.yml:3")
    assert found["cache.dev.test:6379"].targets == (Target("10.0.0.5", 6379, "tcp"),)
    assert found["queue.dev.test:5672"].targets == (Target("127.0.0.1", 5672, "tcp"),)
    assert found["sock.dev.test:5432"].targets == (Target("", 0, "tcp", "/run/pg.sock"),)
    assert found["db.dev.test"].targets == (Target("127.0.0.1", 5173),)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("tcp: {db: {port: 5432}}", "1: tcp.db: has no target"),
        ("tcp: {db: {target: 'unix:/a'}}", "1: tcp.db: has no port: a Unix socket names none - write {target: ..., port: 5432}"),
        ("tcp: {db: 'http://a:80'}", "1: tcp.db: target 'http://a:80' is not raw TCP - write it like 5432, 10.0.0.5:5432 or unix:/run/app.sock"),
        ("tcp: {db: {target: 1, port: 0}}", "1: tcp.db.port: '0' is not a port from 1 to 65535 - write it like 5432"),
        ("tcp: {db: {target: 1, strip: true}}", "1: tcp.db.strip: unknown key - known are target, port, health, hold, interval"),
        ("tcp: {db: {target: 1, health: /x}}", "1: tcp.db.health: '/x' is not a way to probe raw TCP - write health: tcp, for a mere connect"),
        ("tcp: {'*.db': 1}", "1: tcp.*.db: name '*.db' is a wildcard, and raw TCP knows neither - write a name such as db"),
        ("tcp: {db/x: 1}", "1: tcp.db/x: name 'db/x' is a path, and raw TCP knows neither - write a name such as db"),
        ("routes: {db: 'tcp://127.0.0.1:5432'}", "1: routes.db: target 'tcp://127.0.0.1:5432': scheme 'tcp' is not one of http, https, h2c, tls - write it below tcp:, or give devdns add its --tcp PORT"),
    ],
)  # fmt: skip
def test_raw_tcp_that_is_wrong(text, line):
    said = problems(text)
    assert [each.replace('"', "") for each in said] == [f"devdns.yml:{line}"], said


def test_what_a_machine_was_set_up_for_counts_where_nothing_else_is_said():
    installed = {"DEVDNS_DNS": "127.0.0.53:53", "DEVDNS_DNS_FORWARD": "system"}
    file = parse("dns: {listen: '127.0.0.1:5353'}", "devdns.yml")
    assert load(None, {}, installed).dns.listen == (("127.0.0.53", 53),)
    assert load(file, {}, installed).dns.listen == (("127.0.0.1", 5353),)
    assert load(file, {}, installed).dns.forward == "system"
    assert load(file, {"DEVDNS_DNS_FORWARD": "off"}, installed).dns.forward == "off"
