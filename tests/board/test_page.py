import hashlib
import re
import subprocess
import sys
from html.parser import HTMLParser

import pytest
from PIL import Image

from darbench.board import cells
from darbench.board.build import build
from darbench.board.rank import rank
from darbench.errors import BadInput
from darbench.pages.inert import plotly_js
from darbench.pages.script import digest
from darbench.records.protocol import protocol
from darbench.records.settings import Evaluation
from darbench.store.declared import Declared
from darbench.store.ledger import append
from darbench.store.tables import load_results, to_frame
from tests.make.pages import EVIL, opened, render, sweep_rows
from tests.make.rows import BUDGET, entry_rows, failed_row, trial_rows
from tests.make.trials import toy_trial


class Parsed(HTMLParser):
    """Start tags with their attributes, and the text outside of scripts and styles."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.texts, self._inside = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self._inside.append(tag)

    def handle_endtag(self, tag):
        if self._inside and self._inside[-1] == tag:
            self._inside.pop()

    def handle_data(self, data):
        if not self._inside:
            self.texts.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("darbench sweep --load x.py --space y.yaml", "where x.py, y.yaml lie side by side."),
        ("darbench sweep --space y.yaml", "where y.yaml lies."),
        ("darbench sweep --space toy", None),
    ],
)
def test_a_command_says_where_it_runs(tmp_path, command, says):
    text = Parsed(render(tmp_path, *sweep_rows(), command=command)).text
    assert ("It runs in the folder" in text) == (says is not None)
    assert says is None or f"It runs in the folder {says}" in text


def test_everything_a_user_names_is_escaped(tmp_path):
    crash = failed_row(toy_trial("mhc", 0, label=EVIL), "crashed", EVIL)
    rows = entry_rows("dar", label=EVIL, params={"mode": EVIL})
    text = render(tmp_path, entry_rows("add"), rows, [crash], name=EVIL, in_progress=EVIL)
    parsed = Parsed(text)
    assert EVIL not in text and EVIL not in opened(text)
    assert EVIL in parsed.text and EVIL in Parsed(opened(text)).text
    images = [attrs for tag, attrs in parsed.tags if tag == "img"]
    assert images == []
    handlers = [key for _, attrs in parsed.tags for key in attrs if key.startswith("on")]
    assert handlers == []


def test_nothing_is_loaded_from_a_network(tmp_path):
    text = render(tmp_path, *sweep_rows())
    parsed = Parsed(text)
    for tag, attrs in parsed.tags:
        for key in ("src", "href", "srcset", "action", "data"):
            address = attrs.get(key) or "#"
            assert address.startswith(("#", "data:")), (tag, key, address)
    policies = [a["content"] for t, a in parsed.tags if a.get("http-equiv", "").startswith("Cont")]
    assert policies and "default-src 'none'" in policies[0] and "http" not in policies[0]
    styles = text[text.index("<style>") : text.index("</style>")]
    assert "url(" not in styles and "@import" not in styles
    assert "showSendToCloud: false" in text


def test_only_the_script_of_the_page_may_run(tmp_path):
    text = render(tmp_path, *sweep_rows())
    (policy,) = re.findall(r"script-src ([^;]*);", text)
    (running,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    assert policy == f"'{digest(running)}' blob:"


def test_plotly_comes_once_and_last_whatever_the_number_of_sections(tmp_path):
    one = render(tmp_path, *sweep_rows())
    two = render(tmp_path, *sweep_rows(), entry_rows("add", budget=BUDGET / 10, lr=1e-3))
    assert one.count(plotly_js()) == two.count(plotly_js()) == 1
    assert len(one) < 800_000 and len(two) - len(one) < 40_000
    assert len(two) - two.index(plotly_js()) - len(plotly_js()) < 100
    assert two.index("4.00 × 10¹² training") < two.index("4.00 × 10¹¹ training")
    assert plotly_js() not in render(tmp_path, in_progress="0 of 36 trials")


def test_the_table_says_what_the_leaderboard_says(tmp_path):
    parsed = Parsed(render(tmp_path, *sweep_rows()))
    for expected in ("FD(digits-cnn)", "−5.0 %", "3/3", "baseline", "these differ from"):
        assert expected in parsed.text, expected
    (table,) = [attrs for tag, attrs in parsed.tags if attrs.get("class") == "board ranking"]
    said = {attrs.get("id") for _, attrs in parsed.tags}
    assert {table["aria-labelledby"], table["aria-describedby"]} <= said
    assert ("th", {"scope": "row"}) in parsed.tags


def test_fid_is_said_of_inception_features_only(tmp_path):
    inception = [r for p in ("add", "dar") for r in entry_rows(p, extractor="inception-v3-compat")]
    heads = render(tmp_path, inception)
    assert "FID against add" in heads and "FD(inception" not in heads
    assert "FID against add" not in render(tmp_path, *sweep_rows())


def test_a_running_sweep_has_a_banner_and_reloads(tmp_path):
    running = render(tmp_path, entry_rows("add", (0,)), in_progress="1 of 36 trials")
    assert "1 of 36 trials" in running and 'http-equiv="refresh"' in running
    stopped = render(
        tmp_path, entry_rows("add", (0,)), in_progress="1 of 36 trials", interrupted=True
    )
    assert "Sweep interrupted:" in stopped and 'http-equiv="refresh"' not in stopped
    done = render(tmp_path, entry_rows("add", (0,)))
    assert 'http-equiv="refresh"' not in done and "1 of 1 entries complete" in done


def test_before_the_first_report_there_is_a_page(tmp_path):
    assert "No trial has reported yet" in render(tmp_path, in_progress="0 of 36 trials")


def test_an_incomplete_entry_is_shown_grey_and_unranked(tmp_path):
    text = render(tmp_path, entry_rows("add"), entry_rows("dar", (0, 1), ratio=0.5))
    parsed = Parsed(text)
    assert "incomplete 2/3" in parsed.text
    assert ("tr", {"class": "unranked"}) in parsed.tags
    assert "−50.0 %" in parsed.text and "no ranked variant differs" in parsed.text


def test_a_section_where_everything_failed(tmp_path):
    crashes = [failed_row(toy_trial("dar", p), "oom", "9 GB wanted") for p in range(2)]
    parsed = Parsed(render(tmp_path, crashes))
    assert "9 GB wanted" in parsed.text and "Nothing is ranked yet" in parsed.text


def coloured(parsed):
    kinds = [attrs.get("class", "") for tag, attrs in parsed.tags if tag == "td"]
    return [k.removeprefix("effect ") for k in kinds if k in ("effect better", "effect worse")]


def test_colour_is_of_the_metric_that_ranks_alone(tmp_path):
    parsed = Parsed(render(tmp_path, *sweep_rows()))
    assert coloured(parsed) == ["better"]
    assert parsed.text.count("p < 0.001") == 1


def test_text_colour_and_tiers_say_the_same(tmp_path):
    """dar and mhc differ from each other, and neither from the `add` that lies between them."""
    noisy = [(0.0, 0.004, -0.004, 0.002), (0.001, -0.003, 0.003, -0.002)]
    levels = {"dar": 0.995, "add": 1.0, "mhc": 1.005}
    groups = []
    for routing, level in levels.items():
        for seed, wobble in enumerate(noisy[routing == "add"]):
            trial = toy_trial(routing, seed)
            groups.append(trial_rows(trial, level=(1 + 0.1 * seed) * level * (1 + wobble)))
    frame = rank(to_frame(row for group in groups for row in group)).frame
    assert frame["tier"].max() > 1 and frame["val_loss_p_adjusted"].min() > 0.05
    parsed = Parsed(render(tmp_path, *groups))
    assert coloured(parsed) == []
    assert "no ranked variant differs from add in validation loss; those of other" in parsed.text
    alike = Parsed(render(tmp_path, entry_rows("add"), entry_rows("dar", wobble=0.01)))
    assert "no ranked variant differs from add in validation loss." in alike.text


def test_the_notes_say_what_a_tier_and_an_interval_are(tmp_path):
    text = Parsed(render(tmp_path, *sweep_rows(), entry_rows("mhc", wobble=0.01))).text
    assert "on these images" in text
    assert (
        "worse than the first of the current one at p < 0.017 (0.05 shared by all pairs of" in text
    )
    assert "the geometric mean ratio of validation loss to add over the seeds both have" in text


def test_the_protocol_says_what_fdr_and_class_accuracy_are_of(tmp_path):
    def shown(**measured):
        return Parsed(render(tmp_path, [row | measured for row in entry_rows("add")])).text

    text = shown(fdr=2.5, fdr_se=0.25, n_fdr=360, class_accuracy=0.91, val_class_accuracy=0.9875)
    assert "FDr at 360 images of either set" in text and "FDr fd over that" in text
    assert "class accuracy of held-out images 98.8 %" in text and "Class accuracy share of" in text
    text = shown(n_fdr=60)
    assert "FDr none: samples and held-out images of the same labels are 60" in text
    assert "class accuracy of held-out images none: its classifier learns pictures of" in text
    assert "FDr" not in shown()


def test_only_what_may_end_otherwise_is_offered_a_command(tmp_path):
    def again(*failed, **given):
        crashes = [failed_row(toy_trial("dar", i), s, "made up") for i, s in failed]
        text = render(tmp_path, entry_rows("add"), crashes, **given)
        return re.findall(r'<code id="s1-again\d+">(.*?)</code>', text), Parsed(text).text

    diverged, text = again((0, "diverged"))
    assert diverged == [] and "diverged 1 of 3" in text and "until" not in text
    assert again((0, "diverged"), (1, "crashed"))[0] == []  # it would have no rank all the same
    for status in ("crashed", "oom", "timeout"):
        commands, text = again((0, status))
        assert commands == ["darbench sweep --space toy"] and "incomplete 0/3" in text
    own = Declared().extended({toy_trial("dar").config_hash: [0, 1, 2]}, command="darbench mine")
    later = own.extended({toy_trial("add").config_hash: [0, 1, 2]}, command="darbench another")
    assert again((0, "oom"), declared=later)[0] == ["darbench mine"]


def test_a_page_without_a_complete_add_says_so(tmp_path):
    text = Parsed(render(tmp_path, entry_rows("dar"), entry_rows("mhc", ratio=0.5))).text
    assert "No add has finished all its seeds" in text and "differs from add in" not in text


def test_the_history_of_a_rank_is_told(tmp_path):
    dar = toy_trial("dar").config_hash
    declared = Declared(seeds={dar: [0, 1, 2]}, earlier={dar: {"2031-05-01T12:00:00": [0, 1]}})
    old = entry_rows("dar", code="old", created="2031-04-01T10:00:00")
    page = render(tmp_path, entry_rows("add"), entry_rows("dar"), old, declared=declared)
    text, details = Parsed(page).text, Parsed(opened(page)).text
    assert "1 earlier version, first ranked at 2 seeds, looked at again once" in text
    assert "after 1 earlier version " in details
    assert "at 2 seeds, looked at again 1 time with more" in details


def test_several_baselines_are_told_apart(tmp_path):
    other = [*entry_rows("add", lr=1e-3), *entry_rows("dar", lr=1e-3, ratio=0.5, wobble=0.001)]
    text = Parsed(render(tmp_path, *sweep_rows(), other)).text
    first, second = (f"add · {toy_trial('add', lr=lr).config_hash[:6]}" for lr in (6e-3, 1e-3))
    assert f"ratio of validation loss to {first} over" in text and f"against {first}" not in text
    assert f"against {second} score 0.5000" in text and "−50.0 %" in text
    assert "against add ·" not in Parsed(render(tmp_path, *sweep_rows())).text


def test_samples_are_of_the_lowest_seed_that_most_variants_have(tmp_path):
    samples = tmp_path / "samples"
    samples.mkdir()
    pictures = [("add", 0, 10), ("add", 1, 20), ("dar", 1, 30), ("add", 2, 40), ("dar", 2, 50)]
    for routing, pair, grey in pictures:
        params = {"span": 4} if routing == "dar" else {}
        trial = toy_trial(routing, pair, params=params)
        Image.new("L", (4, 4), grey).save(samples / f"{trial.id}.png")
    parsed = Parsed(render(tmp_path, *sweep_rows()))
    shown = [attrs for tag, attrs in parsed.tags if tag == "img"]
    assert [image["alt"] for image in shown] == ["Samples of dar", "Samples of add"]
    wanted = [toy_trial("dar", 1, params={"span": 4}), toy_trial("add", 1)]
    assert [i["src"] for i in shown] == [cells.picture(samples / f"{t.id}.png") for t in wanted]
    assert all(image["loading"] == "lazy" for image in shown)


def test_pictures_that_do_not_fit_lie_beside_the_page(tmp_path, monkeypatch):
    (tmp_path / "samples").mkdir()
    for routing, params in (("add", {}), ("dar", {"span": 4})):
        path = tmp_path / "samples" / f"{toy_trial(routing, 0, params=params).id}.png"
        Image.effect_noise((40, 40), 90).save(path)
    both = render(tmp_path, *sweep_rows())
    assert both.count("data:image/png") == 2 and "beside this file, and each" not in both
    monkeypatch.setattr("darbench.board.page.ROOM", 4000)
    text = render(tmp_path, *sweep_rows())
    assert text.count("data:image/png") == 1 and 'alt="Samples of dar"' in text
    assert "the 1 leading" in text and "of the other 1 lie beside this file" in text
    assert f"samples/{path.name}" not in opened(text)  # that of dar, which leads
    assert f"samples/{toy_trial('add', 0).id}.png" in opened(text)


def test_the_same_rows_make_the_same_page(tmp_path):
    rows = [*entry_rows("add"), *entry_rows("dar", ratio=0.9)]
    first = render(tmp_path / "a", rows)
    second = render(tmp_path / "b", rows[::-1])
    digests = {hashlib.sha256(text.encode()).hexdigest() for text in (first, second)}
    assert len(digests) == 1


def test_labels_that_occur_twice_are_told_apart(tmp_path):
    text = render(tmp_path, *(entry_rows("dar", label="d", params={"span": s}) for s in (2, 4)))
    for span in (2, 4):
        assert f"d · {toy_trial('dar', params={'span': span}).config_hash[:6]}" in text


def facts(text):
    """name -> value of each card of the page, in order."""
    cards = re.findall(r'<dl class="card">(.*?)</dl>', text, re.DOTALL)
    return [dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", card)) for card in cards]


def test_the_card_holds_the_protocol_name_by_name(tmp_path):
    (card,) = facts(render(tmp_path, *sweep_rows()))
    wanted = {name: str(value) for name, value in protocol(toy_trial()).items()}
    assert wanted.items() <= card.items()
    assert card.keys() - wanted.keys() == {
        "reference images",
        "budget, training FLOPs",
        "training.steps",
        "training.checkpoints",
        "training.schedule",
    }
    assert card["training.checkpoints"] == "0.25, 0.5, 1.0"
    assert card["training.schedule"] == "constant"
    assert card["budget, training FLOPs"] == "4.00 × 10¹²"


def test_a_section_whose_rate_falls_says_what_its_earlier_points_are(tmp_path):
    says = "an earlier point is part of a longer training, and not what a shorter one would reach"
    assert says not in Parsed(render(tmp_path, *sweep_rows())).text
    text = render(tmp_path, entry_rows("add", schedule="linear"), entry_rows("dar"))
    (card,) = facts(text)
    assert says in Parsed(text).text and card["training.schedule"] == "linear or constant"


def test_routers_that_died_are_told_by_seed(tmp_path):
    dying = [row | {"routing_dead_share": 0.5} for row in entry_rows("dar", (0, 2))]
    living = [row | {"routing_dead_share": 0.49} for row in entry_rows("dar", (1,))]
    text = Parsed(opened(render(tmp_path, entry_rows("add"), dying, living))).text
    assert "dead router in seed 0, 2" in text and "Dead are steps after the first" in text
    assert "dead router in every seed" in Parsed(render(tmp_path, entry_rows("add"), dying)).text
    assert "dead router" not in Parsed(render(tmp_path, entry_rows("add"), living)).text


def test_sections_of_a_task_say_which_facts_differ(tmp_path):
    euler = Evaluation(sampler="euler")
    text = render(tmp_path, *sweep_rows(), entry_rows("add", evaluation=euler, budget=BUDGET / 10))
    full, quick = facts(text)
    assert full.keys() == quick.keys()
    differing = {name for name in full if full[name] != quick[name]}
    assert differing == {"evaluation.sampler", "budget, training FLOPs"}
    told = {name for name, value in quick.items() if "differs between sections" in value}
    assert told == differing
    contents = text[text.index("<nav") : text.index("</nav>")]
    assert "evaluation.sampler heun" in contents and "evaluation.sampler euler" in contents
    assert "evaluation.sampler_steps" not in contents and "budget," not in contents


def test_facts_are_escaped_and_rows_without_any_are_shown(tmp_path):
    text = render(tmp_path, entry_rows("add", data=EVIL))
    assert EVIL not in text and EVIL in Parsed(text).text
    old = render(tmp_path, [row | {"protocol_json": None} for row in entry_rows("add")])
    assert "older than the record" in Parsed(old).text
    assert "older than the record" not in Parsed(text).text


def test_build_makes_the_table_and_the_page_from_the_ledger(tmp_path):
    for row in (row for group in sweep_rows() for row in group):
        append(tmp_path / "toy" / "ledger" / "worker.jsonl", row)
    path = build("toy", tmp_path)
    assert path == tmp_path / "toy" / "index.html"
    text = path.read_text(encoding="utf-8")
    assert "darbench train" in opened(text) and "darbench sweep" not in opened(
        text
    )  # whose command is not known
    assert load_results("toy", tmp_path).height == 18
    left = sorted(p.name for p in path.parent.iterdir())
    assert left == ["index.html", "ledger", "results.parquet"]
    with pytest.raises(BadInput, match="run the sweep that writes there first"):
        build("other", tmp_path)


def test_a_board_is_built_without_torch():
    code = "import sys, darbench.board.build; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
