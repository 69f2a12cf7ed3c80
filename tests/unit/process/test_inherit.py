import os
import socket

import pytest

from devdns.core.errors import UsageRefused
from devdns.process.inherit import Inherited


def test_sockets_come_by_name_and_are_not_passed_on():
    with socket.create_server(("127.0.0.1", 0)) as server:
        fd = os.dup(server.fileno())
        os.set_inheritable(fd, True)
        inherited = Inherited.read(
            {"DEVDNS_SOCKETS": f"http={fd}", "DEVDNS_LISTENING": '{"http": [["127.0.0.1", 8080]]}'}
        )
        with inherited.one("http") as adopted:
            assert adopted.getsockname() == server.getsockname()
            assert not adopted.get_inheritable()
        assert inherited.listening["http"] == [("127.0.0.1", 8080)]
        assert inherited.supervisor is None


@pytest.mark.parametrize("text", ["http", "http=", "http=x", "=-1"])
def test_a_list_that_is_not_one_is_refused(text):
    with pytest.raises(UsageRefused, match="NAME=FD"):
        Inherited.read({"DEVDNS_SOCKETS": text})


def test_a_part_without_its_socket_says_how_it_is_started():
    with pytest.raises(UsageRefused, match="devdns up"):
        Inherited.read({}).one("control")
