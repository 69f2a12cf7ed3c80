"""What `devdns status` shows of certificates."""

from __future__ import annotations

from devdns.cli.show import Row
from devdns.cli.text import clean


def tls_lines(tls: Row | None) -> list[str]:
    """The CA, the user's own certificate and the leaves, one line each; nothing where there is no https."""
    if not tls:
        return []
    ca, own, leaves = tls["ca"], tls["own"], tls["leaves"]
    lines = []
    if ca:
        fingerprint = clean(ca["fingerprint"])[:23]
        lines.append(f"ca      {fingerprint}..., for {clean(', '.join(ca['zones']))}, until {_day(ca['until'])}")
    if own:
        lines.append(
            f"tls     {clean(own['path'])}, for {clean(', '.join(own['names'][:5]))}, until {_day(own['until'])}"
        )
    if leaves["until"]:
        count = leaves["count"]
        lines.append(f"leaves  {count} signed, until {_day(leaves['until'])}, renewed by themselves")
    return lines


def _day(moment: str) -> str:
    return clean(moment)[:10]
