"""Run as a program: puts manual routes into the given file for ever, until it is killed. Says `on` before each round."""

import sys

from devdns.core.names import Zones
from devdns.core.routes import Route, Target
from devdns.providers.manual import ManualRoutes


def main(path):
    manual = ManualRoutes(path, Zones())
    for port in range(1, 60_000):
        for name in "abcdefgh":
            manual.put(Route(host=f"{name}.dev.test", targets=(Target("127.0.0.1", port),), source="manual"))
        sys.stdout.write("on\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])
