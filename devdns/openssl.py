"""Where OpenSSL finds the settings of the proxy's processes. Standard library only; the proxy is not imported."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec

VARIABLE = "OPENSSL_CONF"


def configured(environ: Mapping[str, str]) -> dict[str, str]:
    """The variable that names the file; nothing where the user has named one."""
    spec = find_spec("devdns_proxy")
    if environ.get(VARIABLE) or spec is None or not spec.submodule_search_locations:
        return {}
    return {VARIABLE: f"{spec.submodule_search_locations[0]}/tls/openssl.cnf"}
