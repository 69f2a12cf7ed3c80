import json
from pathlib import Path

import pytest

from devdns.cli.plan import plan
from devdns.core.config import Config, DnsConfig, HttpConfig, HttpsConfig

DEFAULT_HTTP = [
    ("http", [("127.0.0.1", 80), ("127.0.0.1", 8080)], False),
    ("http", [("::1", 80), ("::1", 8080)], True),
]
DEFAULT_HTTPS = [
    ("https", [("127.0.0.1", 443), ("127.0.0.1", 8443)], False),
    ("https", [("::1", 443), ("::1", 8443)], True),
]


def listeners(config, platform="linux"):
    made = plan(config, state_dir=Path("/s"), config_path=None, platform=platform)
    return [
        (row["role"], [tuple(each) for each in row["candidates"]], row["optional"])
        for row in json.loads(json.dumps(made))["listeners"]
    ]


@pytest.mark.parametrize(
    ("platform", "first"),
    [("linux", ("127.0.0.53", 53)), ("darwin", ("127.0.0.1", 53))],
)
def test_defaults_fall_back_each_alone(platform, first):
    assert listeners(Config(), platform) == [
        ("dns", [first, ("127.0.0.1", 5300)], False),
        *DEFAULT_HTTP,
        *DEFAULT_HTTPS,
    ]


def test_an_address_that_was_written_never_falls_back():
    config = Config(
        dns=DnsConfig(listen=(("127.0.0.1", 53), ("::1", 53))),
        http=HttpConfig(listen=(("127.0.0.1", 81),)),
        https=HttpsConfig(listen=(("127.0.0.1", 444),)),
    )
    assert listeners(config) == [
        ("dns", [("127.0.0.1", 53)], False),
        ("dns", [("::1", 53)], False),
        ("http", [("127.0.0.1", 81)], False),
        ("https", [("127.0.0.1", 444)], False),
    ]


def test_https_may_be_off():
    assert listeners(Config(https=HttpsConfig(listen=())))[1:] == DEFAULT_HTTP


def test_one_written_role_leaves_the_other_at_its_defaults():
    assert listeners(Config(dns=DnsConfig(listen=(("127.0.0.1", 5353),))))[1:] == [*DEFAULT_HTTP, *DEFAULT_HTTPS]


def test_the_rest_of_the_plan():
    made = plan(
        Config(workers=3), state_dir=Path("/s"), config_path=Path("/p/devdns.yml"), platform="linux", debug=True
    )
    assert {key: value for key, value in made.items() if key != "listeners"} == {
        "state_dir": "/s",
        "config": "/p/devdns.yml",
        "workers": 3,
        "debug": True,
    }
