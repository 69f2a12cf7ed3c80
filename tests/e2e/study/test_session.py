"""A whole session in Chromium, by keyboard, from consent to debrief: real scenes, killed twice, nothing lost, axe-core content."""

import json
import subprocess
from pathlib import Path

import pytest
from support.cli import run
from support.keyboard import Keyboard, chromium, complaints, need_browser
from support.stack import open_folder
from support.study_session import Session, planned, rows
from support.waiting import wait_until

from devdns_study.sandbox.scene import kept

SUS = dict(zip((f"sus{number}" for number in range(1, 11)), (5, 1, 4, 2, 5, 2, 4, 1, 5, 2), strict=True))
ANSWERS = {
    "System Usability Scale": SUS,
    "UMUX-Lite": {"umux1": 6, "umux2": 7},
    "Task load (NASA-TLX)": dict.fromkeys(
        ("tlx_mental", "tlx_physical", "tlx_temporal", "tlx_performance", "tlx_effort", "tlx_frustration"), 20
    ),
    "About you": {"age": "25-34", "role": "developer", "years": "5-9", "services": "weekly"},
}


@pytest.fixture
def folder():
    with open_folder() as opened:
        yield opened


class Participant:
    """One person at the keyboard, with a terminal beside; judges every new page."""

    def __init__(self, page, data):
        self.page, self.keys, self.data = page, Keyboard(page), data
        self.seen, self.wrong = set(), []

    def arrive(self, session):
        self.page.goto(session.url)

    def judge(self):
        title = self.keys.title
        assert title != "Something failed", self.page.locator("main").text_content()
        if title not in self.seen:
            self.seen.add(title)
            self.wrong += [(title, *found) for found in complaints(self.page)]
        return title

    def go_on(self):
        """Does what the page asks; returns its title."""
        title = self.judge()
        if title in ANSWERS:
            for name, value in ANSWERS[title].items():
                self.keys.choose(name, value)
        if title == "Consent":
            self.keys.tick("read")
            self.keys.choose("consent", "yes")
        if title == "After the task":
            task = self.page.locator("fieldset").get_attribute("id")
            self.keys.choose(task, 6)
        if title == "Debrief":
            self.keys.choose("preferred", "devdns")
            self.keys.write("best", "names, not ports")
        if title == "A port changed":
            return self.mend(title)
        if title == "A name does not answer":
            return self.diagnose(title)
        self.keys.press("Continue")
        return title

    def refuse_to_answer(self):
        """Sends an empty form, and is told what is open; looks at the way out, and comes back."""
        self.keys.press("Continue")
        self.page.wait_for_function("document.activeElement.getAttribute('role') === 'alert'")
        self.wrong += complaints(self.page)
        self.keys.follow("Stop and withdraw")
        self.wrong += complaints(self.page)
        self.keys.follow("Back to the session")

    @property
    def scene(self):
        """Where the terminal was told to go."""
        return Path(self.page.locator("pre").text_content().splitlines()[0].removeprefix("cd "))

    def shell(self, command):
        words = ["sh", "-c", f". ./enter; {command}"]
        done = subprocess.run(words, cwd=self.scene, capture_output=True, text=True, timeout=30, check=False)
        return done.stdout + done.stderr

    def mend(self, title):
        if "Start" in self.page.locator("button").all_text_contents():
            self.keys.press("Start")
        self.judge()
        assert self.page.locator("pre").count(), self.page.content()
        port = self.shell("grep api services.txt").strip().rpartition(":")[2]
        if "with devdns" in self.page.locator(".progress").text_content():
            assert "api.dev.test" in self.shell(f"devdns add api {port}")
        else:
            links = self.scene / "links.env"
            kept_lines = [line for line in links.read_text().splitlines() if not line.startswith("API_")]
            links.write_text("\n".join([*kept_lines, f"API_URL=http://127.0.0.1:{port}"]))
        assert "hello from api" in self.shell("./visit api")
        self.keys.press("Done")
        return title

    def diagnose(self, title):
        self.keys.press("Start")
        self.judge()
        self.keys.choose("answer", kept(self.scene).cause)
        self.keys.press("Done")
        return title

    def until(self, wanted):
        """Goes on until a page has this title."""
        while self.judge() != wanted:
            self.go_on()


@pytest.mark.timeout(400)
def test_a_session_from_consent_to_debrief(folder):
    need_browser()
    data = planned(folder)
    with chromium() as page:
        person = Participant(page, data)
        with Session(data, "P01") as session:
            person.arrive(session)
            person.until("Consent")
            person.refuse_to_answer()
            person.until("A port changed")
            person.keys.press("Start")
            scene = person.scene
            assert "no answer" in person.shell("./visit api") or "status" in person.shell("./visit api")
            wait_until(lambda: rows(data, "SELECT seconds FROM run WHERE seconds > 0"), what="the clock on the disk")
            (scene / "notes.txt").write_text("a thought of mine")
            session.kill()
        with Session(data, "P01") as session:
            person.arrive(session)
            assert "interrupted" in page.locator(".note").text_content()
            person.wrong += complaints(page)
            person.keys.press("Go on")
            assert (scene / "notes.txt").read_text() == "a thought of mine"
            person.until("System Usability Scale")
            for name in ("sus1", "sus2", "sus3", "sus4"):
                person.keys.choose(name, SUS[name])
            stored = "SELECT item, value FROM answer WHERE form = 'sus' ORDER BY item"
            half = [(name, str(SUS[name])) for name in ("sus1", "sus2", "sus3", "sus4")]
            wait_until(lambda: rows(data, stored) == half, what="the answers on the disk")
            session.kill()
        with Session(data, "P01") as session:
            person.arrive(session)
            assert person.keys.title == "System Usability Scale"
            checked = page.evaluate(
                "[...document.querySelectorAll('input:checked')].map((each) => [each.name, each.value])"
            )
            assert [tuple(each) for each in checked] == half
            person.until("The end")
            assert session.end() == (0, "the session of P01 is done\n")
        assert person.wrong == []
    assert not (folder / "study-sandbox" / "P01").exists()
    assert run("study", "session", "P01", "--data", data, "--synthetic").out == "the session of P01 is done\n"
    _check_what_was_kept(data)


def _check_what_was_kept(data):
    scores = json.loads(run("study", "score", data, "--json").out)
    assert {(row["approach"], row["sus"], row["tlx"]) for row in scores["participants"]} == {
        ("devdns", 87.5, 20.0),
        ("ports", 87.5, 20.0),
    }
    assert scores["excluded"] == []
    assert all(row["synthetic"] and row["umux_lite"] > 80 for row in scores["participants"])
    runs = rows(data, "SELECT approach, task, outcome, interrupted, seconds > 0 FROM run ORDER BY rowid")
    assert sorted(row[:3] for row in runs) == [
        (approach, task, "passed") for approach in ("devdns", "ports") for task in ("no-answer", "port-changed")
    ]
    assert [row[3] for row in runs] == [1, 0, 0, 0]
    assert all(row[4] for row in runs)
    kept_answers = dict(rows(data, "SELECT form || '/' || item, value FROM answer WHERE approach = ''"))
    assert kept_answers["consent/consent"] == "yes"
    assert kept_answers["debrief/best"] == "names, not ports"
    assert len(rows(data, "SELECT 1 FROM answer WHERE form = 'seq'")) == 4
