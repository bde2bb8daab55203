"""The page of a running sweep reloads until its reader stops it, and brings back what was seen."""

from darbench.board.page import REFRESH_S
from tests.make.pages import anchor, render, sweep_rows
from tests.make.rows import entry_rows
from tests.make.trials import toy_trial

ADD = anchor(toy_trial())
TOP = "(id) => document.getElementById(id).getBoundingClientRect().top"
ASIDE = "document.querySelector('.scroll').scrollLeft"


def running(folder, *groups):
    render(folder, *groups, in_progress="1 of 36 trials")
    return folder / "index.html"


def loads(page):
    """A list that grows with every load of the page from now on, whose clock the test sets."""
    page.clock.install()
    page.reload()
    seen = []
    page.on("domcontentloaded", lambda _: seen.append(page.url))
    return seen


def forward(page, seconds):
    page.clock.fast_forward(1000 * seconds)
    page.wait_for_timeout(300)


def test_a_running_page_reloads_until_it_is_stopped_and_then_after_a_word(tmp_path, opened):
    with opened(running(tmp_path, *sweep_rows())) as page:
        seen = loads(page)
        forward(page, REFRESH_S - 1)
        assert seen == []
        forward(page, 2)
        forward(page, REFRESH_S + 1)
        assert len(seen) == 2
        page.get_by_role("button", name="Stop reloading").click()
        forward(page, 3600)
        page.reload()
        forward(page, 3600)
        assert len(seen) == 3  # by the reader alone
        page.get_by_role("button", name="Reload again").click()
        forward(page, REFRESH_S + 1)
        assert len(seen) == 4


def test_who_touches_the_page_is_not_disturbed(tmp_path, opened):
    with opened(running(tmp_path, *sweep_rows())) as page:
        seen = loads(page)
        for _ in range(3):
            forward(page, REFRESH_S - 1)
            page.keyboard.press("Tab")
        assert seen == []
        forward(page, REFRESH_S + 1)
        assert len(seen) == 1


def test_a_finished_or_interrupted_page_has_no_timer(tmp_path, opened):
    for state in ({}, {"in_progress": "1 of 36 trials", "interrupted": True}):
        render(tmp_path, *sweep_rows(), **state)
        with opened(tmp_path / "index.html") as page:
            seen = loads(page)
            forward(page, 3600)
            assert seen == [] and page.locator("[data-reload]").count() == 0


def test_without_scripts_a_running_page_reloads_too(tmp_path, opened):
    with opened(running(tmp_path, *sweep_rows()), java_script_enabled=False) as page:
        assert not page.get_by_role("button", name="Stop reloading").is_visible()
        found = page.locator("meta[http-equiv=refresh]").get_attribute("content")
        assert found == str(REFRESH_S)


def test_what_was_open_scrolled_and_focused_comes_back(tmp_path, opened):
    """Also where entries have come in above what the reader looks at."""
    path = running(tmp_path, *sweep_rows())
    with opened(path, viewport={"width": 360, "height": 500}) as page:
        page.locator(f"#{ADD} summary").click()
        page.locator(f"#{ADD} dl").wait_for()
        page.locator(f"#{ADD} summary").focus()
        page.evaluate("document.querySelector('.scroll').scrollLeft = 70")
        page.evaluate("document.getElementById('s1-protocol').scrollIntoView()")
        before, aside = page.evaluate(TOP, "s1-protocol"), page.evaluate(ASIDE)
        assert abs(before) < 2 and aside == 70
        late = [entry_rows("dar", params={"span": i}, ratio=0.9) for i in (1, 2, 3)]
        running(tmp_path, *sweep_rows(), *late)
        page.reload()
        page.wait_for_timeout(200)
        assert page.locator("table.board").first.locator("tbody tr").count() == 5
        assert page.locator(f"#{ADD}").get_attribute("open") is not None
        assert page.locator(f"#{ADD} dl").count() == 1
        assert abs(page.evaluate(TOP, "s1-protocol") - before) < 2
        assert page.evaluate(ASIDE) == aside


def test_focus_comes_back(tmp_path, opened):
    with opened(running(tmp_path, *sweep_rows())) as page:
        page.locator("#reloading").focus()
        page.reload()
        page.wait_for_timeout(200)
        assert page.evaluate("document.activeElement.id") == "reloading"
        page.keyboard.press("Enter")
        assert page.get_by_role("button", name="Reload again").is_visible()


def test_a_page_that_is_opened_anew_begins_at_its_top(tmp_path, opened):
    path = running(tmp_path, *sweep_rows())
    with opened(path) as page:
        page.evaluate("document.getElementById('s1-protocol').scrollIntoView()")
        page.goto("about:blank")
        page.goto(path.as_uri())
        page.wait_for_timeout(200)
        assert page.evaluate("scrollY") == 0


def test_a_browser_without_storage_shows_the_page(tmp_path, opened):
    blocked = "Object.defineProperty(window, 'sessionStorage', {get() { throw new Error('off') }})"
    path = running(tmp_path, *sweep_rows())
    with opened(path) as page:
        page.add_init_script(blocked)
        page.reload()
        page.locator(f"#{ADD} summary").click()
        page.locator(f"#{ADD} dl").wait_for()
        page.get_by_role("button", name="Stop reloading").click()
        assert page.get_by_role("button", name="Reload again").is_visible()
