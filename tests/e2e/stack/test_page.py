"""The page for people in a real browser: it follows what happens, and nothing that a container says runs in it."""

from functools import partial

import pytest
from support.browser import browser
from support.containers import nonce
from support.stack import Stack
from support.waiting import wait_until as waited

EVIL = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
#: A browser, an engine and a stack start beside each other: on a busy machine that takes its time.
wait_until = partial(waited, bound=40.0)
TITLE = "devdns: names and routes"


@pytest.fixture
def stack(engine, tmp_path):
    engine.folder.chmod(0o711)  # the unprivileged control reaches the socket by its group
    with Stack(tmp_path, "", DOCKER_HOST=engine.url, DEVDNS_DOCKER_ENABLED="true") as running:
        yield running


@pytest.fixture(scope="module")
def _chromium():
    with browser() as running:
        yield running


@pytest.fixture
def chromium(_chromium):
    yield _chromium
    _chromium.clear()


def address(stack):
    return f"http://devdns.dev.test:{stack.http[1]}/"


def row(name):
    return f'[id="routes-{name}"]'


def cell(name, number):
    return f"{row(name)} td:nth-child({number})"


BESIDE = f"document.querySelector('{cell('web.dev.test', 3)}').offsetTop === document.querySelector('{cell('web.dev.test', 1)}').offsetTop"


def test_a_container_started_meanwhile_appears_without_a_reload(engine, stack, chromium):
    page = chromium.open(address(stack))
    wait_until(lambda: page.say("document.body?.dataset.live ?? null") == "yes", what="the event stream")
    page.say("window.mark = document.querySelector('h1')")
    web = engine.run("web-1", {"dev.route": "web", "dev.hold": "1s"})
    wait_until(lambda: page.text(cell("web.dev.test", 3)) == "live", what="the row of web")
    assert page.text(cell("web.dev.test", 1)) == "web.dev.test"
    assert "container web-1" in page.text(cell("web.dev.test", 5))
    assert (
        page.say(f"document.querySelector('{row('web.dev.test')} a').href") == f"http://web.dev.test:{stack.http[1]}/"
    )
    wait_until(lambda: stack.serves("web.dev.test", nonce(web).encode() + b"\n"), what="an answer")
    for _ in range(20):
        stack.get("web.dev.test")
    wait_until(lambda: float(page.text(cell("web.dev.test", 4)) or 0) > 0, what="its rate")
    assert page.say(BESIDE), "on a wide screen the state stands beside the name"
    page.width(400)
    assert not page.say(BESIDE)
    assert page.say("document.documentElement.scrollWidth") <= 400
    assert page.say(f"document.querySelector('{row('web.dev.test')} a').getClientRects().length") == 1, "a broken name"
    rival = engine.run("web-2", {"dev.route": "web", "dev.hold": "1s"})
    wait_until(lambda: "web-2, label dev.route lost to" in (page.text("#problems") or ""), what="the conflict")
    assert "1 conflict" in page.text("#summary")
    for each in (rival, web):
        each.kill()
    wait_until(lambda: page.text(row("web.dev.test")) is None, what="the end of the row")
    assert page.say("window.mark === document.querySelector('h1')"), "the page was loaded anew"
    assert chromium.complaints == []


def test_a_hostile_label_stays_text_in_the_page_and_in_what_comes_later(engine, stack, chromium):
    engine.run("bad-1", {"dev.route": EVIL})
    page = chromium.open(address(stack))
    wait_until(lambda: "bad-1" in (page.text("#problems") or ""), what="the refusal")
    engine.run("bad-2", {"dev.route": EVIL.replace("owned", "later")})
    wait_until(lambda: "bad-2" in (page.text("#problems") or ""), what="the later refusal")
    assert "<img src=x onerror=" in page.text("#problems")
    assert page.say("document.images.length") == 0
    assert page.say("document.scripts.length") == 1
    assert page.say("document.title") == TITLE
    assert chromium.complaints == []
    page.say("document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.owned = 1'}))")
    page.say("document.body.insertAdjacentHTML('beforeend', '<img src=data:, onerror=\"window.owned = 1\">')")
    wait_until(lambda: page.say("document.images.length") and len(chromium.complaints) >= 2, what="the refusals")
    assert page.say("window.owned ?? null") is None
    assert all("Content Security Policy" in each for each in chromium.complaints)


def test_without_scripts_the_page_is_whole_and_comes_again(engine, stack, chromium):
    engine.run("web-1", {"dev.route": "web"})
    wait_until(lambda: stack.json("routes")["routes"], what="the route")
    page = chromium.open(address(stack), script=False)
    wait_until(
        lambda: f'<a href="http://web.dev.test:{stack.http[1]}">web.dev.test</a>' in page.html(), what="the name"
    )
    assert "<body data-live" not in page.html()
    engine.run("api-1", {"dev.route": "api"})
    wait_until(lambda: 'id="routes-api.dev.test"' in page.html(), what="the page with another name")
    wait_until(lambda: "<h2>Sources</h2>" in page.html(), what="the rest of it")
