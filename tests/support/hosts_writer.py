"""A writer of the hosts file for the tests to kill: `python hosts_writer.py PATH OWNER COUNT` puts its block in and takes it out, again and again."""

import sys
from functools import partial
from pathlib import Path

from devdns.system import hosts, hosts_file


def main(path, owner, count):
    for number in range(int(count)):
        names = [f"n{number}-{each}.dev.test" for each in range(number % 40)]
        how = partial(hosts.with_block, owner=owner, names=names)
        hosts_file.change(Path(path), how if number % 3 else partial(hosts.without_block, owner=owner))
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
