"""Connections by name, one after the other from a few threads: `python raw_load.py NAME PORT SAY EXPECT` (both in hex).

A line `N` of standard input is answered once N more connections have gone well; its end ends the load, and what became of the
connections is printed as JSON: `ok`, `refused` (no connection), `cut` (no answer on one), `wrong`; `cuts` are the times (monotonic)
when those that were cut began.
"""

import json
import socket
import sys
import threading
import time

THREADS = 4
PAUSE = 0.002
PATIENCE = 20


class Load:
    def __init__(self, name, port, say, expect):
        self.place, self.say, self.expect = (name, int(port)), bytes.fromhex(say), bytes.fromhex(expect)
        self.counts = dict.fromkeys(("ok", "refused", "cut", "wrong"), 0)
        self.errors = []
        self.cuts = []
        self.news = threading.Condition()
        self.over = False

    def once(self):
        try:
            connection = socket.create_connection(self.place, PATIENCE)
        except OSError as error:
            self.errors.append(repr(error))
            return "refused"
        with connection:
            try:
                connection.sendall(self.say)
                answer = connection.recv(len(self.expect))
            except OSError as error:
                self.errors.append(repr(error))
                return "cut"
        return "ok" if answer == self.expect else "wrong" if answer else "cut"

    def go_on(self):
        while not self.over:
            began, became = time.monotonic(), self.once()
            with self.news:
                self.counts[became] += 1
                self.cuts += [began] * (became == "cut")
                self.news.notify_all()
            time.sleep(PAUSE)

    def more(self, count):
        with self.news:
            wanted = self.counts["ok"] + count
            self.news.wait_for(lambda: self.counts["ok"] >= wanted, PATIENCE)


def main():
    load = Load(*sys.argv[1:])
    threads = [threading.Thread(target=load.go_on) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for line in sys.stdin:
        load.more(int(line))
        sys.stdout.write(line)
        sys.stdout.flush()
    load.over = True
    for thread in threads:
        thread.join()
    sys.stdout.write(json.dumps({**load.counts, "errors": load.errors[:5], "cuts": load.cuts}))


if __name__ == "__main__":
    main()
