"""A session without script, and what the server does with requests that no page of its own sends."""

import re
import signal
import urllib.error
import urllib.parse
import urllib.request
from http.client import HTTPConnection

import pytest
from support.cli import run
from support.stack import open_folder
from support.study_session import Session, planned, rows

AGREED = [("read", "read"), ("read", "free"), ("read", "data"), ("read", "age"), ("consent", "yes")]


class Plain:
    """A browser without script: pages, and forms that are posted with what they hold."""

    def __init__(self, url):
        self.url = url
        self.text = self.get()

    def get(self, path=""):
        with urllib.request.urlopen(self.url + path, timeout=20) as reply:
            self.text = reply.read().decode()
        return self.text

    def post(self, action, *fields, step=None):
        step = step or re.search(r'name="step" value="([^"]*)"', self.text)[1]
        body = urllib.parse.urlencode([("step", step), *fields]).encode()
        try:
            with urllib.request.urlopen(self.url + action, body, timeout=60) as reply:
                self.text = reply.read().decode()
                return reply.status
        except urllib.error.HTTPError as error:
            self.text = error.read().decode()
            return error.code

    @property
    def title(self):
        return re.search(r"<h1>(.*?)</h1>", self.text)[1]


@pytest.fixture
def folder():
    with open_folder() as opened:
        yield opened


@pytest.fixture
def data(folder):
    return planned(folder, approaches="ports", tasks="clash", participants=1)


def test_the_way_without_script(data):
    with Session(data, "P01") as session:
        plain = Plain(session.url)
        plain.post("next")
        plain.post("next", ("consent", "yes"))
        assert "Still open" in plain.text
        plain.post("next", *AGREED)
        plain.post("next")
        assert plain.title == "Now with: plain ports"
        plain.post("next")
        assert plain.post("start") == 200
        assert "Give up" in plain.text
        plain.post("finish", ("action", "done"))
        assert plain.title == "After the task"
        plain.post("next", ("clash", "2"))
        assert plain.title == "System Usability Scale"
        assert plain.post("next", ("sus1", "4")) == 422
        assert plain.text.count("not answered yet") == 18  # beside each open item, and in the list of them
        assert plain.post("next", ("sus1", "4"), ("again", "yes")) == 200
        assert plain.title == "UMUX-Lite"
    assert rows(data, "SELECT outcome FROM run") == [("failed",)]
    assert rows(data, "SELECT item, value FROM answer WHERE form = 'sus'") == [("sus1", "4")]


def test_nothing_is_kept_of_who_does_not_agree(data):
    with Session(data, "P01") as session:
        plain = Plain(session.url)
        plain.post("next")
        plain.post("next", *AGREED[:-1], ("consent", "no"))
        assert "chose not to take part" in plain.text
        assert session.end()[0] == 0
    assert rows(data, "SELECT form, item, value FROM answer") == [("consent", "consent", "no")]
    assert run("study", "score", data).out.splitlines() == ["left out  P01 -: no consent", "0 of 1 rows scored"]


def test_a_withdrawal_ends_the_session_and_removes_everything(data, folder):
    with Session(data, "P01") as session:
        plain = Plain(session.url)
        for fields in ((), AGREED, (), ()):
            plain.post("next", *fields)
        plain.post("start")
        plain.get("withdraw")
        plain.post("withdraw", step="any")
        assert "All your answers have been removed" in plain.text
        assert session.end()[0] == 0
    assert [rows(data, f"SELECT * FROM {table}") for table in ("answer", "step", "run")] == [[], [], []]
    assert not (folder / "study-sandbox" / "P01").exists()
    assert run("study", "score", data).out == "0 of 0 rows scored, 1 withdrawn\n"
    again = run("study", "session", "P01", "--data", data, "--synthetic")
    assert (again.code, again.error) == (2, "P01 withdrew - take another pseudonym of the plan")


def test_a_form_that_comes_late_or_twice_changes_nothing(data):
    with Session(data, "P01") as session:
        plain = Plain(session.url)
        plain.post("next")
        plain.post("next", step="information")
        assert plain.title == "Consent"
        assert plain.post("save", ("item", "sus1"), ("value", "4"), step="sus/ports") == 409
        assert plain.post("finish", ("action", "done"), step="task/ports/clash") == 200
        assert plain.post("next", ("consent", "perhaps")) == 400
    assert rows(data, "SELECT step FROM step") == [("information",)]
    assert rows(data, "SELECT * FROM answer") == []


def test_only_its_own_pages_may_post(data):
    with Session(data, "P01") as session:
        place = urllib.parse.urlsplit(session.url)
        for headers in ({"Origin": "http://evil.test"}, {"Origin": "null"}, {"Host": f"evil.test:{place.port}"}):
            assert _status(place, place.path + "next", headers) == 403, headers
        assert _status(place, "/guess/next", {}) == 404
        assert rows(data, "SELECT * FROM step") == []
        assert _status(place, place.path + "next", {}) == 303
        assert _status(place, place.path + "next", {"Origin": f"http://{place.netloc}"}) == 303
    assert rows(data, "SELECT step FROM step") == [("information",)]


def _status(place, path, headers):
    connection = HTTPConnection(place.hostname, place.port, timeout=10)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    connection.request("POST", path, b"step=information", {**form, **headers})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


def test_one_session_of_a_participant_at_a_time_and_a_signal_stops_it_in_order(data):
    with Session(data, "P01") as session:
        second = run("study", "session", "P01", "--data", data, "--synthetic")
        assert (second.code, second.error) == (
            1,
            f"a session of P01 runs already - open {session.url}, or end it: kill {session.process.pid}",
        )
        assert session.end(signal.SIGINT) == (130, "the session of P01 is stopped; the same command goes on with it\n")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["P99", "--synthetic"], "'P99' is not in the plan - it has P01, ..."),
        (["P01", "--withdraw"], "nobody is called 'P01' - devdns study score FILE lists who is"),
    ],
)
def test_a_session_that_cannot_be(data, arguments, error):
    done = run("study", "session", *arguments, "--data", data)
    assert (done.code, done.error) == (2, error)
