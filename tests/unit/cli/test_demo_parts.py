"""The demonstration's own DNS client and sample services."""

import contextlib
import http.client
import socket
import struct
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devdns.demo import dns
from devdns.demo.exchange import own_get
from devdns.demo.samples import Sample

QUESTION = b"\x03api\x03dev\x04test\0" + struct.pack("!HH", 1, 1)
ANSWER = b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 1, 4) + bytes([127, 0, 0, 1])


def reply(number=7, flags=0x8580, question=QUESTION, answers=1, rest=ANSWER):
    return struct.pack("!HHHHHH", number, flags, 1, answers, 0, 0) + question + rest


def test_the_address_of_a_reply():
    assert dns.address(reply(), 7, QUESTION) == "127.0.0.1"
    long_name = reply(rest=b"\x03api\x03dev\x04test\0" + ANSWER[2:])
    assert dns.address(long_name, 7, QUESTION) == "127.0.0.1"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "too short"),
        (reply(number=8), "another question"),
        (reply(flags=0), "another question"),
        (reply(question=QUESTION.replace(b"api", b"apx")), "another question"),
        (reply(flags=0x8583), "code 3"),
        (reply(answers=0, rest=b""), "0 answers"),
        (reply(rest=b"\xc0\x0c" + struct.pack("!HHIH", 28, 1, 1, 16) + bytes(16)), "type 28"),
    ],
)
def test_what_is_no_answer_is_said(data, why):
    with pytest.raises(dns.NoAnswer, match=why):
        dns.address(data, 7, QUESTION)


@given(st.binary(max_size=60))
def test_any_bytes_are_an_address_or_no_answer(rest):
    address = None
    with contextlib.suppress(dns.NoAnswer):
        address = dns.address(reply(rest=rest), 7, QUESTION)
    assert address is None or address == socket.inet_ntoa(socket.inet_aton(address))


def test_asking_over_udp():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))

        def serve():
            query, client = server.recvfrom(512)
            server.sendto(query[:2] + reply()[2:], client)

        thread = threading.Thread(target=serve)
        thread.start()
        assert dns.ask("api.dev.test", server.getsockname()) == "127.0.0.1"
        thread.join()


def test_asking_nobody():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        address = free.getsockname()
    with pytest.raises(dns.NoAnswer, match=r"no DNS answer from 127\.0\.0\.1"):
        dns.ask("api.dev.test", address, 0.2)


def test_a_sample_says_who_it_is_and_ends():
    sample = Sample("shop")
    assert own_get("shop.dev.test", ("127.0.0.1", sample.port)) == sample.page
    assert sample.nonce in sample.page
    assert Sample("shop").nonce != sample.nonce
    sample.close()
    assert own_get("shop.dev.test", ("127.0.0.1", sample.port)).startswith("no HTTP answer")


def test_a_sample_keeps_the_connection():
    sample = Sample("shop")
    connection = http.client.HTTPConnection("127.0.0.1", sample.port, timeout=5)
    for _ in range(2):
        connection.request("GET", "/")
        assert connection.getresponse().read().decode() == f"{sample.page}\n"
    connection.close()
    sample.close()
