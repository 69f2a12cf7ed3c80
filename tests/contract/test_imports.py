"""Who may import whom, and which part owns which third-party library."""

import re
import subprocess
import sys
import tomllib

import pytest
from support.source import ROOT, imports, inside, is_ours, is_standard, modules

# The first row that holds a module rules it: what of ours it may import besides its own place.
DIRECTIONS = (
    ("devdns.core", ("devdns.core",)),
    ("devdns.providers.docker*", ("devdns.core", "devdns.providers.docker*")),
    ("devdns.providers.file*", ("devdns.core", "devdns.providers.file*")),
    ("devdns.providers.manual*", ("devdns.core", "devdns.providers.manual*")),
    ("devdns.providers.mdns*", ("devdns.core", "devdns.providers.mdns*")),
    ("devdns.providers", ("devdns.core",)),
    ("devdns.exports", ("devdns.core", "devdns.exports")),
    ("devdns.system", ("devdns.core", "devdns.system")),
    ("devdns.diagnostics", ("devdns.core", "devdns.diagnostics")),
    ("devdns.doctor", ("devdns.core", "devdns.demo.dns", "devdns.doctor", "devdns.ports", "devdns.system")),
    ("devdns.control", ("devdns.core", "devdns.control", "devdns.links", "devdns.providers", "devdns.exports")),
    ("devdns.ports", ("devdns.core.errors",)),
    ("devdns.listeners", ("devdns.core.errors", "devdns.ports")),
    ("devdns.state_folder", ("devdns.core.errors", "devdns.core.plain_file", "devdns.listeners")),
    ("devdns.bridges", ()),
    ("devdns.handed", ("devdns.core.errors",)),
    ("devdns.links", ()),
    ("devdns.openssl", ()),
    ("devdns.doors", ("devdns.bridges", "devdns.listeners")),
    (
        "devdns.raw_doors",
        ("devdns.core.own_addresses", "devdns.doors", "devdns.listeners", "devdns.ports"),
    ),
    ("devdns.signals", ()),
    ("devdns.bridge_watch", ("devdns.bridges", "devdns.links")),
    ("devdns.children", ("devdns.doors",)),
    ("devdns.plan", ("devdns.handed", "devdns.listeners")),
    ("devdns.sockets", ("devdns.bridges", "devdns.doors", "devdns.listeners", "devdns.raw_doors")),
    (
        "devdns.supervisor",
        (
            "devdns.bridge_watch",
            "devdns.children",
            "devdns.core.errors",
            "devdns.handed",
            "devdns.listeners",
            "devdns.openssl",
            "devdns.plan",
            "devdns.raw_doors",
            "devdns.signals",
            "devdns.sockets",
            "devdns.state_folder",
        ),
    ),
    (
        "devdns.process.parts",
        ("devdns.core", "devdns.process", "devdns.control", "devdns.system", "devdns_resolver", "devdns_proxy"),
    ),
    ("devdns.process.standalone", ("devdns.core", "devdns.process", "devdns.listeners", "devdns.state_folder")),
    ("devdns.process", ("devdns.core", "devdns.process")),
    ("devdns_resolver", ("devdns.core", "devdns_resolver")),
    ("devdns_proxy", ("devdns.core", "devdns_proxy")),
    ("devdns_study", ("devdns.core", "devdns_study", "devdns_bench.statistics", "devdns_bench.drawing")),
)
OWNERS = {
    "aiohttp": ("devdns_proxy", "devdns.control", "devdns.cli", "devdns_bench", "devdns_study"),
    "click": ("devdns.cli",),
    "cryptography": ("devdns.control.signing",),
    "dnslib": ("devdns_resolver",),
    "docker": ("devdns.providers.docker*",),
    "hpack": ("devdns_proxy",),
    "httptools": ("devdns_proxy",),
    "ifaddr": ("devdns.providers.mdns*", "devdns.control.network"),
    "matplotlib": ("devdns_bench", "devdns_study"),
    "msgspec": ("devdns", "devdns_resolver", "devdns_proxy", "devdns_bench", "devdns_study"),
    "numpy": ("devdns_bench", "devdns_study"),
    "prometheus_client": ("devdns.control",),
    "requests": ("devdns.providers.docker*",),
    "scipy": ("devdns_bench", "devdns_study"),
    "structlog": ("devdns", "devdns_resolver", "devdns_proxy", "devdns_bench", "devdns_study"),
    "urllib3": ("devdns.providers.docker*",),
    "uvloop": ("devdns.process", "devdns.app", "devdns_bench"),
    "watchfiles": ("devdns.providers.file*",),
    "yaml": ("devdns.core",),
    "zeroconf": ("devdns.providers.mdns*",),
}
BROUGHT_BY_DOCKER = {"requests", "urllib3"}  # its exceptions are theirs
CORE_MAY_IMPORT = ("msgspec", "yaml")
MODULES = sorted(modules())


def _allowed(module: str) -> tuple[str, ...] | None:
    return next((allowed for place, allowed in DIRECTIONS if inside(module, (place,))), None)


@pytest.mark.parametrize("module", MODULES)
def test_our_own_modules_are_imported_in_the_designed_directions_only(module):
    allowed = _allowed(module)
    wrong = [
        f"line {line} imports {name}"
        for name, line in imports(modules()[module])
        if is_ours(name) and name != "devdns" and allowed is not None and not inside(name, allowed)
    ]
    assert not wrong, f"{module}: {wrong}"


@pytest.mark.parametrize("module", MODULES)
def test_a_third_party_library_is_imported_by_its_owner_only(module):
    foreign = [(name, line) for name, line in imports(modules()[module]) if not is_ours(name) and not is_standard(name)]
    wrong = [
        f"line {line} imports {name}"
        for name, line in foreign
        if not inside(module, OWNERS.get(name.partition(".")[0], ()))
    ]
    assert not wrong, f"{module}: {wrong}"


@pytest.mark.parametrize("module", [module for module in MODULES if inside(module, ("devdns.core",))])
def test_the_model_imports_msgspec_yaml_and_the_standard_library_only(module):
    roots = {name.partition(".")[0] for name, _ in imports(modules()[module]) if not is_standard(name)}
    assert roots <= {"devdns", *CORE_MAY_IMPORT}


def test_the_supervisor_loads_the_standard_library_only():
    """It stays small and has nothing in it that could fail; asyncio counts as too much."""
    show = "import sys; there = {*sys.modules}; import devdns.supervisor; print(*sys.modules.keys() - there)"
    loaded = subprocess.run([sys.executable, "-c", show], capture_output=True, text=True, check=True).stdout.split()
    foreign = {name.partition(".")[0] for name in loaded if not is_ours(name) and not is_standard(name)}
    assert "devdns.supervisor" in loaded
    assert not foreign
    assert "asyncio" not in loaded


def test_the_libraries_in_use_are_the_declared_dependencies():
    distributions = {"prometheus-client": "prometheus_client", "pyyaml": "yaml"}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = {
        *project["dependencies"],
        *(each for extra in project["optional-dependencies"].values() for each in extra),
    }
    named = {re.split(r"[^A-Za-z0-9_-]", line)[0] for line in declared}
    used = {name.partition(".")[0] for path in modules().values() for name, _ in imports(path)}
    foreign = {name for name in used if not is_standard(name) and not is_ours(name)}
    assert foreign - BROUGHT_BY_DOCKER == {distributions.get(name, name) for name in named}
