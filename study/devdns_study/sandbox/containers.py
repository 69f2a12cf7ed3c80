"""The services of a scene as containers, by the docker command: each with a published port that Docker chooses."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from typing import NamedTuple

from devdns_study.errors import StudyRefused
from devdns_study.sandbox.service import HOST

PORT = 8000
IMAGE = "busybox"
SERVE = f"mkdir -p /www && echo '{{text}}' > /www/index.html && exec httpd -f -p {PORT} -h /www"
SECONDS = 60.0


class Lack(NamedTuple):
    """What a machine has not, and what to do about it."""

    what: str
    mend: str


def run(container: str, text: str, image: str, *, port: int = 0, route: str = "") -> int:
    """Starts a container that serves the text, and returns its published port; port 0 leaves the choice to Docker.

    `route` is the name that devdns is to find on its labels.
    """
    labels = ("--label", f"dev.route={route}", "--label", f"dev.port={PORT}") if route else ()
    published = f"{HOST}:{port or ''}:{PORT}"
    serve = SERVE.format(text=text)
    docker("run", "--detach", "--name", container, *labels, "--publish", published, image, "/bin/sh", "-c", serve)
    return int(docker("port", container, f"{PORT}/tcp").splitlines()[0].rpartition(":")[2])


def remove(*containers: str) -> Sequence[str]:
    """The command that removes them, running or not."""
    return ("docker", "rm", "--force", "--volumes", *containers)


def docker(*words: str) -> str:
    """What the command printed; raises `StudyRefused` with its own words when it failed."""
    try:
        done = subprocess.run(  # noqa: S603 - arguments of ours, no shell
            ["docker", *words],  # noqa: S607 - the user's own docker
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StudyRefused(f"docker {words[0]} failed: {error}") from None
    if done.returncode:
        raise StudyRefused(f"docker {words[0]} failed: {done.stderr.strip() or done.returncode}")
    return done.stdout.strip()


def missing(image: str) -> Lack | None:
    """Why there can be no containers here; None when there can."""
    if shutil.which("docker") is None:
        return Lack("docker is not installed", "install it")
    try:
        docker("version", "--format", "{{.Server.Version}}")
    except StudyRefused as refused:
        return Lack(refused.message, "start it, such as with sudo systemctl start docker")
    try:
        if not docker("image", "ls", "--quiet", image):
            docker("pull", "--quiet", image)
    except StudyRefused as refused:
        return Lack(refused.message, "load the image, or give one that is here with --image")
    return None
