"""Pages in a real browser: headless Chromium, which tells of errors, dialogs and requests."""

import os
import shutil
from contextlib import contextmanager

import pytest

from tests.make.pages import render, sweep_rows

SIZE = {"width": 1280, "height": 900}


@pytest.fixture(scope="module")  # its loop must not run on while other files use theirs
def chromium():
    found = shutil.which("chromium")
    if found is None:
        assert "CI" not in os.environ, "CI must have chromium"
        pytest.skip("needs chromium on the PATH")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def opened(chromium):
    """opened(path, **of_context): a context that gives the page, and expects a silent one.

    Its requests are those for the file itself and for what it holds.
    """

    @contextmanager
    def opening(path, **of_context):
        context = chromium.new_context(**{"viewport": SIZE} | of_context)
        page, heard = context.new_page(), []
        page.on("console", lambda message: heard.append(message.text))
        page.on("pageerror", lambda error: heard.append(str(error)))
        page.on("dialog", lambda dialog: heard.append(dialog.message))
        page.on("request", lambda request: asked.append(request.url))
        asked = []
        page.goto(path.as_uri())
        yield page
        context.close()
        assert heard == [], heard
        elsewhere = {url for url in asked if not url.startswith(("blob:", "data:image/"))}
        assert elsewhere == {path.as_uri()}, elsewhere

    return opening


@pytest.fixture(scope="module")
def scripts(chromium, tmp_path_factory):
    """A page of darbench, whose functions a test calls: scripts(call, argument)."""
    folder = tmp_path_factory.mktemp("page")
    render(folder, *sweep_rows())
    page = chromium.new_page()
    page.goto((folder / "index.html").as_uri())
    yield page.evaluate
    page.close()
