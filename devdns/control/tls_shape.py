"""What the API tells of TLS, whoever knows it: nothing where the proxy does not listen for https."""

from __future__ import annotations

from typing import Any, Protocol

from devdns.core.figures import Family


class TlsFacts(Protocol):
    """The CA, the certificates and how they fare."""

    def shape(self) -> dict[str, Any] | None: ...

    def problems(self) -> list[str]: ...

    def families(self) -> tuple[Family, ...]: ...


class NoTls:
    """There is no https."""

    def shape(self) -> None:
        return None

    def problems(self) -> list[str]:
        return []

    def families(self) -> tuple[Family, ...]:
        return ()
