"""Run as a program: watches the mDNS provider and prints what it says, one JSON line each. Arguments: switches that are on,
and `hold`, without which what says goodbye is gone at once.

A line `memory` on standard input is answered with the resident bytes of this process.
"""

import asyncio
import json
import sys
from pathlib import Path

import msgspec

from devdns.core.names import Zones
from devdns.core.routes import State
from devdns.core.settings import MdnsConfig
from devdns.core.sources import Statement
from devdns.providers.mdns import MdnsProvider


def say(value):
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def shown(told):
    if isinstance(told, Statement):
        routes = {route.name: [str(target) for target in route.targets] for route in told.routes}
        down = {route.name: route.reason for route in told.routes if route.state is not State.LIVE}
        return {"routes": routes, "down": down, "refusals": [msgspec.to_builtins(each) for each in told.refusals]}
    return {"trouble": told.reason}


def asked():
    line = sys.stdin.readline()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    say({"memory": pages * 4096} if line else {})


async def main(switches):
    asyncio.get_running_loop().add_reader(sys.stdin, asked)
    hold = {"hold"}.intersection(switches)
    config = MdnsConfig(**{switch: True for switch in switches if switch not in hold})
    provider = MdnsProvider(config, Zones(), 1.0 if hold else 0.0)
    async for told in provider.watch():
        say(shown(told))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
