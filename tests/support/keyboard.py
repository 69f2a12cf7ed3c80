"""Chromium as a person without a mouse uses it, and axe-core to judge what it shows."""

import contextlib
import shutil

import pytest

from support.node import MODULES
from support.parts import need

AXE = MODULES / "axe-core" / "axe.min.js"
FOCUSED = "document.activeElement"
MOST_TABS = 80


def need_browser():
    """Skips unless Chromium, its driver and axe-core are here."""
    need("chromium")
    pytest.importorskip("playwright.sync_api", reason="playwright is missing: make test installs it")
    if not AXE.is_file():
        pytest.skip("axe-core is missing: make parts (with npm on the PATH, or as root on Debian)")


@contextlib.contextmanager
def chromium():
    """A page of a headless Chromium of the machine."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - only where it is installed

    flags = ["--no-sandbox", "--disable-dev-shm-usage"]  # as root, and with the small /dev/shm of containers
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=flags)
        try:
            page = browser.new_page()
            page.set_default_timeout(90_000)
            yield page
        finally:
            browser.close()


class Keyboard:
    """Everything a person does here is a key; what is on the screen is read from the page."""

    def __init__(self, page):
        self.page = page

    def tab_to(self, selector):
        """Presses Tab until the focus is on what matches."""
        for _ in range(MOST_TABS):
            self.page.keyboard.press("Tab")
            if self.page.evaluate("(wanted) => document.activeElement.matches(wanted)", selector):
                return
        raise AssertionError(f"{MOST_TABS} tabs and no focus on {selector}")

    def choose(self, name, value):
        """Chooses among radio buttons by the arrow keys."""
        self.tab_to(f'input[type=radio][name="{name}"]')
        self.page.keyboard.press("Space")
        for _ in range(MOST_TABS):
            if self.page.evaluate("document.activeElement.value") == str(value):
                return
            self.page.keyboard.press("ArrowDown")
        raise AssertionError(f"{name} has no {value}")

    def tick(self, name):
        """Ticks every box of a group."""
        count = self.page.locator(f'input[type=checkbox][name="{name}"]').count()
        for _ in range(count):
            self.tab_to(f'input[type=checkbox][name="{name}"]:not(:checked)')
            self.page.keyboard.press("Space")

    def write(self, name, text):
        self.tab_to(f'textarea[name="{name}"]')
        self.page.keyboard.type(text)

    def press(self, text):
        """Presses the button that says so, and waits for the page that comes."""
        place = [button.text_content() for button in self.page.locator("button").all()].index(text)
        for _ in range(MOST_TABS):
            self.page.keyboard.press("Tab")
            at = self.page.evaluate("[...document.querySelectorAll('button')].indexOf(document.activeElement)")
            if at == place:
                break
        else:
            raise AssertionError(f"no focus on {text}")
        with self.page.expect_navigation():
            self.page.keyboard.press("Enter")

    def follow(self, text):
        """Follows the link that says so."""
        for _ in range(MOST_TABS):
            self.page.keyboard.press("Tab")
            if self.page.evaluate("document.activeElement.tagName + document.activeElement.textContent") == f"A{text}":
                break
        else:
            raise AssertionError(f"no focus on {text}")
        with self.page.expect_navigation():
            self.page.keyboard.press("Enter")

    @property
    def title(self):
        return self.page.locator("h1").text_content()


def complaints(page):
    """What axe-core finds wrong with the page as it is: (impact, rule, where)."""
    page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run().then((result) => result.violations)")
    return [(each["impact"], each["id"], [node["target"] for node in each["nodes"]]) for each in found]
