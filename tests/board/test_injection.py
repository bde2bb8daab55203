"""No text that a user can write runs on the page, wherever it stands: each in every field."""

import shlex

import pytest

from darbench.store.declared import Declared
from darbench.store.sources import Source, keep
from tests.make.pages import render, scrolled
from tests.make.rows import MACHINE, entry_rows, failed_row
from tests.make.trials import toy_trial

TEXTS = {
    "an element": "<script>ran()</script><img src=x onerror=ran()>",
    "the end of a script": "</script></style></textarea><script>ran()</script>",
    "the end of a value": '"\'><svg onload=ran()><a href="javascript:ran()">x</a>',
    "a template": "{{ ran() }}${ran()}{% raw %}`ran()`",
    "plotly's links": '<a href="javascript:ran()">x</a><b>x</b>',
}


def board_of(text, folder):
    """A page that holds the text in every field that a user fills, or a machine does."""
    told = {"data": text, "extractor": "digits-cnn"}
    machine = {name: text for name, value in MACHINE.items() if isinstance(value, str)}
    mine = {"label": text, "params": {text: text, "mode": text}, "ratio": 0.95}
    other = toy_trial("add", data=text, model={"skip": "time"})
    crash = failed_row(toy_trial("mhc", 0, label=text, data=text, code=text), "crashed", text)
    groups = [
        entry_rows("add", **told),
        entry_rows(text, **told, **mine, **machine),
        entry_rows(text, **told, **mine | {"params": {text: text * 2, "mode": text * 2}}),
        entry_rows("dar", code=text, **told),
        entry_rows("unet", code="c1", label=text, params={text: text}, **told),
        entry_rows("add", model={"skip": "time"}, **told),
        [crash],
    ]
    command = f"darbench sweep --space {shlex.quote(text)}"
    keys = [row["config_hash"] for group in groups for row in group]
    declared = Declared(
        controls={other.config_hash: text},
        files={text: text, "mhc": text},
        commands={key: command for key in keys},
    )
    for code, other in (("c0", ""), ("c1", "another line\n")):
        made = Source(files={text: other + text, f"{code}{text}": text}, bibtex=text)
        keep(folder, code, lambda made=made: made)
    state = {"in_progress": text, "interrupted": True}
    return render(folder, *groups, name=text, command=command, declared=declared, **state)


@pytest.mark.parametrize("kind", TEXTS)
def test_no_text_runs(kind, tmp_path, opened):
    """With every fold open, every figure drawn, every button pressed and every mark hovered."""
    page_text = board_of(TEXTS[kind], tmp_path)
    assert TEXTS[kind] not in page_text or not set(TEXTS[kind]) & set("<>\"'")
    with opened(tmp_path / "index.html", accept_downloads=True) as page:
        page.evaluate("() => { window.ran = () => { window.hasRun = true } }")
        open_all = "document.querySelectorAll('details').forEach((each) => { each.open = true })"
        page.evaluate(open_all)
        for plot in page.locator("section .plot").all():
            scrolled(page, plot.get_attribute("id"))
        page.locator("section .scatterlayer .points path").first.hover(force=True)
        for grip in page.locator("section .grip.last").all():
            grip.press("ArrowUp")
        page.wait_for_timeout(150)
        press = "(b) => b.isConnected && b.dispatchEvent(new Event('click', { bubbles: true }))"
        for button in page.locator("button:visible:not([data-export])").element_handles():
            button.evaluate(press)  # another may have taken it away
        page.evaluate(open_all)
        page.wait_for_timeout(200)
        assert page.evaluate("window.hasRun") is None
        assert page.locator("script:not([type])").count() == 2  # its own, and plotly
        assert page.locator("img, iframe, object, embed, base, [onload], [onerror]").count() == 0
        links = "[...document.querySelectorAll('[href]')].map((each) => each.getAttribute('href'))"
        assert not [link for link in page.evaluate(links) if not link.startswith("#")]
        shown = page.locator("body").inner_text()
        assert TEXTS[kind][:12] in shown  # it is shown as it is written, and not left out
