"""What the exports write is what their readers read, whatever a name tries."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml
from support.parts import need

from devdns.core.compose_file import services
from devdns.core.errors import UsageRefused
from devdns.exports.compose import BUNDLE, CA, Reach, text
from devdns.exports.hosts import dnsmasq, hosts
from devdns.exports.nginx import nginx
from devdns.exports.sites import Site, sites

SITES = [Site("*.shop.dev.test"), Site("api.dev.test")]
EVIL = ["a\n0.0.0.0 bank.com", "a b", 'a"; }', "a$(id).b", "`id`.b", "-a.b", "a..b", "", "#a.b", "a.b\n", "${HOME}.b"]


@pytest.mark.parametrize("host", EVIL)
def test_what_is_no_host_gets_into_no_text(host: str) -> None:
    assert sites([{"host": host}]) == []


def test_each_host_is_there_once() -> None:
    assert sites([{"host": "b.dev.test"}, {"host": "*.a.test"}, {"host": "b.dev.test"}]) == [
        Site("*.a.test"),
        Site("b.dev.test"),
    ]


def test_hosts_of_the_engine_where_there_is_no_bridge() -> None:
    said = text(SITES, ["web", "null"], Reach())
    assert yaml.safe_load(said) == {
        "services": {key: {"extra_hosts": ["api.dev.test:host-gateway"]} for key in ("web", "null")}
    }
    assert "# not in it, since a hosts file knows no wildcards: *.shop.dev.test" in said


def test_the_resolver_at_the_gateway_and_the_ca() -> None:
    (service,) = yaml.safe_load(text(SITES, ["web"], Reach("172.18.0.1", "/s/ca.pem", "/s/b.pem")))["services"].values()
    assert service["dns"] == ["172.18.0.1"]
    assert "extra_hosts" not in service
    assert service["environment"]["SSL_CERT_FILE"] == BUNDLE
    assert service["volumes"][0] == {"type": "bind", "source": "/s/ca.pem", "target": CA, "read_only": True}


def test_compose_reads_it_as_it_was_meant_with_odd_services_and_folders(tmp_path: Path) -> None:
    need("docker-compose")
    odd = 'a: "$HOME" #'
    (tmp_path / "base.yml").write_text("version: '2.4'\nservices: {web: {image: x}}\n")
    said = text(SITES, ["web"], Reach("172.18.0.1", f"/x/{odd}/ca.pem", "/b.pem"))
    (tmp_path / "more.yml").write_text("version: '2.4'\n" + said)
    asked = ["docker-compose", "-f", "base.yml", "-f", "more.yml", "config"]
    done = subprocess.run(asked, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    web = yaml.safe_load(done.stdout)["services"]["web"]
    assert web["dns"] == ["172.18.0.1"]
    (source,) = [each["source"] for each in web["volumes"] if each["target"] == CA]
    assert source.replace("$$", "$") == f"/x/{odd}/ca.pem"


def test_services_of_a_compose_file_with_all_that_yaml_has() -> None:
    said = b"x-base: &base {image: x}\nservices:\n  web: *base\n  'on': {<<: *base, ports: ['${PORT}:80']}\n"
    assert services(said, "compose.yaml") == ["web", "on"]
    for wrong in (b"[", b"services: {}", b"a", b"services: [web]", b""):
        with pytest.raises(UsageRefused):
            services(wrong, "compose.yaml")


def test_lines_of_a_hosts_file() -> None:
    lines = hosts(SITES, ["127.0.0.1", "::1"]).splitlines()
    assert lines[1:] == ["# *.shop.dev.test: no wildcards here", "127.0.0.1\tapi.dev.test", "::1\tapi.dev.test"]


def test_dnsmasq_takes_its_lines(tmp_path: Path) -> None:
    need("dnsmasq")
    said = dnsmasq(["dev.test", "evil\naddress=/x/1.2.3.4"], "127.0.0.1", 5300)
    assert said.splitlines()[1:] == ["server=/dev.test/127.0.0.1#5300", "rebind-domain-ok=/dev.test/"]
    (tmp_path / "conf").write_text(said)
    done = subprocess.run(["dnsmasq", "--test", f"--conf-file={tmp_path}/conf"], capture_output=True, check=False)
    assert done.returncode == 0


def row(host: str, /, *targets: str, prefix: str = "", **options: object) -> dict[str, object]:
    return {"host": host, "prefix": prefix, "targets": targets, "options": options}


PLAIN = [
    row("api.dev.test", "http://127.0.0.1:5173", "http://[::1]:5173"),
    row("api.dev.test", "unix:/run/x.sock", prefix="/v2", strip=True),
    row("*.shop.dev.test", "https://127.0.0.1:8443", host="localhost:8443"),
]
BAD = [
    row("evil.dev.test", "http://127.0.0.1:1; }"),
    row("evil.dev.test", "http://127.0.0.1:1", prefix="/a{b"),
    row("evil.dev.test", "http://127.0.0.1:1", host="a; include /etc/passwd"),
    row("evil.dev.test", "h2c://127.0.0.1:1"),
    row("evil.dev.test", "unix:/a b"),
    row("a;b}", "http://127.0.0.1:1"),
]


def test_nginx_takes_its_servers_and_nothing_else(tmp_path: Path) -> None:
    need("nginx")
    said = nginx([*PLAIN, *BAD], 8099)
    assert said.count("server_name") == 2
    assert said.count("# left out: evil.dev.test\n") == 5
    assert "# left out: a name that is none\n" in said
    assert not any(word in said for word in ("include", "a;b", "h2c", "/a{b"))
    (tmp_path / "devdns.conf").write_text(said)
    (tmp_path / "nginx.conf").write_text(
        f"pid {tmp_path}/pid; error_log stderr; events {{}} http {{ access_log off; include {tmp_path}/devdns.conf; }}"
    )
    done = subprocess.run(["nginx", "-t", "-c", f"{tmp_path}/nginx.conf"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
