"""Every task with every approach: the failure is real, the check sees it, and what a person would do passes the check."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.cli import run
from support.containers import IMAGE
from support.engine import Engine
from support.parts import need
from support.stack import open_folder
from support.study_session import planned
from support.waiting import wait_until

from devdns_study.errors import StudyRefused
from devdns_study.sandbox.containers import missing as no_containers
from devdns_study.sandbox.needs import missing
from devdns_study.sandbox.scene import CAUSES, FILE, SERVICES, fresh
from devdns_study.sandbox.stage import Stage
from devdns_study.sandbox.ways import Ports

APPROACHES = ("devdns", "ports", "hosts", "nginx")


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where control may walk to, once it has given up root."""
    with open_folder() as opened:
        yield opened / "scene"


def shell(stage: Stage, command: str) -> str:
    """What a participant's shell prints; the approach's commands are on its path."""
    words = ["sh", "-c", f". ./enter; {command}"]
    done = subprocess.run(words, cwd=stage.folder, capture_output=True, text=True, timeout=30, check=False)
    return done.stdout + done.stderr


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def listening(stage: Stage) -> dict[str, str]:
    """Service -> port, read where a participant reads it."""
    rows = (line.split() for line in shell(stage, "cat services.txt").splitlines())
    return {row[0]: row[-1].rpartition(":")[2] for row in rows}


def set_up(stage: Stage) -> None:
    """All three from nothing, as the brief of the approach says."""
    ports, folder = listening(stage), stage.folder
    match stage.scene.approach:
        case "devdns":
            for name, port in ports.items():
                shell(stage, f"devdns add {name} {port}")
        case "ports":
            lines = [f"{name.upper()}_URL=http://127.0.0.1:{port}" for name, port in ports.items()]
            (folder / "links.env").write_text("\n".join(lines))
        case "hosts":
            (folder / "hosts").write_text("127.0.0.1 shop.dev.test api.dev.test docs.dev.test")
            lines = [f"{name.upper()}_URL=http://{name}.dev.test:{port}" for name, port in ports.items()]
            (folder / "links.env").write_text("\n".join(lines))
        case "nginx":
            server = "server {{ listen 127.0.0.1:{}; server_name {}.dev.test; location / {{ proxy_pass http://127.0.0.1:{}; }} }}"
            blocks = [server.format(stage.scene.front, name, port) for name, port in ports.items()]
            conf = (folder / "nginx.conf").read_text().rstrip().removesuffix("}")
            (folder / "nginx.conf").write_text(conf + "\n".join(blocks) + "}\n")
            shell(stage, "./reload")


def mend_port(stage: Stage) -> None:
    """The new port of api in place of the old one."""
    name = {"devdns": "devdns.yml", "nginx": "nginx.conf"}.get(stage.scene.approach, "links.env")
    path, new = stage.folder / name, listening(stage)["api"]
    lead = {"devdns": "api: ", "ports": "API_URL=http://127.0.0.1:", "hosts": "API_URL=http://api.dev.test:"}
    at = path.read_text().index(lead.get(stage.scene.approach, "server_name api.dev.test"))
    head, tail = path.read_text()[:at], path.read_text()[at:]
    old = next(word for word in tail.replace(";", " ").replace(":", " ").split() if word.isdigit())
    path.write_text(head + tail.replace(old, new, 1))
    if stage.scene.approach == "nginx":
        shell(stage, "./reload")


def mend_clash(stage: Stage) -> None:
    """The claim that is wrong goes."""
    ports = listening(stage)
    match stage.scene.approach:
        case "devdns":
            shell(stage, "devdns rm shop")
        case "nginx":
            lines = (stage.folder / "nginx.conf").read_text().splitlines(keepends=True)
            wrong = next(line for line in lines if "server_name shop" in line and ports["docs"] in line)
            edit(stage.folder / "nginx.conf", wrong, "")
            shell(stage, "./reload")
        case _:
            lines = (stage.folder / "links.env").read_text().splitlines(keepends=True)
            wrong = next(line for line in lines if line.startswith("SHOP_URL"))
            edit(stage.folder / "links.env", wrong, wrong.replace(ports["docs"], ports["shop"]))


MENDS = {"bring-up": set_up, "port-changed": mend_port, "clash": mend_clash}


#: The pairs that every run checks; `make evidence` checks all.
QUICK = {("clash", "devdns"), ("bring-up", "ports"), ("port-changed", "hosts"), ("clash", "nginx")}
PAIRS = [
    pytest.param(task, approach, marks=[] if (task, approach) in QUICK else [pytest.mark.evidence])
    for task in MENDS
    for approach in APPROACHES
]


@contextmanager
def staged(folder: Path, approach: str, task: str, salt: str = "a study", image: str = IMAGE) -> Iterator[Stage]:
    stage = Stage.set(folder, approach, task, salt, image)
    try:
        yield stage
    finally:
        stage.close()


@pytest.mark.parametrize(("task", "approach"), PAIRS)
def test_a_task_is_open_until_it_is_mended_and_stays_so_over_a_restart(folder: Path, approach: str, task: str) -> None:
    if approach == "nginx":
        need("nginx")
    with staged(folder, approach, task) as stage:
        assert not stage.passed(grace=0)
        MENDS[task](stage)
        assert stage.passed(), stage.found()
        assert f"nonce {stage.scene.services['api'].nonce}" in shell(stage, "./visit api")
    assert "hello" not in stage.way.reach("api")
    with staged(folder, approach, task) as again:
        assert again.passed(), again.found()


@pytest.mark.parametrize("approach", ["ports", pytest.param("devdns", marks=pytest.mark.evidence)])
@pytest.mark.parametrize("cause", CAUSES)
def test_the_cause_that_was_made_is_the_answer(folder: Path, approach: str, cause: str) -> None:
    salt = next(f"{each}" for each in range(100) if fresh(approach, "no-answer", f"{each}", IMAGE).cause == cause)
    with staged(folder, approach, "no-answer", salt) as stage:
        found = stage.found()
        assert "hello" in found["shop"]
        assert "hello" not in found["docs"]
        assert [answer for answer in CAUSES if stage.passed(answer)] == [cause]
        assert found["docs"].startswith("status 500") == (cause == "failing")
        assert "hello" not in shell(stage, "./visit docs")


@pytest.mark.engine
@pytest.mark.parametrize("approach", ["ports", "devdns"])
def test_a_container_that_was_made_anew_is_lost_by_its_port_and_found_by_its_label(
    folder: Path, approach: str, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.folder.chmod(0o711)  # the unprivileged control reaches the socket by its group
    monkeypatch.setenv("DOCKER_HOST", engine.url)
    assert no_containers(IMAGE) is None
    with staged(folder, approach, "restarted") as stage:
        assert stage.passed(grace=0 if approach == "ports" else 2) == (approach == "devdns")
        if approach == "ports":
            mend_port(stage)
        assert stage.passed(), stage.found()
    assert engine.client.containers.list(all=True) == []


def test_what_the_machine_lacks_is_said_before_anybody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert missing(("clash", "restarted"), ("devdns", "nginx"), IMAGE) == [
        ("approach nginx needs nginx, which is not installed", "install it"),
        ("task restarted needs a Docker Engine: docker is not installed", "install it"),
    ]
    assert missing(("clash",), ("devdns", "ports"), IMAGE) == []


def test_a_docker_that_is_stopped_is_to_be_started_not_installed(folder: Path) -> None:
    need("docker")
    folder.mkdir()
    data = planned(folder, approaches="ports", tasks="restarted", participants=1)
    done = run("study", "session", "P01", "--data", data, "--synthetic", DOCKER_HOST=f"unix://{folder}/none.sock")
    assert done.code == 1
    assert "task restarted needs a Docker Engine: docker version failed: " in done.err
    assert " - start it, such as with sudo systemctl start docker; or plan a study without it: " in done.err
    assert "install" not in done.err
    assert "study plan --data OTHER" in done.err  # this study's plan is fixed


def test_a_session_that_is_killed_leaves_no_process_of_a_scene(folder: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from devdns_study.sandbox.stage import Stage\n"
        "stage = Stage.set(Path(sys.argv[1]), 'ports', 'port-changed', 'x'); print('up', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE, stdin=subprocess.PIPE
    ) as session:
        assert session.stdout is not None
        assert session.stdout.readline() == b"up\n"
        session.send_signal(signal.SIGKILL)
    way = Ports(folder)
    wait_until(lambda: all("hello" not in way.reach(name) for name in SERVICES), what="the end of the services")


def test_a_scene_that_cannot_be_read_is_refused(folder: Path) -> None:
    folder.mkdir()
    (folder / FILE).write_text("{")
    with pytest.raises(StudyRefused, match="cannot be read"):
        Stage.set(folder, "ports", "clash", "x")
