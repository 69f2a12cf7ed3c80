"""Run as a program: asks ADDRESS PORT for HOST on one connection, again and again; each line on standard input is answered by
the slowest answer since the line before, in seconds. A process of its own, so that nothing but the server can hold it up."""

import http.client
import selectors
import sys
import time

PACE = 0.001  # seconds between two requests, so that the others get the processor too


def main(address, port, host):
    connection = http.client.HTTPConnection(address, int(port), timeout=10)
    asked = selectors.DefaultSelector()
    asked.register(sys.stdin, selectors.EVENT_READ)
    slowest = 0.0
    while True:
        started = time.perf_counter()
        connection.request("GET", "/", headers={"Host": host})
        connection.getresponse().read()
        slowest = max(slowest, time.perf_counter() - started)
        if asked.select(PACE):
            if not sys.stdin.readline():
                return
            sys.stdout.write(f"{slowest}\n")
            sys.stdout.flush()
            slowest = 0.0


if __name__ == "__main__":
    main(*sys.argv[1:])
