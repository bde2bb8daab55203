"""What docs/findings.md says is what the rows in leaderboards/published/ say."""

import re
from pathlib import Path

import pytest

import darbench
from darbench.board.build import build
from darbench.board.rank import sections
from darbench.commands.import_ import import_
from darbench.store import declared

ROOT = Path(__file__).parents[1]
PUBLISHED = sorted((ROOT / "leaderboards" / "published").glob("*.zip"))
PAGE = (ROOT / "docs" / "findings.md").read_text()
NAMES = {  # in the document: label
    "`static_scalars`": "static_scalars",
    "DenseFormer": "denseformer",
    "DAR static, full history": "dar static full",
    "DAR static_t, full history": "dar static_t full",
    "`unet`": "unet",
    "AttnRes": "attnres",
    "DAR dynamic, full history": "dar dynamic full",
    "hyper-connections, dynamic, n = 4": "hyper dynamic n=4",
    "control: `add`, a time-dependent skip": "add with a time skip",
    "control: `add` as large as `unet`": "add as large as unet",
    "control: `add` as dear as DAR dynamic": "add as dear as dar dynamic full",
    "control: gates one_plus": "add with gates one_plus",
}


@pytest.mark.parametrize("file", PUBLISHED, ids=lambda file: file.stem)
def test_what_is_published_can_be_imported(file, tmp_path):
    name = import_(file, tmp_path)["name"]
    build(name, tmp_path)
    assert len(darbench.load_results(name, tmp_path)) > 20


def test_effects_on_digits_are_those_of_the_rows(tmp_path):
    name = import_(ROOT / "leaderboards" / "published" / "field-digits.zip", tmp_path)["name"]
    build(name, tmp_path)
    boards = sections(darbench.load_results(name, tmp_path), declared.read(tmp_path / name))
    (own,) = (each for each in boards if each.tuned)
    (alike,) = (each for each in boards if not each.tuned)
    part = PAGE.partition("`digits-nano`\n")[2].partition("\n- ")[0]
    lines = [re.split(r" *\| *", line)[1:-1] for line in part.splitlines() if line[:2] == "| "]
    found = {NAMES[cells[0]]: cells[1:] for cells in lines if cells[0] in NAMES}
    assert {*found} == {*NAMES.values()}
    for label, (loss, p, fd, at_one_rate, p_at_one) in found.items():
        for board, said, p_said in ((own, loss, p), (alike, at_one_rate, p_at_one)):
            row = next(row for row in board.rows if row.label.partition(" [lr=")[0] == label)
            standing = row.metrics["val_loss"]
            assert numbers(said) == shown(standing, numbers(said))
            if p_said:
                assert float(p_said) == pytest.approx(standing.p_adjusted, rel=0.2)
        row = next(row for row in own.rows if row.label.partition(" [lr=")[0] == label)
        assert numbers(fd) == shown(row.metrics["fd"], numbers(fd))


def numbers(text):
    return [float(number) for number in re.findall(r"[-+]?\d+(?:\.\d+)?", text.replace("*", ""))]


def shown(standing, like):
    """The effect and its interval in percent, rounded as the document has them."""
    values = [100 * each for each in (standing.effect, standing.low, standing.high)]
    whole = all(number == int(number) for number in like)
    return pytest.approx(values, abs=0.51 if whole else 0.051)
