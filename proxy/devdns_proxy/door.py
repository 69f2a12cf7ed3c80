"""What kind of listener a connection came in by: what its requests are told of it, and what is expected of them."""

from __future__ import annotations

from msgspec import Struct

PORTS = {"http": 80, "https": 443}


class Door(Struct, frozen=True, gc=False):
    """`scheme` is `http` or `https`; `http2`: the protocol spoken behind it is HTTP/2, not HTTP/1.1."""

    scheme: str = "http"
    http2: bool = False

    @property
    def secure(self) -> bool:
        """True where clients speak TLS."""
        return self.scheme == "https"

    @property
    def port(self) -> int:
        """The port that a Host without one means."""
        return PORTS[self.scheme]


PLAIN = Door()
TLS = Door("https")
TLS_HTTP2 = Door("https", http2=True)
