"""Every check, in the order of cause and effect: what comes first may be the reason of what comes later."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from devdns.doctor import around, naming, running
from devdns.doctor.facts import Facts
from devdns.doctor.findings import Finding, ranked

Check = Callable[[Facts], Iterable[Finding]]
CHECKS: tuple[Check, ...] = (
    running.config,
    running.state_folder,
    running.ports,
    running.daemon,
    running.version,
    running.direct,
    naming.zones,
    naming.hosts_file,
    naming.resolver_files,
    naming.nsswitch,
    naming.vpn,
    naming.resolved,
    around.journal,
    naming.system,
    around.clock,
    around.authority,
    around.trust,
    around.browsers,
    around.proxies,
    around.engine,
    running.parts,
    running.routes,
    running.elsewhere,
)


def findings(facts: Facts) -> list[Finding]:
    """What all checks find, the worst first."""
    return ranked(found for check in CHECKS for found in check(facts))
