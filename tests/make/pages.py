"""Pages of rows, written as a sweep writes them, and what they carry unpacked."""

import base64
import gzip
import json
import math
import re

import numpy as np

from darbench.board import page
from darbench.board.rank import sections
from darbench.store.declared import Declared
from darbench.store.tables import to_frame
from tests.make.rows import entry_rows

FURTHER = {
    "fd_inf": 17.25,
    "fd_inf_se": 0.5,
    "kid_se": 0.002,
    "fdr": 2.5,
    "fdr_se": 0.25,
    "nn_distance_ratio": 0.9876,
    "train_seconds": 12.5,
    "peak_mem_bytes": 1_500_000_000,
    "block_cosine": 0.875,
    "probe_r2_early": 0.625,
}
EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>"
# The ratio of a dar to its add, by span, query and rate; the last cell of the two is empty.
DARS = {
    (span, query, lr): 0.9 + 0.02 * math.log2(span) + 0.05 * (query == "static") + 5 * lr
    for span in (2, 4, 8)
    for query in ("static", "dynamic")
    for lr in (3e-3, 6e-3)
    if (span, query) != (8, "dynamic")
}


def render(
    tmp_path, *groups, name="toy", command="darbench sweep --space toy", declared=None, **state
):
    frame = to_frame(row for group in groups for row in group)
    boards = sections(frame, declared or Declared())
    samples = tmp_path / "samples"
    path = page.write_page(name, boards, tmp_path, samples, command=command, **state)
    return path.read_text(encoding="utf-8")


def sweep_rows():
    return (entry_rows("add"), entry_rows("dar", ratio=0.95, wobble=0.001, params={"span": 4}))


def varied(**of_dar):
    """Rows of entries that vary parameters of two routings, and the rate."""
    dars = [
        entry_rows("dar", params={"span": s, "query": q}, lr=lr, ratio=ratio, **of_dar)
        for (s, q, lr), ratio in DARS.items()
    ]
    hyper = [entry_rows("hyper", params={"streams": s}, ratio=1 + s / 100) for s in (2, 4)]
    return [entry_rows("add"), entry_rows("add", lr=3e-3), *dars, *hyper]


def anchor(trial, section="s1"):
    """The anchor of the entry that a trial belongs to."""
    return f"{section}-e{trial.config_hash[:10]}{trial.code_hash[:6]}"


def inert(text):
    """The inert elements of a page, unpacked, by id."""
    found = re.findall(r'<script type="text/plain" id="(.*?)">(.*?)</script>', text)
    return {name: unpacked(code) for name, code in found}


def unpacked(code):
    return gzip.decompress(decoded(code))


def decoded(code):
    return base64.b85decode(code.translate(str.maketrans(",./", "<>&")))


def numbers(planes):
    """float64, of which the first bytes of all are written, then the second ones."""
    return np.frombuffer(planes, np.uint8).reshape(8, -1).T.copy().view("<f8").ravel()


def opened(text):
    """The page as it is once every entry is opened."""
    parts = [part for name, part in inert(text).items() if name.endswith("-entries")]
    details = {anchor: html for part in parts for anchor, html in json.loads(part).items()}
    for anchor, html in details.items():
        start = text.index(f'<details id="{anchor}"')
        end = text.index("</details>", start)
        text = text[:end] + html + text[end:]
    return text


def scrolled(page, name):
    """The figure, scrolled to and drawn by plotly, or by the page itself."""
    plot = page.locator(f"#{name}")
    plot.scroll_into_view_if_needed()
    plot.locator(".main-svg, .parallel").first.wait_for()
    return plot


def measured():
    """The rows of a sweep in which more was measured."""
    return [[row | FURTHER for row in group] for group in sweep_rows()]


def headings(page):
    """The headings of the ranking that are seen."""
    return page.locator(".ranking thead th:visible").all_inner_texts()


def cells_of(page, place):
    """Heading -> text of what is seen of a row."""
    seen = "row => [...row.cells].filter((c) => !c.hidden).map((c) => c.innerText.trim())"
    texts = page.locator(f".ranking tbody tr:nth-child({place})").evaluate(seen)
    return dict(zip(headings(page), texts, strict=True))
