"""What would be changed on each kind of machine, as it is written there."""

from __future__ import annotations

import json
import plistlib
import shutil
import subprocess
from pathlib import Path

import pytest
from support.parts import need

from devdns.core.errors import DevdnsError, UsageRefused
from devdns.system import resolvers, services
from devdns.system.facts import Machine, Person, resolved_servers
from devdns.system.files import refuse_open_link
from devdns.system.journal import State
from devdns.system.resolvers import HEAD, Wish
from devdns.system.services import Ports
from devdns.system.steps import Block, Enable, Load, Setting, Write, needs_root, refuse_strange

ME = Person("me", 1000, 1000, "/home/me", "/home/me/.local/state/devdns", "/opt/devdns/bin/python")
WISH = Wish(("dev.test", "shop.test"))
ROUTER = "search lan\nnameserver 192.0.2.1\noptions edns0\n"
PLAIN = Machine(resolv_conf=ROUTER)
LOCAL = "nameserver 127.0.0.1\n"
RESOLVED = Machine(resolv_conf="nameserver 127.0.0.53\n", resolved_runs=True, booted=True)


@pytest.mark.parametrize(
    ("machine", "kind"),
    [
        (PLAIN, "resolv.conf"),
        (Machine(resolv_conf=""), "resolv.conf"),
        (Machine(resolv_conf=ROUTER, musl=True), "hosts"),
        (RESOLVED, "systemd-resolved"),
        (Machine(resolv_conf="nameserver 127.0.0.53\n", holder="systemd-resolve (pid 1)"), "systemd-resolved"),
        (Machine(resolv_conf="nameserver 127.0.0.53\n"), "resolv.conf"),
        (Machine(resolv_conf=LOCAL, networkmanager="[main]\ndns=dnsmasq\n"), "networkmanager"),
        (Machine(resolv_conf=LOCAL, networkmanager="[main]\n#dns=dnsmasq\n", dnsmasq=True), "dnsmasq"),
        (Machine(resolv_conf=LOCAL, dnsmasq=True, unbound=True, holder="unbound (pid 7)"), "unbound"),
        (Machine(resolv_conf=LOCAL, dnsmasq=True, unbound=True, holder="dnsmasq (pid 7)"), "dnsmasq"),
        (Machine(resolv_conf=LOCAL, unbound=True), "unbound"),
        (Machine(resolv_conf=LOCAL, holder="pihole-FTL (pid 3)"), "hosts"),
        (Machine("darwin", resolv_conf=ROUTER), "macos"),
    ],
)
def test_who_answers_the_names_of_a_machine_is_found(machine, kind):
    assert resolvers.kind_of(machine) == kind


def written(kind, machine=PLAIN, wish=WISH):
    """What `up` takes for the default then, and the files besides."""
    first, *rest = resolvers.plan(kind, wish, machine, ME).steps
    assert (first.path, first.user) == ("/home/me/.local/state/devdns/installed.json", (1000, 1000))
    return json.loads(first.text), {step.path: step.text.removeprefix(HEAD) for step in rest}


def test_systemd_resolved():
    said, files = written("systemd-resolved", RESOLVED)
    assert said == {"DEVDNS_DNS": "127.0.0.1:5300"}
    text = "[Resolve]\nDNS=127.0.0.1:5300\nDomains=~dev.test ~shop.test\n"
    assert files == {"/etc/systemd/resolved.conf.d/zz-devdns.conf": text}


def test_systemd_resolved_with_servers_of_its_own_asks_devdns_for_everything():
    """It would ask any of its global servers for any of its global domains."""
    servers = ("192.0.2.1", "[2001:db8::1]:5353", "2001:db8::2%eth0", "9.9.9.9:53#dns.quad9.net")
    machine = Machine(resolved_runs=True, resolved_servers=servers)
    said, files = written("systemd-resolved", machine)
    assert said["DEVDNS_DNS_FORWARD"] == "192.0.2.1,[2001:db8::1]:5353,[2001:db8::2],9.9.9.9:53"
    assert list(files.values()) == ["[Resolve]\nDNS=\nDomains=\nDNS=127.0.0.1:5300\nDomains=~.\n"]


def test_the_servers_of_systemd_resolved_add_up_and_begin_anew():
    first = "[Resolve]\n#DNS=9.9.9.9\nDNS=192.0.2.1 192.0.2.2\nFallbackDNS=1.1.1.1\n"
    assert resolved_servers(first, "DNS = 192.0.2.3\n") == ("192.0.2.1", "192.0.2.2", "192.0.2.3")
    assert resolved_servers(first, "DNS=\n") == ()


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("networkmanager", "/etc/NetworkManager/dnsmasq.d/devdns.conf"),
        ("dnsmasq", "/etc/dnsmasq.d/devdns.conf"),
    ],
)
def test_dnsmasq(kind, path):
    _, files = written(kind)
    assert files == {
        path: "server=/dev.test/127.0.0.1#5300\nrebind-domain-ok=/dev.test/\n"
        "server=/shop.test/127.0.0.1#5300\nrebind-domain-ok=/shop.test/\n"
    }


def test_unbound():
    _, files = written("unbound", wish=Wish(("dev.test",), ("127.0.0.1", 5353)))
    assert files == {
        "/etc/unbound/unbound.conf.d/devdns.conf": "server:\n  do-not-query-localhost: no\n"
        '  local-zone: "dev.test." transparent\n  domain-insecure: "dev.test."\n  private-domain: "dev.test."\n'
        'stub-zone:\n  name: "dev.test."\n  stub-addr: 127.0.0.1@5353\n  stub-no-cache: yes\n'
    }


def test_resolv_conf_keeps_its_servers_below_ours_and_is_the_same_when_made_again():
    said, files = written("resolv.conf")
    assert said == {"DEVDNS_DNS": "127.0.0.53:53", "DEVDNS_DNS_FORWARD": "system"}
    text = "search lan\nnameserver 127.0.0.53\nnameserver 192.0.2.1\noptions edns0\n"
    assert files == {"/etc/resolv.conf": text}
    assert written("resolv.conf", Machine(resolv_conf=HEAD + text)) == (said, files)
    with pytest.raises(UsageRefused, match="port 53"):
        written("resolv.conf", wish=Wish(("dev.test",), ("127.0.0.1", 5300)))


def test_macos():
    _, files = written("macos", Machine("darwin"))
    text = "nameserver 127.0.0.1\nport 5300\n"
    assert files == {"/etc/resolver/dev.test": text, "/etc/resolver/shop.test": text}


def test_the_hosts_file_and_nothing():
    wish = Wish(("dev.test",), names=("api.dev.test",))
    assert resolvers.plan("hosts", wish, PLAIN, ME).steps == (Block("/etc/hosts", ME.state_dir, ("api.dev.test",)),)
    assert resolvers.plan("off", WISH, PLAIN, ME).steps == ()
    assert resolvers.owner("/home/M\xfcller\n x") == "/home/M\\u00fcller\\n\\u0020x"


DNS = ("127.0.0.1", 5300)


def test_a_service_at_boot_gets_its_ports_from_systemd():
    plan = services.plan("auto", Ports(("127.0.0.53", 53)), RESOLVED, ME)
    *units, enable = plan.steps
    texts = {step.path: step.text.removeprefix(HEAD) for step in units}
    names = [f"devdns-{name}.socket" for name in ("dns-udp", "dns-tcp", "http", "https")]
    assert enable == Enable((*names, "devdns.service"))
    assert list(texts) == [f"/etc/systemd/system/{name}" for name in (*names, "devdns.service")]
    assert texts["/etc/systemd/system/devdns-dns-udp.socket"] == (
        "[Unit]\nDescription=devdns: its dns-udp listeners\n\n"
        "[Socket]\nListenDatagram=127.0.0.53:53\nFileDescriptorName=dns-udp\nService=devdns.service\n"
        "BindIPv6Only=ipv6-only\nBacklog=4096\n\n[Install]\nWantedBy=sockets.target\n"
    )
    assert "ListenStream=127.0.0.1:443\nListenStream=[::1]:443\n" in texts["/etc/systemd/system/devdns-https.socket"]
    assert texts["/etc/systemd/system/devdns.service"] == (
        "[Unit]\nDescription=devdns: a name instead of a port for every local service\n"
        f"Requires={' '.join(names)}\nAfter={' '.join(names)} network.target\n\n"
        "[Service]\nUser=me\n"
        "ExecStart=/opt/devdns/bin/python -P -m devdns.cli.main up --state-dir /home/me/.local/state/devdns\n"
        "Restart=on-failure\nNoNewPrivileges=yes\n\n[Install]\nWantedBy=multi-user.target\n"
    )
    assert all(map(needs_root, plan.steps))


def test_a_service_at_login_needs_no_root_and_has_ports_that_need_none():
    plan = services.plan("login", Ports(DNS), RESOLVED, ME)
    assert not any(map(needs_root, plan.steps))
    assert plan.steps[-1].user == "me"
    assert all(step.path.startswith("/home/me/.config/systemd/user/devdns") for step in plan.steps[:-1])
    assert "ListenStream=127.0.0.1:8080\n" in plan.steps[2].text
    assert "8080" in plan.notes[0]


def test_low_ports_for_everybody_are_had_only_when_asked_for_and_the_risk_is_said():
    plan = services.plan("login", Ports(DNS, way="sysctl"), RESOLVED, ME)
    assert plan.steps[0].text.endswith("net.ipv4.ip_unprivileged_port_start = 80\n")
    assert plan.steps[1] == Setting("net/ipv4/ip_unprivileged_port_start", "80")
    assert "every program of every user" in plan.notes[0]
    assert "ListenStream=127.0.0.1:80\n" in plan.steps[4].text
    assert services.plan("off", Ports(("127.0.0.53", 53), way="sysctl"), PLAIN, ME).steps[1].value == "53"
    assert services.plan("auto", Ports(DNS), PLAIN, ME).steps == ()
    assert "ListenStream=127.0.0.1:8080\n" in services.plan("boot", Ports(DNS, way="off"), RESOLVED, ME).steps[2].text
    assert len(services.plan("boot", Ports(DNS, https=False), RESOLVED, ME).steps) == 5
    with pytest.raises(UsageRefused, match="systemd"):
        services.plan("boot", Ports(DNS), PLAIN, ME)


@pytest.mark.parametrize(
    ("service", "path"),
    [("boot", "/Library/LaunchDaemons/devdns.plist"), ("login", "/home/me/Library/LaunchAgents/devdns.plist")],
)
def test_launchd(service, path):
    person = Person("me", 501, 20, "/home/me", "/home/me/a <b> & c", "/opt/python", "/home/me/devdns.yml")
    write, load = services.plan(service, Ports(DNS), Machine("darwin"), person).steps
    assert (write.path, load) == (path, Load(path))
    job = plistlib.loads(write.text.encode())
    environ = job.pop("EnvironmentVariables", None)
    assert environ == ({"SUDO_UID": "501", "SUDO_GID": "20", "HOME": "/home/me"} if service == "boot" else None)
    assert job == {
        "Label": "devdns",
        "ProgramArguments": [*services.command(person)],
        "RunAtLoad": True,
        "KeepAlive": {"SuccessfulExit": False},
    }


def test_systemd_accepts_the_units(tmp_path):
    """Also with a path that holds what means something in a unit."""
    need("systemd-analyze")
    place = tmp_path / "a b %h $c"
    place.mkdir()
    python = place / "python"
    shutil.copy("/bin/true", python)
    person = Person("root", 0, 0, str(tmp_path), f'{place}/"', str(python))
    names = []
    for step in services.plan("login", Ports(DNS), RESOLVED, person).steps[:-1]:
        names.append(tmp_path / step.path.rpartition("/")[2])
        names[-1].write_text(step.text)
    checked = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--generators=no", *map(str, names)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    ours = [line for line in checked.stderr.splitlines() if "devdns" in line or str(tmp_path) in line]
    assert (checked.returncode, ours) == (0, [])


@pytest.mark.parametrize(
    ("step", "before"),
    [
        (Write("/etc/passwd", "x"), State()),
        (Write("/etc/systemd/system/devdns.service", "x"), State("abc", b"[Service]\nExecStart=/bin/evil\n")),
        (Write("/etc/systemd/system/devdns/../ssh.service", "x"), State()),
        (Write("/root/.bashrc", "x", user=(0, 0)), State()),
        (Block("/etc/shadow", "o", ()), State()),
        (Setting("kernel/core_pattern", "x"), State()),
        (Enable(("ssh.service",)), State()),
        (Enable(("devdns.service",), "me --host=evil"), State()),
        (Load("/Library/LaunchDaemons/evil.plist"), State()),
        (Write("/etc/systemd/system/devdns.service", "x"), State(link="/home/me/evil.service")),
        (Write("/etc/systemd/system/devdns.service", "x"), State(folders=("/etc/cron.d",))),
        (Write("/home/me/a/.config/systemd/user/devdns.service", "x", user=(0, 0)), State("abc", b"[Service]")),
        (Write("/home/me/a/.config/systemd/user/devdns.service", "x", user=(0, 0)), State()),
        (Write("/home/you/.config/systemd/user/devdns.service", "x", user=(1001, 1001)), State()),
        (Write("/home/me/.config/systemd/user/devdns.service", "x", user=(1000, 0)), State()),
        (Write("/home/me/state/installed.json", "x"), State("abc", b"x", 0o4755)),
        (Write("/home/me/state/installed.json", "x", user=(1000, 1000)), State("abc", link="/etc/shadow")),
        (Write("/etc/resolv.conf", "x"), State("abc", b"x", 0o666)),
        (Write("/etc/resolv.conf", "x"), State("abc", b"x", 0o644, (1000, 1000))),
        (Setting("net/ipv4/ip_unprivileged_port_start", "80"), State("abc", b"1024\n0")),
    ],
)
def test_a_journal_that_somebody_else_wrote_is_not_believed(step, before):
    with pytest.raises(DevdnsError, match="never changes"):
        refuse_strange(step, before, "/home/me/state", ME.user)


def test_what_our_plans_make_is_believed():
    plans = [resolvers.plan(kind, WISH, PLAIN, ME) for kind in resolvers.KINDS]
    plans += [services.plan(service, Ports(DNS, way="sysctl"), RESOLVED, ME) for service in ("boot", "login")]
    plans += [services.plan(service, Ports(DNS), Machine("darwin"), ME) for service in ("boot", "login")]
    steps = [step for plan in plans for step in plan.steps]
    for step in steps:
        refuse_strange(step, State(), ME.state_dir, ME.user)
        refuse_strange(step, State(), ME.state_dir, (0, 0))
    refuse_strange(Write("/etc/resolv.conf", "x"), State("a", link="../run/systemd/resolve/x"), "/home/me/s", ME.user)
    assert len({step.key for step in steps}) > 20


def test_a_link_is_not_brought_back_that_leads_to_what_the_user_can_change(tmp_path):
    """Root's own folders are; whoever keeps the journal could put anything in the place of the others."""
    open_to_all = tmp_path / "open"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    for link in (str(open_to_all / "not-there"), "../../../../../../../../dev/shm/x"):
        with pytest.raises(DevdnsError, match="not root's alone"):
            refuse_open_link(tmp_path / "resolv.conf", link, 1000)
        refuse_open_link(tmp_path / "resolv.conf", link, 0)
    refuse_open_link(Path("/etc/resolv.conf"), "../usr/lib/not-there/resolv.conf", 1000)
