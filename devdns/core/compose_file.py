"""The names of the services in a compose file. It is only looked at: anchors, merges and variables in it are compose's own business."""

from __future__ import annotations

import yaml

from devdns.core.errors import UsageRefused
from devdns.core.written import Loader


def services(data: bytes, path: str) -> list[str]:
    """In their order; raises `UsageRefused` for a text that is no YAML or names none."""
    try:
        tree = yaml.compose(data, Loader)
    except (yaml.YAMLError, RecursionError) as error:
        raise UsageRefused(f"{path} is not YAML", " ".join(str(error).split())[:120]) from None
    pairs = tree.value if isinstance(tree, yaml.MappingNode) else []
    found = next((value for key, value in pairs if key.value == "services"), None)
    names = (
        [key.value for key, _ in found.value if isinstance(key.value, str)]
        if isinstance(found, yaml.MappingNode)
        else []
    )
    if not names:
        raise UsageRefused(f"{path} names no services", "name them with --service NAME")
    return names
