"""What there is to say of a request that is over: for an access log, and for nobody where there is none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from msgspec import Struct

#: The response was written whole; it, or the request's body, broke off; the client left; the head or the body was refused;
#: both sides speak another protocol from here on.
How = Literal["whole", "cut", "left", "refused", "tunnel"]


class Ending(Struct, frozen=True, gc=False):
    """One request that is over.

    `method`, `target`, `host` and `request_id` are empty where its head was refused, `route` (host and prefix) where none
    answered, `service` where none was asked, `reason` but for answers of our own. `status` is 499 when the client left before there was one. `seconds` count from
    the head's last byte; `received` and `sent` are bytes on the client's connection since its last request ended.
    """

    how: How
    client: str
    method: bytes
    target: bytes
    host: str
    request_id: bytes
    route: str
    service: str
    status: int
    seconds: float
    received: int
    sent: int
    reason: str = ""


Access = Callable[[Ending], None]
