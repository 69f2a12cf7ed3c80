"""What a part counts, as it tells control and control shows at `/metrics`: families of samples, in Prometheus's terms."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

#: The proxies' count of requests that ended, with the labels `route` and `status`: what rates are made of.
REQUESTS = "devdns_http_requests_total"
#: A part that went wrong must not be able to forge another's lines, nor to grow control.
Name = Annotated[str, Meta(pattern="^devdns_[a-z_]{1,60}$")]
Suffix = Literal["", "_bucket", "_sum", "_count"]
Label = tuple[Annotated[str, Meta(pattern="^[a-z_]{1,40}$")], Annotated[str, Meta(max_length=200)]]


class Sample(Struct, frozen=True, array_like=True):
    """One value. The suffixes are those of a histogram."""

    value: int | float
    labels: Annotated[tuple[Label, ...], Meta(max_length=8)] = ()
    suffix: Suffix = ""


class Family(Struct, frozen=True, array_like=True):
    """Samples of one name, what they are and what they mean."""

    name: Name
    kind: Literal["counter", "gauge", "histogram"]
    meaning: Annotated[str, Meta(max_length=200)]
    samples: Annotated[tuple[Sample, ...], Meta(max_length=2_000)] = ()
