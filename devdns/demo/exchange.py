"""One question to the stack and its answer, by a foreign client where there is one, else by ours, and labelled so."""

from __future__ import annotations

import http.client
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from devdns.demo import dns

SECONDS = 5.0
Address = tuple[str, int]


@dataclass(frozen=True)
class Exchange:
    """What was asked, as a person would type it, and what came back; `by` names the client."""

    by: str
    asked: str
    answer: str


def resolve(name: str, server: Address) -> Exchange:
    """The address of a name, by dig or by our own client."""
    host, port = server
    if dig := shutil.which("dig"):
        command = ["dig", "+short", f"@{host}", "-p", str(port), name]
        return Exchange("dig", " ".join(command), _run([dig, *command[1:]]))
    try:
        answer = dns.ask(name, server)
    except dns.NoAnswer as problem:
        answer = str(problem)
    return Exchange("own client", f"A {name} @{host}:{port}", answer)


def fetch(name: str, address: str, port: int) -> Exchange:
    """The page of a name, by curl or by our own client, connecting to what DNS said."""
    if curl := shutil.which("curl"):
        command = ["curl", "-sS", "--resolve", f"{name}:{port}:{address}", f"http://{name}:{port}/"]
        return Exchange("curl", " ".join(command), _run([curl, *command[1:]]))
    return Exchange("own client", f"GET http://{name}:{port}/ at {address}", own_get(name, (address, port)))


def own_get(name: str, server: Address) -> str:
    """The page of a name by the standard library; what fails is said in place of it."""
    connection = http.client.HTTPConnection(*server, timeout=SECONDS)
    try:
        connection.request("GET", "/", headers={"Host": f"{name}:{server[1]}"})
        response = connection.getresponse()
        text = response.read().decode("utf-8", "replace").strip()
    except (OSError, http.client.HTTPException) as error:
        return f"no HTTP answer: {error!r}"
    finally:
        connection.close()
    return text if response.status == http.client.OK else f"status {response.status}: {text}"


def _run(command: Sequence[str]) -> str:
    """What the program printed. Proxies and the user's .curlrc and .digrc are left aside: the question is for this machine."""
    environ = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
    environ |= {"HOME": os.devnull, "CURL_HOME": os.devnull, "XDG_CONFIG_HOME": os.devnull}
    try:
        done = subprocess.run(  # noqa: S603 - a program found on PATH, arguments of ours, no shell
            command, capture_output=True, timeout=SECONDS, check=False, env=environ, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{command[0]} failed: {error}"
    return (done.stdout if done.returncode == 0 else done.stderr + done.stdout).decode("utf-8", "replace").strip()
