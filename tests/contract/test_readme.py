"""What README.md shows is what happens: its transcripts are run, its files are read by the code they are for."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from support.parts import need, need_root
from support.source import ROOT
from support.stack import open_folder
from support.transcripts import blocks, run, steps

from devdns.core import config
from devdns.core.names import Zones
from devdns.providers import docker_labels

PAGE = (ROOT / "README.md").read_text()
#: What the page says is running besides devdns: port -> the page it serves.
SERVERS = {5173: "hello from the dev server\n", 9000: "hello from the docs\n"}


@pytest.fixture
def network(tmp_path: Path) -> Iterator[list[str]]:
    """The command that enters a network of its own, where every port is free and the servers of the page listen."""
    need("unshare", "nsenter", "ip", "dig", "curl")
    need_root("a network namespace")
    enter = ["unshare", "--net", "sh", "-c", "ip link set lo up && echo up && exec cat"]
    started = []
    with subprocess.Popen(enter, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"up\n"
        prefix = ["nsenter", f"--net=/proc/{holder.pid}/ns/net"]
        try:
            for port, text in SERVERS.items():
                folder = tmp_path / str(port)
                folder.mkdir()
                (folder / "index.html").write_text(text)
                serve = [sys.executable, "-u", "-m", "http.server", str(port), "--bind", "127.0.0.1"]
                server = subprocess.Popen(
                    [*prefix, *serve], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
                )
                started.append(server)
                assert server.stdout is not None
                assert b"Serving" in server.stdout.readline()
            yield prefix
        finally:
            for server in started:
                server.terminate()
                server.communicate()


def test_the_transcripts_are_true(network: list[str]) -> None:
    """In a folder that everybody may enter: control gives up root, and reads the file as nobody."""
    with open_folder() as folder:
        wrong = _wrong(network, folder)
    assert not wrong, "\n\n".join(wrong)


def _wrong(network: list[str], folder: Path) -> list[str]:
    (file,) = [text for _, text in blocks(PAGE, "yaml") if "\nroutes:" in f"\n{text}"][:1]
    (folder / "devdns.yml").write_text(file)
    kept = {name: os.environ[name] for name in ("LANG", "TERM") if name in os.environ}
    environ = {
        **kept,
        "HOME": str(folder),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "XDG_STATE_HOME": str(folder / "state"),
        "DEVDNS_DOCKER_ENABLED": "false",
        "DEVDNS_MDNS_ENABLED": "false",
    }
    subprocess.run(["make", "--silent", ".venv/run.stamp"], cwd=ROOT, check=True)  # no registry is reached from there
    found = steps(PAGE)
    assert found[0].command == "make demo"
    try:
        said = [run(step, network, ROOT if step.command.startswith("make ") else folder, environ) for step in found]
    finally:
        subprocess.run([*network, "devdns", "down"], env=environ, check=False, capture_output=True)
    return [difference for difference in said if difference]


@pytest.mark.parametrize(("line", "text"), list(blocks(PAGE, "yaml")))
def test_the_files_are_accepted(line: int, text: str) -> None:
    """A routes file by the configuration, a compose file by the reader of labels."""
    services = yaml.safe_load(text).get("services")
    if services is None:
        assert config.parse(text, f"README.md:{line}").lines or config.parse(text, "README.md").routes
    for name, service in (services or {}).items():
        labels = {key: str(value) for key, value in service["labels"].items()}
        reading = docker_labels.read(labels, name, Zones())
        assert reading.wishes
        assert not reading.refusals


@pytest.mark.parametrize(("line", "text"), list(blocks(PAGE, "sh")))
def test_the_other_commands_are_at_least_shell(line: int, text: str) -> None:
    done = subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"line {line}: {done.stderr}"
