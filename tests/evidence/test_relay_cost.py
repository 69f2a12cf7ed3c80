"""What raw TCP costs beside HAProxy, in one interleaved run."""

import re
import subprocess
import sys

import pytest
from support.parts import need

MOST = 1.2
LINE = re.compile(r"^  (devdns|haproxy) .* us/(\w+) .* ([0-9.]+) x haproxy", re.MULTILINE)


@pytest.mark.evidence
def test_bytes_cost_at_most_a_fifth_more_than_haproxys():
    need("haproxy")
    command = [sys.executable, "-m", "devdns_bench.relay_cost", "--seconds", "2", "--repeats", "5"]
    told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=900).stdout
    print(told)
    ratios = [float(ratio) for name, unit, ratio in LINE.findall(told) if (name, unit) == ("devdns", "MB")]
    assert len(ratios) == 2
    assert max(ratios) <= MOST
