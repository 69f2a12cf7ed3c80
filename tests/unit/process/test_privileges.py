import json
import os
import subprocess
import sys

import pytest

from devdns.process.privileges import drop

SCRIPT = """
import json, os, pathlib
from devdns.process.privileges import drop
drop({"DEVDNS_RUN_AS": "65534:65534"}, groups=(4242,))
status = dict(line.split(":", 1) for line in pathlib.Path("/proc/self/status").read_text().splitlines())
try:
    os.setuid(0); back = True
except PermissionError:
    back = False
print(json.dumps({"uids": os.getresuid(), "gids": os.getresgid(), "groups": os.getgroups(), "back": back,
                  **{key: status[key].strip() for key in ("CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs")}}))
"""
NONE = "0000000000000000"


@pytest.mark.skipif(os.geteuid() != 0 or sys.platform != "linux", reason="needs root on Linux: sudo make test")
def test_a_child_of_root_keeps_nothing_of_root():
    ran = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True, cwd="/")
    now = json.loads(ran.stdout)
    assert now["uids"] == now["gids"] == [65534] * 3
    assert 0 not in now["groups"]
    assert 4242 in now["groups"]
    assert not now["back"]
    assert [now[key] for key in ("CapPrm", "CapEff", "CapBnd", "CapAmb")] == [NONE] * 4
    assert now["NoNewPrivs"] == "1"


@pytest.mark.skipif(os.geteuid() != 0 or sys.platform != "linux", reason="needs root on Linux: sudo make test")
def test_the_parsers_of_network_bytes_keep_no_group():
    script = SCRIPT.replace(", groups=(4242,)", "")
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd="/")
    assert json.loads(ran.stdout)["groups"] == []


def test_without_root_only_new_privileges_are_given_up():
    code = "import os; from devdns.process.privileges import drop; a = os.getuid(); drop({}); print(a == os.getuid())"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "True\n"
    assert callable(drop)
