"""One page over many leaderboards, built by the command and opened in a browser."""

import json

import pytest

from darbench.store.ledger import append
from tests.make.pages import EVIL
from tests.make.rows import entry_rows

RATIOS = {"add": 1.0, "dar": 0.9, "mhc": 1.1, "unet": 1.2, "hyper": 0.95}


def written(folder, task, ratios, **keywords):
    for routing, ratio in ratios.items():
        for row in entry_rows(routing, ratio=ratio, wobble=0.001, **keywords):
            config = json.loads(row["config_json"])
            config["task"]["name"] = task
            named = {"task": task, "config_json": json.dumps(config)}
            append(folder / "ledger" / "a.jsonl", row | named)


@pytest.fixture
def out(tmp_path):
    turned = RATIOS | {"dar": 1.3}
    written(tmp_path / "here", "toy", RATIOS)
    written(tmp_path / "published" / "a b&c", "other", turned)
    written(tmp_path / "few", "third", {"add": 1.0, "dar": 0.8})
    return tmp_path


def test_it_lists_sections_and_what_goes_over(out, run, opened):
    code, said, _ = run("board", "--index", "--out", str(out))
    assert code == 0 and str(out / "index.html") in said
    with opened(out / "index.html") as page:
        sections, pairs = page.locator("table").all()
        rows = sections.locator("tbody tr").all_inner_texts()
        assert len(rows) == 3
        (here,) = (row for row in rows if "here" in row)
        assert "dar" in here and "−10.0 %" in here and "5 of 5" in here
        assert pairs.locator("tbody tr").count() == 1  # of the third task too little is shared
        # Of ten pairs the four with dar stand the other way round.
        assert "+0.20" in pairs.inner_text() and pairs.locator("td").last.inner_text() == "5"
        link = page.get_by_role("link", name="other").first.get_attribute("href")
        assert link == "published/a%20b%26c/index.html#s1"


@pytest.mark.parametrize("words", [[], ["--index", "--space", "here"]])
def test_it_is_one_or_the_other(out, run, words):
    code, _, err = run("board", "--out", str(out), *words)
    assert code == 2 and "either --space NAME, or --index" in err


def test_without_leaderboards_it_says_how_to_get_one(tmp_path, run):
    code, _, err = run("board", "--index", "--out", str(tmp_path))
    assert code == 2 and "run one first" in err and not (tmp_path / "index.html").exists()


def test_no_name_runs(tmp_path, run, opened):
    written(tmp_path / "x<b>y", EVIL, RATIOS, label=EVIL)
    run("board", "--index", "--out", str(tmp_path))
    with opened(tmp_path / "index.html", color_scheme="dark") as page:
        assert page.locator("script, img, b").count() == 0
        assert "<script>alert" in page.locator("tbody").first.inner_text()


def test_it_fits_a_telephone(out, run, opened):
    run("board", "--index", "--out", str(out))
    with opened(out / "index.html", viewport={"width": 360, "height": 700}) as page:
        assert page.evaluate("document.documentElement.scrollWidth") == 360
