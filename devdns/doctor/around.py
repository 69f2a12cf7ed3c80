"""Checks of what stands around: browsers, proxies, the CA and who trusts it, the clock, Docker, and our own journal. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from devdns.doctor.browser_settings import asks_system
from devdns.doctor.facts import Authority, Browser, Facts
from devdns.doctor.findings import Finding, fine

DAY = 86_400.0
JOURNAL, KEY = "journal", "key"


def browsers(facts: Facts) -> Iterator[Finding]:
    """Browsers that ask a server on the internet, which knows nothing of our names."""
    lost = [each for each in facts.browsers if not asks_system(each, facts.name)]
    first = [each for each in facts.browsers if each.mode == "first"]
    for each in lost:
        yield Finding(
            "browser DNS",
            "fault",
            f"{each.name} asks for every name by HTTPS{_of(each)} only: {each.place}",
            "that server has never heard of names of this machine, so they do not open in the browser",
            _mend(each, facts.zones),
        )
    for each in (each for each in first if each not in lost):
        yield Finding(
            "browser DNS",
            "warning",
            f"{each.name} asks for names by HTTPS{_of(each)} first: {each.place}",
            "it tells that server our names, and finds them only after its refusal",
            _mend(each, facts.zones),
        )
    if not (lost or first):
        yield fine("browser DNS", f"{len(facts.browsers)} browser settings, and all ask the system")


def _of(browser: Browser) -> str:
    return f" ({browser.server})" if browser.server else ""


def _mend(browser: Browser, zones: tuple[str, ...]) -> str:
    names = ", ".join(zones)
    if browser.managed:
        return f"whoever wrote that policy must leave {names} out, or turn it off"
    if browser.name == "Firefox":
        return f"about:config, network.trr.excluded-domains: add {names}"
    return (
        f"{browser.name}'s settings, Privacy and security, Security, Use secure DNS: with your current provider, or off"
    )


def proxies(facts: Facts) -> Iterator[Finding]:
    """Variables that send programs to a proxy, which looks names up by itself."""
    said = {key.lower(): value for key, value in facts.proxies.items() if value}
    asked = [key for key in ("http_proxy", "https_proxy", "all_proxy") if key in said]
    if not asked:
        return
    left_out = {each.strip().lstrip(".*").lower() for each in said.get("no_proxy", "").split(",")} - {""}
    covered = said.get("no_proxy", "").strip() == "*" or all(
        any(zone == each or zone.endswith(f".{each}") for each in left_out) for zone in facts.zones
    )
    if covered:
        yield fine("proxy variables", f"{asked[0]} is set, and no_proxy leaves our zones out")
    else:
        yield Finding(
            "proxy variables",
            "fault",
            f"{asked[0]} is {said[asked[0]]}, and no_proxy does not hold {', '.join(facts.zones)}",
            "curl and most libraries send requests for our names to that proxy, which cannot reach this machine",
            'eval "$(devdns env)" sets no_proxy',
        )


def clock(facts: Facts) -> Iterator[Finding]:
    """A clock that goes wrong makes certificates look wrong."""
    ca = facts.authority
    if facts.now < facts.built - DAY:
        yield Finding(
            "clock",
            "fault",
            f"this machine says it is {_day(facts.now)}, and devdns was installed on {_day(facts.built)}",
            "certificates look as if they were not valid yet",
            "set the clock (timedatectl set-ntp true)",
        )
    elif ca and ca.since > facts.now + 1:
        yield Finding(
            "clock",
            "fault",
            f"this machine says it is {_day(facts.now)}, and its CA is valid from {_day(ca.since)} on",
            "every certificate is refused: the clock is behind, or it was ahead when the CA was made",
            "set the clock (timedatectl set-ntp true); if it is right, remove ca.pem and ca.key, and restart devdns",
        )
    else:
        yield fine("clock", f"{_day(facts.now)}")


def _day(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M UTC")


def authority(facts: Facts) -> Iterator[Finding]:
    """The CA itself: can it sign for our zones, is it still valid, is its key kept."""
    ca = facts.authority
    if ca is None:
        return
    found = list(_wrong(ca, facts))
    yield from found
    if not found:
        yield fine("CA", f"valid until {_day(ca.until)}, for {', '.join(facts.zones)}")


def _wrong(ca: Authority, facts: Facts) -> Iterator[Finding]:
    again = "devdns down, then devdns up, makes another; devdns trust then trusts it"
    if ca.failure:
        yield Finding("CA", "fault", ca.failure, "there is no https", f"remove ca.pem and ca.key; {again}")
        return
    if ca.until < facts.now:
        yield Finding("CA", "fault", f"the CA ended on {_day(ca.until)}", "every certificate is refused", again)
    if ca.missing:
        yield Finding(
            "CA",
            "fault",
            f"the CA may not sign for {', '.join(ca.missing)}",
            "a new zone means a new CA: programs refuse its certificates for names there",
            again,
        )
    if ca.key_mode & 0o077:
        yield Finding(
            "CA",
            "fault",
            f"ca.key can be read by others (mode {ca.key_mode:04o})",
            "whoever has it can pass for every name of your zones",
            "chmod 600 the file, or devdns doctor --fix",
            KEY,
        )


def trust(facts: Facts) -> Iterator[Finding]:
    """Who trusts the CA."""
    ca = facts.authority
    if ca is None or ca.failure:
        return
    for each in ca.trusts:
        key = f"{each.store.kind} {each.store.place}"
        if each.answer == "trusted":
            yield fine("trust", f"{each.store.label} trusts the CA")
        elif each.answer == "unknown":
            yield Finding("trust", "warning", f"{each.store.label} cannot be asked: {each.reason}", "", "")
        elif key in ca.once:
            yield Finding(
                "trust",
                "fault",
                f"{each.store.label} does not trust the CA any more",
                "somebody took it out, or made the store anew: https shows a warning there",
                "devdns trust",
            )
        else:
            yield Finding(
                "trust",
                "warning",
                f"{each.store.label} does not trust the CA",
                "https shows a warning there",
                "devdns trust",
            )


def engine(facts: Facts) -> Iterator[Finding]:
    """Docker, where it is there or was asked for."""
    if facts.engine is None:
        return
    if not facts.engine.failure:
        yield fine("docker", f"{facts.engine.url} can be reached")
        return
    mend = "start it, or docker: {enabled: false} in devdns.yml"
    if facts.engine.refused:
        mend = "sudo usermod -aG docker $USER, then log in anew"
    yield Finding(
        "docker",
        "fault" if facts.engine.asked or facts.engine.refused else "warning",
        f"Docker at {facts.engine.url} cannot be reached: {facts.engine.failure}",
        "containers get no names",
        mend,
    )


def journal(facts: Facts) -> Iterator[Finding]:
    """What devdns changed on this machine, and whether it still stands."""
    if facts.journal_problem:
        yield Finding(
            "journal",
            "fault",
            facts.journal_problem,
            "what devdns changed on this machine can be neither kept up nor taken back",
            "devdns system status",
        )
    for each in facts.journal:
        if each.state in ("half", "gone", "changed", "unknown"):
            yield _entry(each.key, each.state, each.difference)
    if facts.installed and not facts.journal_problem and all(each.state == "stands" for each in facts.journal):
        yield fine("journal", f"all {len(facts.journal)} changes of this machine stand")


def _entry(key: str, state: str, difference: str) -> Finding:
    again = 'sudo "$(which devdns)" system install puts it right'
    seen, why, mend, fix = {
        "half": (
            f"a change of {key} was cut off half way",
            "the machine is neither as before nor as it should be",
            f"{again}; uninstall, or devdns doctor --fix, takes it back",
            JOURNAL,
        ),
        "gone": (
            f"{key} is as it was before devdns system install",
            "the journal is stale: programs are no longer pointed at devdns",
            f"{again}; devdns doctor --fix forgets it",
            JOURNAL,
        ),
        "changed": (
            f"{key} was changed by somebody else",
            "what devdns wrote there is not in force",
            f"devdns system status shows the difference; {again} once that is taken out",
            "",
        ),
        "unknown": (f"{key} cannot be looked at: {difference}", "nobody knows whether it stands", "", ""),
    }[state]
    return Finding("journal", "warning" if state == "unknown" else "fault", seen, why, mend, fix)
