"""Run as a program: an engine that replays a recorded real event stream for many stacks at once. Arguments: socket, port, stacks.

`docker_recorded.jsonl` is what a Docker Engine said while nine containers were made, restarted, killed, paused, moved between
networks, renamed and removed: each event, and before it how the container then was, where that had changed. Every stack has ids,
names and routes of its own, at 127.0.0.1 and `port`. On standard input: `burst` begins, and is answered `done`; `die` and `start`
are the life of a container of the name `mine`.
"""

import hashlib
import itertools
import json
import random
import sys
import threading
import time
from pathlib import Path

from support.inspections import inspection
from support.replay import replaying

RECORDED = [json.loads(line) for line in Path(__file__).with_name("docker_recorded.jsonl").read_text().splitlines()]
#: Events between two pauses, which are as long as an engine needs for so many at the very least.
AT_ONCE, PAUSE = 100, 0.02


def say(word):
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def identity(recorded, stack):
    return hashlib.sha256(f"{recorded}{stack}".encode()).hexdigest()


def shown(recorded, stack, port):
    """A recorded inspection as that of one of many stacks."""
    labels = dict(recorded["Config"]["Labels"])
    for key in ("dev.route", "com.docker.compose.project"):
        if key in labels:
            labels[key] = f"{labels[key]}-{stack}"
    networks = recorded["NetworkSettings"]["Networks"]
    addresses = {name: {"IPAddress": "127.0.0.1" if each["IPAddress"] else ""} for name, each in networks.items()}
    return recorded | {
        "Id": identity(recorded["Id"], stack),
        "Name": f"{recorded['Name']}-{stack}",
        "Config": {"Labels": labels, "ExposedPorts": {f"{port}/tcp": {}}},
        "HostConfig": recorded["HostConfig"] | {"PortBindings": {}},
        "NetworkSettings": {"Ports": {}, "Networks": addresses},
    }


def live(stacks):
    """The hosts that are live in the end: those of containers that run then, and are not ill."""
    last = {line["id"]: line["is"] for line in RECORDED if "is" in line}
    states = {name: each["State"] for name, each in last.items() if each}
    well = [name for name, each in states.items() if each["Status"] == "running" and "Health" not in each]
    every = [last[name] for name in well]
    names = {each["Config"]["Labels"]["dev.route"] for each in every if "dev.route" in each["Config"]["Labels"]}
    return {f"{name}-{stack}.dev.test" for name in names for stack in range(stacks)}


def one(replay, line, stack, port):
    """Plays one recorded line for one stack."""
    if "is" in line:
        if line["is"]:
            found = shown(line["is"], stack, port)
            replay.containers[found["Id"]] = found
        else:
            replay.containers.pop(identity(line["id"], stack), None)
        return
    event, said = line["event"], dict(line["event"]["Actor"]["Attributes"])
    if "container" in said:
        said["container"] = identity(said["container"], stack)
    if event["Type"] == "container":
        said["name"] = f"{said['name']}-{stack}"
    replay.send(event | {"Actor": {"ID": identity(event["Actor"]["ID"], stack), "Attributes": said}})


def burst(replay, port, stacks):
    """All stacks at once, each in its own order, the turns among them by a seed."""
    dice, turns = random.Random(1), [iter(RECORDED) for _ in range(stacks)]
    running = list(range(stacks))
    for number in itertools.count(1):
        if not running:
            break
        place = dice.randrange(len(running))
        line = next(turns[running[place]], None)
        if line is None:
            running[place] = running[-1]
            running.pop()
        else:
            one(replay, line, running[place], port)
        if number % AT_ONCE == 0:
            time.sleep(PAUSE)
    say("done")


def main(path, port, stacks):
    with replaying(Path(path)) as replay:

        def mine(status, *actions):
            shape = {"exposed": (f"{port}/tcp",), "addresses": {"bridge": "127.0.0.1"}}
            replay.put(inspection("mine", {"dev.route": "mine"}, status=status, **shape), *actions)

        mine("running")
        say(replay.url)
        for word in map(str.strip, sys.stdin):
            if word == "burst":
                threading.Thread(target=burst, args=(replay, port, stacks), daemon=True).start()
            else:
                mine(*{"die": ("exited", "die"), "start": ("running", "start")}[word])


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
