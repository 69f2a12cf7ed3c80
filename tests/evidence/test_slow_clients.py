"""slowhttptest's four modes, more connections than an address may have: a healthy client beside it does not notice."""

from __future__ import annotations

import asyncio
import hashlib

import pytest
from support.foreign.services import serving
from support.load import Load, fetch
from support.parts import need
from support.processes import descriptors, resident
from support.stack import Stack, open_folder
from support.waiting import until

pytestmark = pytest.mark.evidence
CONNECTIONS, SECONDS = 2_000, 20
RATE = 50
NOTHING = f"GET 0 {hashlib.sha256().hexdigest()}".encode()
MODES = {
    "slow heads": ["-H"],
    "slow bodies": ["-B", "-s", "100000"],
    "ranges": ["-R"],
    "slow readers": ["-X", "-n", "1", "-z", "1"],
}


async def attacked(address, mode: str, pid: int) -> tuple[int, int]:
    """Runs slowhttptest to its end; the most descriptors and bytes of memory that the process had meanwhile."""
    url = f"http://api.dev.test:{address[1]}/{'large' if mode == 'slow readers' else ''}"
    attack = await asyncio.create_subprocess_exec(
        "slowhttptest", *MODES[mode], "-c", str(CONNECTIONS), "-r", "200", "-i", "1", "-l", str(SECONDS), "-p", "2",
        "-d", "{}:{}".format(*address), "-u", url, stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    peak = 0, 0
    while attack.returncode is None:
        peak = max(peak[0], descriptors(pid)), max(peak[1], resident(pid))
        await asyncio.sleep(0.2)
    return peak


@pytest.mark.parametrize("mode", MODES)
async def test_a_healthy_client_does_not_notice(mode):
    need("slowhttptest")
    with (
        open_folder() as folder,
        serving("aiohttp", folder) as service,
        Stack(folder, f"routes: {{api: {service.port}}}\n") as stack,
    ):
        pid, address = stack.pid("proxy-1"), stack.http
        before, small = descriptors(pid), resident(pid)
        async with asyncio.timeout(SECONDS * 4), Load(RATE, lambda: fetch(address, "api.dev.test", NOTHING)) as healthy:
            files, memory = await attacked(address, mode, pid)
        took = sorted(row[2] for row in healthy.rows)
        late = took[len(took) * 99 // 100]
        print(
            f"\n{mode}: up to {files} descriptors, {(memory - small) / 1e6:.0f} MB more; healthy p99 {late * 1000:.1f} ms of {len(took)}, "
            f"worst {took[-1] * 1000:.1f} ms, failed {healthy.failed}"
        )
        assert healthy.failed == {}
        assert late < 1.0
        await until(lambda: descriptors(pid) <= before + 10, bound=90.0)
