"""What browsers are told about DNS over HTTPS, read from the texts of their own files. Pure: text in, settings out.

Firefox keeps preferences as JavaScript lines (`user.js` wins over `prefs.js`, a policy over both); Chromium and its kin a JSON
file, `Local State`, and policies as JSON files of the machine.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from devdns.doctor.facts import Browser

PREFERENCE = re.compile(r'^\s*(?:user_pref|pref|lockPref|defaultPref)\(\s*"([^"]+)"\s*,\s*(.+?)\s*\)\s*;', re.MULTILINE)
#: network.trr.mode: 2 asks by HTTPS first, 3 by HTTPS only; 0 and 5 leave it to the system, as the older 1 and 4 do now.
FIREFOX_MODES = {2: "first", 3: "strict"}
#: Chromium's DnsOverHttpsMode, as a policy and in Local State.
CHROMIUM_MODES = {"automatic": "first", "secure": "strict"}


def preferences(text: str) -> dict[str, Any]:
    """The preferences of a `prefs.js` or `user.js`; what is no plain value is passed over."""
    found: dict[str, Any] = {}
    for name, value in PREFERENCE.findall(text):
        try:
            found[name] = json.loads(value)
        except ValueError:
            continue
    return found


def firefox(place: str, texts: Iterable[str]) -> Browser:
    """A profile; of its texts the later one wins."""
    said: dict[str, Any] = {}
    for text in texts:
        said |= preferences(text)
    mode = FIREFOX_MODES.get(_number(said.get("network.trr.mode")), "off")
    server = str(said.get("network.trr.uri") or said.get("network.trr.custom_uri") or "")
    return Browser("Firefox", place, mode, server, _domains(said.get("network.trr.excluded-domains")))


def firefox_policy(place: str, text: str) -> Browser | None:
    """What a `policies.json` says of DNS over HTTPS; None where it says nothing."""
    said = _object(_object(_parsed(text)).get("policies")).get("DNSOverHTTPS")
    if not isinstance(said, dict) or "Enabled" not in said:
        return None
    mode = "off" if not said["Enabled"] else "first" if said.get("Fallback", True) else "strict"
    excluded = said.get("ExcludedDomains")
    domains = tuple(map(str, excluded)) if isinstance(excluded, list) else ()
    return Browser("Firefox", place, mode, str(said.get("ProviderURL") or ""), domains, managed=True)


def chromium(name: str, place: str, text: str) -> Browser:
    """A `Local State`."""
    said = _object(_object(_parsed(text)).get("dns_over_https"))
    return Browser(
        name, place, CHROMIUM_MODES.get(str(said.get("mode")), "off"), str(said.get("templates") or "").strip()
    )


def chromium_policy(name: str, place: str, text: str) -> Browser | None:
    """What a file of policies says of DNS over HTTPS; None where it says nothing."""
    said = _object(_parsed(text))
    if "DnsOverHttpsMode" not in said:
        return None
    mode = CHROMIUM_MODES.get(str(said["DnsOverHttpsMode"]), "off")
    return Browser(name, place, mode, str(said.get("DnsOverHttpsTemplates") or "").strip(), managed=True)


def asks_system(browser: Browser, host: str) -> bool:
    """True where the browser finds `host` as other programs do, at least in the end."""
    return browser.mode != "strict" or any(
        host == each or host.endswith(f".{each}") for each in map(_bare, browser.excluded)
    )


def _bare(domain: str) -> str:
    return domain.strip().strip(".").lower()


def _domains(value: Any) -> tuple[str, ...]:
    return tuple(filter(None, map(_bare, value.split(",")))) if isinstance(value, str) else ()


def _number(value: Any) -> int:
    return value if isinstance(value, int) else 0


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
