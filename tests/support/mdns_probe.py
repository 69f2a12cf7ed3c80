"""Run as a program: watches the mDNS provider and prints what it says, one JSON line each. Arguments: switches that are on.

A line `memory` on standard input is answered with the resident bytes of this process.
"""

import asyncio
import json
import sys
from pathlib import Path

import msgspec

from devdns.core.names import Zones
from devdns.core.settings import MdnsConfig
from devdns.core.sources import Statement
from devdns.providers.mdns import MdnsProvider


def say(value):
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def shown(told):
    if isinstance(told, Statement):
        routes = {route.name: [str(target) for target in route.targets] for route in told.routes}
        return {"routes": routes, "refusals": [msgspec.to_builtins(each) for each in told.refusals]}
    return {"trouble": told.reason}


def asked():
    line = sys.stdin.readline()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    say({"memory": pages * 4096} if line else {})


async def main(switches):
    asyncio.get_running_loop().add_reader(sys.stdin, asked)
    provider = MdnsProvider(MdnsConfig(**dict.fromkeys(switches, True)), Zones())
    async for told in provider.watch():
        say(shown(told))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
