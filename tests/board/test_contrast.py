"""Every text of the page stands out from what is behind it, in the light and in the dark theme.

Colours are those the browser computes, and contrast is WCAG 2.2's: 4.5 at least.
"""

import re

import pytest

from tests.make.pages import render, scrolled, sweep_rows
from tests.make.rows import entry_rows, failed_row
from tests.make.trials import toy_trial

LEAST = 4.5
# The text and its colour, then every background and every opacity from it to the root.
TEXTS = """[...document.querySelectorAll('body *')].flatMap((element) => {
    const own = [...element.childNodes].filter((node) => node.nodeType === 3).map((n) => n.data);
    const text = own.join('').trim();
    if (!text || !element.getClientRects().length) return [];
    if (element.closest('script, .heatmap-label')) return []; // on cells, see below
    const style = getComputedStyle(element), inSvg = element.closest('svg');
    const chain = [];
    for (let each = element; each; each = each.parentElement) {
      const { backgroundColor, opacity } = getComputedStyle(each);
      chain.push([backgroundColor, Number(opacity)]);
    }
    return [[text.slice(0, 40), inSvg ? style.fill : style.color, chain]];
})"""


def rgba(text):
    """Red, green, blue and alpha, from 0 to 1, of a colour as a browser computes it."""
    numbers = [float(n) for n in re.findall(r"-?[\d.]+(?:e-?\d+)?", text.partition("(")[2])]
    scale = 1 if text.startswith("color(srgb") else 255
    assert text.startswith(("rgb", "color(srgb")), text
    return [n / scale for n in numbers[:3]], (numbers[3:] or [1.0])[0]


def over(top, alpha, below):
    return [alpha * t + (1 - alpha) * b for t, b in zip(top, below, strict=True)]


def luminance(colour):
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one, two):
    light, dark = sorted([luminance(one), luminance(two)], reverse=True)
    return (light + 0.05) / (dark + 0.05)


def text_contrast(colour, chain, page):
    """The contrast of a text with what is behind it; an opacity fades both into what is below."""
    behind = page
    for background, _ in reversed(chain):
        top, alpha = rgba(background)
        behind = over(top, alpha, behind)
    ink, alpha = rgba(colour)
    for _, opacity in chain:
        alpha *= opacity
    return contrast(over(ink, alpha, behind), behind)


def test_contrast_is_that_of_wcag():
    assert contrast([0, 0, 0], [1, 1, 1]) == pytest.approx(21)
    grey = [0x76 / 255] * 3  # the greyest text that may stand on white
    assert 4.5 <= contrast(grey, [1, 1, 1]) < 4.6
    half = text_contrast("rgb(0, 0, 0)", [("rgba(0, 0, 0, 0)", 0.5)], [1, 1, 1])
    assert half == pytest.approx(contrast([0.5] * 3, [1, 1, 1]))


@pytest.fixture(scope="module")
def board(tmp_path_factory):
    """Everything that has a colour: better, worse, failed, unranked, stale, not drawn."""
    folder = tmp_path_factory.mktemp("board")
    many = [
        entry_rows("dar", params={"span": s}, ratio=1 + s / 50, wobble=0.02) for s in range(14)
    ]
    worse = entry_rows("mhc", ratio=1.4, wobble=0.001)
    partly = entry_rows("mhc", (0, 1), lr=1e-3)
    stale = entry_rows("mhc", code="old", created="2031-04-01T10:00:00")
    crash = failed_row(toy_trial("ancre"), "crashed", "made up")
    groups = [*sweep_rows(), *many, worse, partly, stale, [crash]]
    render(folder, *groups, in_progress="1 of 36 trials")
    return folder / "index.html"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_text_can_be_read(board, opened, theme):
    with opened(board, color_scheme=theme) as page:
        page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
        scrolled(page, "s1-val_loss")
        scrolled(page, "s1-parallel")
        scrolled(page, "s1-cells")
        page.evaluate("document.querySelector('.unfinished')?.removeAttribute('hidden')")
        page.wait_for_timeout(300)
        white = [1.0, 1.0, 1.0] if theme == "light" else [0.0, 0.0, 0.0]
        found = page.evaluate(TEXTS)
    measured = [(text, text_contrast(ink, chain, white)) for text, ink, chain in found]
    assert len(measured) > 200
    assert [(text, round(value, 2)) for text, value in measured if value < LEAST] == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_numbers_can_be_read_on_the_cells_of_a_heat_map(board, opened, theme):
    with opened(board, color_scheme=theme) as page:
        scrolled(page, "s1-cells")
        label = page.locator("#s1-cells .heatmap-label text").first
        ink, _ = rgba(label.evaluate("(text) => getComputedStyle(text).fill"))
        ends = page.evaluate("BETTER_WORSE.map(([, colour]) => colour)")
    for end in ends:
        colour = [int(end[k : k + 2], 16) / 255 for k in (1, 3, 5)]
        assert contrast(ink, colour) >= LEAST, end


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_focus_is_seen_on_everything_that_takes_it(board, opened, theme):
    """Tab goes through the page; each stop has a name, and an outline apart from the page."""
    with opened(board, color_scheme=theme) as page:
        stops = []
        for _ in range(60):
            page.keyboard.press("Tab")
            stops.append(page.evaluate(FOCUSED))
    names = {name for name, *_ in stops}
    assert len(names) > 25 and "" not in names
    for name, style, width, outline, background in stops:
        assert style != "none" and float(width[:-2]) >= 1, name
        assert contrast(rgba(outline)[0], rgba(background)[0]) >= 3, name  # WCAG 2.2, 1.4.11


FOCUSED = """(() => {
    const at = document.activeElement, style = getComputedStyle(at);
    const label = at.getAttribute('aria-labelledby');
    const words = [at.ariaLabel, label && document.getElementById(label).textContent,
                   at.labels?.[0]?.textContent, at.title, at.textContent];
    const name = (words.find((text) => text?.trim()) ?? '').trim().slice(0, 60);
    return [name, style.outlineStyle, style.outlineWidth, style.outlineColor,
            getComputedStyle(document.body).backgroundColor];
})()"""
