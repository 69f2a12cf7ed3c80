import os
import socket
import sys

import pytest

from devdns.ports import _listed, bound, holder, ip_address

TCP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 111 1 x 100 0 0 10 0
   1: 0100007F:C350 0100007F:0050 01 00000000:00000000 00:00000000 00000000  1000        0 222 1 x 20 4 30 10 -1
   2: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000   101        0 333 1 x 100 0 0 10 0
"""
TCP6 = """\
  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000000000000000000001000000:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 444 1
"""
little = pytest.mark.skipif(sys.byteorder != "little", reason="the recorded tables are a little-endian machine's")


def proc(tmp_path, *, readable=True):
    net = tmp_path / "net"
    net.mkdir()
    (net / "tcp").write_text(TCP)
    (net / "tcp6").write_text(TCP6)
    for pid, inode, name in (("812", 111, "ng\x1binx"), ("9", 333, "python3")):
        fd = tmp_path / pid / "fd"
        fd.mkdir(parents=True)
        if readable:
            (fd / "7").symlink_to(f"socket:[{inode}]")
        (tmp_path / pid / "comm").write_text(name + "\n")
        (tmp_path / pid / "cmdline").write_bytes(
            b"nginx: master\0" if pid == "812" else b"python3\0-m\0devdns.supervisor\0"
        )
    return tmp_path


@little
def test_rows_in_the_wanted_state_only():
    assert [(str(each.address), each.port, each.uid, each.inode) for each in bound(TCP, "0A")] == [
        ("127.0.0.1", 80, 0, 111),
        ("0.0.0.0", 8080, 101, 333),
    ]
    assert [str(each.address) for each in bound(TCP6, "0A")] == ["::1"]


@little
@pytest.mark.parametrize(
    ("address", "port", "expected"),
    [
        ("127.0.0.1", 80, "ng?inx (pid 812)"),
        ("127.0.0.2", 80, None),
        ("0.0.0.0", 80, "ng?inx (pid 812)"),
        ("127.0.0.1", 8080, "devdns (pid 9)"),
        ("127.0.0.1", 81, None),
        ("::1", 80, "a program of user root"),
    ],
)
def test_a_recorded_proc(tmp_path, address, port, expected):
    assert holder(address, port, "tcp", proc=proc(tmp_path)) == expected


@little
def test_without_rights_the_user_is_named(tmp_path):
    assert holder("127.0.0.1", 80, "tcp", proc=proc(tmp_path, readable=False)) == "a program of user root"


@pytest.mark.skipif(sys.platform == "win32", reason="needs /proc or lsof")
@pytest.mark.parametrize(("kind", "type_"), [("tcp", socket.SOCK_STREAM), ("udp", socket.SOCK_DGRAM)])
def test_our_own_socket_is_found(kind, type_):
    with socket.socket(socket.AF_INET, type_) as mine:
        mine.bind(("127.0.0.1", 0))
        if kind == "tcp":
            mine.listen()
        found = holder("127.0.0.1", mine.getsockname()[1], kind)
    assert found is not None
    assert found.endswith(f"(pid {os.getpid()})")


def test_a_free_port_has_no_holder():
    with socket.socket() as mine:
        mine.bind(("127.0.0.1", 0))  # bound, not listening: not in the table of listeners
        assert holder("127.0.0.1", mine.getsockname()[1], "tcp") is None


LSOF = "p345\ncControlCenter\nf10\nn*:5000\np812\ncnginx\nf6\nn127.0.0.1:80\nf7\nn[::1]:80\np9\ncother\nf3\nn127.0.0.1:8080\n"


@pytest.mark.parametrize(
    ("address", "port", "expected"),
    [
        ("127.0.0.1", 5000, "ControlCenter (pid 345)"),
        ("::1", 80, "nginx (pid 812)"),
        ("127.0.0.1", 8080, "other (pid 9)"),
        ("127.0.0.2", 80, None),
    ],
)
def test_recorded_lsof_output(address, port, expected):
    assert _listed(LSOF, ip_address(address), port) == expected
