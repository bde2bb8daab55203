"""The page in a browser: what is drawn when, what runs, and what is left without scripts."""

import re
from collections import Counter

import pytest

from darbench.board.script import script
from tests.make.pages import EVIL, anchor, render, scrolled, sweep_rows
from tests.make.rows import entry_rows, failed_row
from tests.make.trials import toy_trial

DAR, ADD = anchor(toy_trial("dar", params={"span": 4})), anchor(toy_trial())


@pytest.fixture
def board(tmp_path):
    render(tmp_path, *sweep_rows())
    return tmp_path / "index.html"


def curves(plot):
    """How many lines with markers the figure shows."""
    return plot.evaluate("plot => plot.data.filter(({ mode }) => mode === 'lines+markers').length")


def test_nothing_is_drawn_and_plotly_is_not_read_before_a_figure_is_in_view(board, opened):
    with opened(board, viewport={"width": 1280, "height": 300}) as page:
        page.wait_for_timeout(300)
        assert page.evaluate("typeof Plotly") == "undefined"
        assert page.locator(".main-svg").count() == 0
        assert page.locator("#s1-val_loss .curves path.curve").count() == 2
        plot = scrolled(page, "s1-val_loss")
        assert plot.locator(".curves").count() == 0 and curves(plot) == 2
        assert page.evaluate("Plotly.version") in page.evaluate("unpack('plotly')")[:200]


def test_both_figures_come_into_view_with_one_library(board, opened):
    with opened(board) as page:
        for name in ("s1-val_loss", "s1-fd"):
            assert curves(scrolled(page, name)) > 0
        assert page.locator("head script").count() == 1


def test_the_legend_hides_a_line_before_and_after_plotly_has_drawn_it(board, opened):
    with opened(board, viewport={"width": 1280, "height": 300}) as page:
        button = page.locator(".legend button", has_text="dar")
        page.evaluate("document.querySelector('.legend button').click()")
        line = page.locator("#s1-val_loss path.curve").first
        assert button.get_attribute("aria-pressed") == "false" and not line.is_visible()
        plot = scrolled(page, "s1-val_loss")
        page.wait_for_timeout(100)
        assert curves(plot) == 1
        button.click()
        page.wait_for_timeout(100)
        assert curves(plot) == 2 and button.get_attribute("aria-pressed") == "true"


def test_the_table_behind_a_figure_holds_what_it_shows(board, opened):
    with opened(board) as page:
        page.locator("#s1-fd-points summary").click()
        rows = page.locator("#s1-fd-points table:first-child tbody tr")
        rows.first.wait_for()
        assert rows.all_inner_texts() == [
            f"{name}\t{flops}\t{mean}\t[{low}, {high}]\t3"
            for name, level in (("dar", 0.95), ("add", 1.0))
            for flops, share in (("2.00 × 10¹²", 0.5), ("4.00 × 10¹²", 1.0))
            for low, mean, high in [[f"{v:#.4g}" for v in fd_of(level, share)]]
        ]
        page.locator(".legend button", has_text="dar").click()
        page.locator("#s1-fd-points table:first-child tr:nth-child(3)").wait_for(state="detached")
        assert [text.split("\t")[0] for text in rows.all_inner_texts()] == ["add", "add"]


def fd_of(ratio, share):
    """Lowest, mean and highest FD of the seeds of `sweep_rows` at a share of the budget."""
    wobble = 0.001 if ratio != 1.0 else 0.0
    values = [20 * (1 + 0.1 * k) * ratio * (1 + wobble * (k - 1)) / share**0.5 for k in range(3)]
    return min(values), sum(values) / 3, max(values)


def test_an_entry_is_unpacked_when_it_is_opened_or_its_link_is_followed(board, opened):
    with opened(board) as page:
        assert page.locator(f"#{DAR} dl, #{ADD} dl").count() == 0
        page.locator(f"#{DAR} summary").click()
        page.locator(f"#{DAR} dl").wait_for()
        assert "darbench train" in page.locator(f"#{DAR}-command").inner_text()
        assert page.locator(f"#{ADD} dl").count() == 0
        page.evaluate(f"location.hash = '#{ADD}'")
        page.locator(f"#{ADD} dl").wait_for()
        assert page.locator(f"#{ADD} tbody tr").count() == 3
        page.reload()
        page.locator(f"#{DAR} dl").wait_for()
        assert page.locator(f"#{DAR} h4").count() == 4  # filled once


def test_plotly_is_given_escaped_names(tmp_path, opened):
    render(tmp_path, entry_rows("add"), entry_rows("dar", label="<b>bold</b> &lt;"))
    with opened(tmp_path / "index.html") as page:
        names = scrolled(page, "s1-val_loss").evaluate("({ data }) => data.map((t) => t.name)")
        assert "&lt;b&gt;bold&lt;/b&gt; &amp;lt;" in names


def test_a_large_board_draws_what_leads_and_says_so(tmp_path, opened):
    many = [entry_rows("dar", params={"span": k}, ratio=0.9 + 0.01 * k) for k in range(20)]
    render(tmp_path, *many, entry_rows("add", ratio=2.0))
    with opened(tmp_path / "index.html") as page:
        plot = page.locator("#s1-val_loss")
        assert plot.locator("path.curve").count() == 13
        assert curves(scrolled(page, "s1-val_loss")) == 13
        told = page.locator("figure:has(#s1-val_loss) .shown").inner_text()
        assert told == "13 of 21 entries; 1 of 21 stand on the front at the end"
        page.locator(".legend [aria-pressed=false]").first.click()
        page.get_by_text("14 of 21 entries").first.wait_for()
        assert curves(plot) == 14


def test_without_scripts_there_are_ranking_effects_captions_and_a_picture(board, opened):
    with opened(board, java_script_enabled=False) as page:
        text = page.locator("body").inner_text()
        for expected in ("−5.0 %", "p < 0.001", "Ordered by score", "there is one plot"):
            assert expected in text, expected
        assert page.locator("#s1-val_loss .curves").is_visible()
        assert page.locator("#s1-val_loss .curve").count() == 2
        assert not page.locator("#s1-fd").is_visible()
        assert not page.locator(f"#{DAR}, .legend, .twin").first.is_visible()


def test_a_browser_that_cannot_unpack_keeps_the_picture(board, opened):
    with opened(board, viewport={"width": 1280, "height": 300}) as page:
        page.evaluate("delete globalThis.DecompressionStream")
        page.locator("#s1-fd").scroll_into_view_if_needed()
        page.get_by_text("This browser cannot draw the plot.").wait_for()
        assert page.locator("#s1-val_loss .curves").is_visible()


def test_no_text_of_a_user_runs(tmp_path, opened):
    rows = entry_rows("dar", label=EVIL, params={"mode": EVIL}, data=EVIL, ratio=0.95)
    crash = failed_row(toy_trial("mhc", 0, label=EVIL, data=EVIL), "crashed", EVIL)
    render(tmp_path, entry_rows("add", data=EVIL), rows, [crash], name=EVIL, command=EVIL)
    with opened(tmp_path / "index.html") as page:
        page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
        plot = scrolled(page, "s1-val_loss")
        plot.locator(".scatterlayer .points path").first.hover(force=True)
        assert page.locator("script:not([type])").count() == 2  # its own, and plotly
        assert page.locator("img").count() == 0


def test_a_script_that_is_not_the_page_s_own_does_not_run(board, opened):
    evil = "<script>document.title = 'ran'</script></body>"
    board.write_text(board.read_text().replace("</body>", evil))
    with pytest.raises(AssertionError, match="Content Security Policy"), opened(board) as page:
        title = page.title()
    assert title != "ran"


@pytest.mark.parametrize("width", [1280, 360])
def test_a_long_word_wraps_and_makes_nothing_wider(tmp_path, opened, width):
    render(tmp_path, entry_rows("add"), entry_rows("dar", label="a" * 300, ratio=0.95))
    with opened(tmp_path / "index.html", viewport={"width": width, "height": 1600}) as page:
        page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
        over = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert over <= 0
        inner = "[...document.querySelectorAll('.scroll')].map(b => b.scrollWidth - b.clientWidth)"
        assert width < 1280 or {*page.evaluate(inner)} == {0}


def test_no_two_scripts_of_a_page_name_the_same():
    names = re.findall(r"^(?:const|let|function|async function) +(\w+)", script(), re.M)
    assert [name for name, uses in Counter(names).items() if uses > 1] == []
