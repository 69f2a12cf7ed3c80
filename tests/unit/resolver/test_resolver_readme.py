"""Every row of the resolver's README is what the resolver does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.dns_scene import view
from support.dns_transcript import answers, ask, denial, status

from devdns_resolver.codes import PLAIN_SIZE, UDP_SIZE
from devdns_resolver.responder import MAX_ANSWERS, Responder
from devdns_resolver.server import IDLE, MAX_CONNECTIONS

README = Path(__file__).parents[3] / "resolver" / "README.md"
ROW = re.compile(r"\| `(?P<asked>[^`]+)` \| (?P<status>[A-Z]+[a-z ]*?) \|(?P<answer>.*)\|(?P<soa>[^|]*)\|")
ROWS = [row.groupdict() for row in map(ROW.fullmatch, README.read_text().splitlines()) if row]


def test_the_readme_has_its_rows() -> None:
    assert len(ROWS) == README.read_text().count("| NOERROR") + len(
        re.findall(r"\| (?:NX|REF|FORM|NOTI|BADV)", README.read_text())
    )
    assert len(ROWS) > 45


def test_the_bounds_it_names_are_the_bounds() -> None:
    text = README.read_text()
    assert f"{MAX_CONNECTIONS:,} connections" in text
    assert f"{IDLE:.0f} s without a whole query" in text
    assert f"{MAX_ANSWERS:,} replies" in text
    assert f"over {UDP_SIZE} bytes, without OPT {PLAIN_SIZE}" in text


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["asked"])
@pytest.mark.parametrize("times", [1, 3], ids=["built", "kept"])
def test_row(row: dict[str, str], times: int) -> None:
    responder = Responder(view())
    responder.refresh()
    asked = ask(row["asked"])
    desk = responder.desk("tcp" if asked.tcp else "udp", "127.0.0.1")
    for _ in range(times):
        reply = responder.respond(responder.vantage(desk, "127.0.0.1"), asked.wire)
    assert reply is not None
    assert status(reply) == row["status"]
    assert answers(reply) == "\n".join(re.findall(r"`([^`]+)`", row["answer"]))
    assert denial(reply) == row["soa"].strip().strip("`")
