"""Atheris drives the resolver's parser and responder with any bytes whatever.

    python tests/fuzz/dns_responder.py CORPUS_FOLDER -max_total_time=60

Atheris is in no requirements; `tests/evidence/test_fuzz.py` fetches it. `check` is what must hold of every input.
"""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

with contextlib.suppress(ImportError):
    import atheris

    with atheris.instrument_imports(include=["devdns_resolver"]):
        import devdns_resolver.packet
        import devdns_resolver.query  # noqa: F401 - imported here to be instrumented

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.dns_scene import view

from devdns_resolver.responder import Responder

WARM = Responder(view())
LIMIT = 1232


def check(data: bytes) -> None:
    """A reply is one to this message, within its bounds, the same whether or not it was kept; no fault of ours shows."""
    cold = Responder(view())
    replies = [_reply(cold, data), _reply(WARM, data), _reply(WARM, data)]
    reply = replies[0]
    assert replies == [reply] * 3, "a kept reply differs"
    assert cold.counters.failures == WARM.counters.failures == 0, "a fault of ours"
    if reply is None:
        assert len(data) < 12 or data[2] & 0x80, "a query without a reply"
        return
    assert reply[:2] == data[:2], "another's ID"
    assert reply[2] & 0x80, "not a response"
    assert 12 <= len(reply) <= LIMIT, "out of bounds"


def _reply(responder: Responder, data: bytes) -> bytes | None:
    """As a UDP listener gets it."""
    responder.refresh()
    vantage = responder.vantage(responder.desk("udp", "127.0.0.1"), "127.0.0.1")
    found = vantage.answers.get(data[2:])
    return data[:2] + found[0] if found is not None else responder.respond(vantage, data)


if __name__ == "__main__":
    atheris.Setup(sys.argv, check)
    atheris.Fuzz()
