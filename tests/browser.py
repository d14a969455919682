"""Pages in a real browser, where Chromium and playwright are there."""

import contextlib
import shutil

import pytest

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@contextlib.contextmanager
def chromium():
    """The browser; without one the test is skipped."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not CHROMIUM:
        pytest.skip("there is no Chromium")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


class Page:
    """A file opened without a network, with what it complained of and asked for."""

    def __init__(self, browser, path, **options):
        self.context = browser.new_context(offline=True, **options)
        self.page = self.context.new_page()
        self.errors, self.asked = [], []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", self.heard)
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(f"file://{path}")

    def heard(self, message):
        if message.type == "error":
            self.errors.append(message.text)

    def __enter__(self):
        return self.page

    def __exit__(self, *_):
        self.context.close()
        assert self.errors == []
        assert [url for url in self.asked if not url.startswith(("file:", "data:"))] == []


def curves(page, plot):
    """Name and values of each curve that is drawn."""
    return page.evaluate(
        "(id) => document.getElementById(id).data.map((c) => [c.name, Array.from(c.y)])", plot
    )
