"""Connections that were handed to the application of devdns's own names: what comes on them after their first request."""

from __future__ import annotations

import pytest
from support.http_proxy import running

OWN = b"Host: devdns.dev.test\r\n"
FIRST = b"GET /nothing HTTP/1.1\r\n" + OWN + b"\r\n"


async def after_the_first(data: bytes) -> bytes:
    """What is answered to `data` on a connection that has carried a request for an own name."""
    async with running() as proxy, await proxy.connect() as wire:
        await wire.send(FIRST)
        assert (await wire.response())[0].startswith(b"HTTP/1.1 404 ")
        await wire.send(data)
        return await wire.rest()


@pytest.mark.parametrize(
    "data",
    [
        b"BAD\x1b]0;pwn\x07\r\n\r\n",
        b"GET http://[::1 HTTP/1.1\r\n" + OWN + b"\r\n",
        b"GET / HTTP/1.1\r\n" + OWN + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + OWN + b"A: " + b"b" * 20_000 + b"\r\n\r\n",
    ],
)
async def test_what_is_no_request_is_400_in_our_words_and_not_logged(data, caplog, capfd):
    answer = await after_the_first(data)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.split(b" ")[1] == b"400"
    assert b"\r\nServer: devdns" in head
    assert b"aiohttp" not in answer
    assert body.startswith(b"400 Bad request\nThis is not a request that HTTP/1.1 allows.\n")
    assert not caplog.records
    assert "Traceback" not in "".join(capfd.readouterr())


@pytest.mark.parametrize("path", [b"/", b"/healthz", b"/nothing"])
async def test_an_expectation_that_is_not_understood_is_417(path):
    answer = await after_the_first(b"GET " + path.join((b"", b" HTTP/1.1\r\n")) + OWN + b"Expect: <evil>\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 417 ")
    assert b"aiohttp" not in answer
    assert b"\r\nServer: devdns\r\n" in answer


async def test_continue_is_said_for_an_own_name_only():
    body = b"Content-Length: 2\r\nConnection: close\r\nExpect: 100-continue\r\n\r\nhi"
    assert (await after_the_first(b"POST /nothing HTTP/1.1\r\n" + OWN + body)).startswith(
        b"HTTP/1.1 100 Continue\r\n\r\n"
    )
    other = await after_the_first(b"POST /nothing HTTP/1.1\r\nHost: api.dev.test\r\n" + body)
    assert other.startswith(b"HTTP/1.1 421 ")
