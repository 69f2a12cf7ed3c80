"""A process that has given up reading in a folder: it cannot, by no path, and can do everything else as before."""

import json
import subprocess
import sys

import pytest
from support.stack import open_folder

SCRIPT = """
import json, os, socket, sys
from pathlib import Path
from devdns.process.landlock import forbid_reading

def tried(what):
    try:
        what()
        return "done"
    except OSError as error:
        return type(error).__name__

memory = os.memfd_create("x")
os.write(memory, b"x")
forbidden = forbid_reading(Path())
beside = Path("../beside")
def connect():
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect("a.sock")
print(json.dumps({
    "forbidden": forbidden,
    "key": tried(Path("ca.key").read_bytes),
    "absolute": tried(Path("ca.key").resolve().read_bytes),
    "linked": tried((beside / "link").read_bytes),
    "root": tried(Path(f"/proc/self/root{Path('ca.key').resolve()}").read_bytes),
    "parent": tried(lambda: open(f"/proc/{os.getppid()}/mem", "rb")),
    "log": tried(lambda: open("a.log", "ab").close()),
    "socket": tried(connect),
    "beside": tried((beside / "file").read_bytes),
    "later": tried(lambda: ((beside / "later").write_text("x"), (beside / "later").read_bytes())),
    "library": tried(Path(json.__file__).read_bytes),
    "proc": tried(Path("/proc/self/status").read_bytes),
    "memory": tried(Path(f"/proc/self/fd/{memory}").read_bytes),
    "hosts": tried(Path("/etc/passwd").read_bytes),
}))
"""
REFUSED = {"key", "absolute", "linked", "root", "parent"}


@pytest.mark.skipif(sys.platform != "linux", reason="Landlock is Linux's")
def test_nothing_in_the_folder_can_be_read_and_all_else_can():
    import socket  # noqa: PLC0415

    with open_folder() as above:
        folder, beside = above / "state", above / "beside"
        folder.mkdir()
        beside.mkdir()
        (folder / "ca.key").write_text("secret")
        (beside / "file").write_text("x")
        (beside / "link").symlink_to(folder / "ca.key")
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind(str(folder / "a.sock"))
            sock.listen()
            ran = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True, cwd=folder)
        found = json.loads(ran.stdout)
        assert found.pop("forbidden")
        assert {what for what, how in found.items() if how == "PermissionError"} == REFUSED
        assert {how for what, how in found.items() if what not in REFUSED} == {"done"}
        assert (folder / "ca.key").read_text() == "secret"
