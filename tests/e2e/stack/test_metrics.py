"""What the resolver counts is shown by control, another process."""

import re
import subprocess

from support.parts import need
from support.stack import Stack
from support.waiting import wait_until

HITS = 'devdns_dns_replies_total{transport="udp",type="A",rcode="NOERROR",kept="true"}'
MISSES = HITS.replace("true", "false")


def metric(stack, name):
    """The value of one line, or None."""
    asked = ["curl", "-s", "--unix-socket", str(stack.state / "control.sock"), "http://localhost/metrics"]
    page = subprocess.run(asked, capture_output=True, text=True, check=True, timeout=10).stdout
    found = re.search(rf"^{re.escape(name)} (\S+)$", page, re.MULTILINE)
    return found and float(found[1])


def test_replies_are_counted_where_they_can_be_read(tmp_path):
    need("curl", "dig")
    with Stack(tmp_path) as stack:
        for _ in range(3):
            assert stack.dig("api.dev.test", "A", "+noedns") == ["127.0.0.1"]
        wait_until(lambda: metric(stack, HITS) == 2.0, what="two replies that were kept")
        assert metric(stack, MISSES) == 1.0
        assert metric(stack, "devdns_dns_reply_seconds_count") == 3.0
        assert metric(stack, "devdns_routes") == 0.0
        stack.kill("resolver")
        wait_until(lambda: metric(stack, HITS) is None, what="the figures of the next resolver")
