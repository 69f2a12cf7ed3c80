"""A provider in a process of its own, without privileges as control is: prints each word it says as a line of JSON.

Arguments: the engine's URL, the user to become, and the group to be in. All modules are loaded before that.
"""

import asyncio
import os
import sys

import msgspec

from devdns.core.names import Zones
from devdns.core.settings import DockerConfig
from devdns.providers.docker import DockerProvider


async def main(url: str) -> None:
    async for word in DockerProvider(DockerConfig(), Zones(), url, {}).watch():
        sys.stdout.write(msgspec.json.encode(word).decode() + "\n")
        sys.stdout.flush()


engine, user, group = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
os.setgroups([group])
os.setgid(user)
os.setuid(user)
asyncio.run(main(engine))
