"""Where something stands, each place named once."""

import pytest

from devdns.core.whence import trouble, whence


@pytest.mark.parametrize(
    ("source", "origin", "text"),
    [
        ("file:/w/devdns.yml", "devdns.yml:2", "/w/devdns.yml:2"),
        ("file:/w/devdns.yml", "devdns.yml", "/w/devdns.yml"),
        ("file:/w/devdns.yml", "", "/w/devdns.yml"),
        ("docker", "container api-1, label dev.route", "docker, container api-1, label dev.route"),
        ("docker:tcp://lab:2375", "container api-1", "docker:tcp://lab:2375, container api-1"),
        ("manual", "devdns add", "manual, devdns add"),
        ("mdns", "", "mdns"),
    ],
)
def test_where_a_route_is_found(source, origin, text):
    assert whence(source, origin) == text


@pytest.mark.parametrize(
    ("source", "reason", "text"),
    [
        ("file:/w/devdns.yml", "/w/devdns.yml:3: api: has no target", "/w/devdns.yml:3: api: has no target"),
        ("file:/w/devdns.yml", "'/w/devdns.yml' is not there", "'/w/devdns.yml' is not there"),
        ("file:/w/devdns.yml", "its watch ended", "file:/w/devdns.yml: its watch ended"),
        ("docker", "it is gone", "docker: it is gone"),
    ],
)
def test_what_is_wrong_with_a_source(source, reason, text):
    assert trouble(source, reason) == text
