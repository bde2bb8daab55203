import os
from itertools import product

import pytest

from darbench import registry
from darbench.errors import BadInput
from darbench.records.settings import Repa
from darbench.search.files import cards, spaces_folder, tasks_folder
from darbench.search.load import load_space
from darbench.trial.check import check
from tests.make.spaces import HEAD, load, write

SIGNATURES = registry.signatures()


def shipped(*overrides, **keywords):
    return load_space("dar_forms", overrides, SIGNATURES, **keywords)


def test_the_shipped_space_covers_the_field_on_five_seeds():
    space = shipped()
    routings = {entry.signature.name for entry in space.entries}
    assert {"add", "denseformer", "hyper", "dar"} <= routings
    assert space.seeds == (0, 1, 2, 3, 4) and space.sampler == "grid"
    assert {e.fixed.get("dynamic") for e in space.entries if e.signature.name == "hyper"} == {
        True,
        False,
    }
    assert sum(entry.signature.name == "dar" for entry in space.entries) >= 6


def test_the_shipped_space_with_alignment_has_dars_form_with_it_beside_its_other_form():
    space = load_space("repa", [], SIGNATURES)
    aligned = Repa(layer=4, coefficient=0.5, norm=False, encoder="digits-cnn")
    assert (space.ground.training.objective, space.ground.training.repa) == ("repa", aligned)
    found = [c.variant for c in space.grid()]
    assert found[0].routing == "add" and {v.routing for v in found[1:]} == {"dar"}
    forms = {(v.params["query"], v.params["final"]) for v in found[1:]}
    assert forms == set(product(("static_t", "dynamic"), ("reuse_last", "dedicated")))
    assert all((v.params["history"], v.params["span"]) == ("chunk_last", 4) for v in found[1:])
    for configuration in space.grid():
        check(configuration.trial(0, "confirm"))
    other = load_space("repa", ["task=shapes-nano"], SIGNATURES).ground
    assert other.training.repa.encoder == "shapes-cnn"


@pytest.mark.parametrize("name", cards(spaces_folder()))
def test_every_shipped_space_composes(name):
    assert load_space(name, [], SIGNATURES).name == name


@pytest.mark.parametrize("task", cards(tasks_folder()))
def test_every_task_has_a_quick_form(task, monkeypatch):
    monkeypatch.setattr("darbench.search.resolve.find_data", lambda task: {})  # nor any data
    whole, quick = shipped(f"task={task}"), shipped(f"task={task}", quick=True)
    assert quick.ground.training.steps < whole.ground.training.steps
    assert quick.ground.evaluation.fd_from <= quick.ground.training.checkpoints[-2]
    assert whole.ground.evaluation.diagnose and not quick.ground.evaluation.diagnose


def test_overrides_in_hydras_syntax():
    space = shipped("training.steps=200", "seeds=[0,1]", "model.size=S", "task.rank_by=fd")
    assert space.ground.training.steps == 200 and space.seeds == (0, 1)
    assert (space.ground.model.width, space.ground.task.rank_by) == (384, "fd")
    assert shipped("training={steps: 3}").ground.training.steps == 3


def test_an_override_reaches_into_a_variant():
    space = shipped("variants.4.params.span=8", "+variants.0.label=base")
    assert space.entries[4].fixed["span"] == 8
    assert space.entries[0].name == "base"


def test_quick_stands_for_the_tasks_own_overrides_and_given_ones_win():
    quick = shipped("training.steps=7", quick=True)
    assert quick.ground.training.steps == 7
    assert quick.seeds == shipped(quick=True).seeds == (0,)


@pytest.mark.parametrize(
    "name", ["sweep.yaml", "task.yaml", "my.space.yaml", "with space/ü #%?=/eq=1 ,@.yaml"]
)
def test_a_file_of_ones_own_lies_anywhere_under_any_name(tmp_path, name):
    path = write(tmp_path, "name: mine\nvariants: [{routing: add}]", name)
    assert load_space(path, ["training.steps=9"], SIGNATURES).ground.training.steps == 9


def test_a_relative_path_is_one_of_the_current_folder(tmp_path, monkeypatch):
    write(tmp_path, "variants: [{routing: add}]", "sweep.yaml")
    monkeypatch.chdir(tmp_path)
    assert load_space("sweep.yaml", [], SIGNATURES).name == "sweep"
    assert load_space("./sweep.yaml", [], SIGNATURES).name == "sweep"
    assert os.getcwd() == str(tmp_path)


def test_a_task_of_ones_own_lies_beside_the_space(tmp_path):
    card = (tasks_folder() / "digits-nano.yaml").read_text()
    (tmp_path / "task").mkdir()
    (tmp_path / "task" / "mine.yaml").write_text(card.replace("digits-nano", "mine"))
    path = write(tmp_path, "variants: [{routing: add}]")
    assert load_space(path, ["task=mine"], SIGNATURES).ground.task.name == "mine"


BAD_OVERRIDES = {
    "traning.steps=4": "unknown override key 'traning.steps'; did you mean training.steps",
    "training.step=4": "unknown override key 'training.step'; did you mean training.steps",
    "foo=1": "unknown override key 'foo'; known: ",
    "+x=1": "unknown key 'x'",
    "+training.x=1": "unknown key 'training.x'",
    "~training": "training is missing",
    "~training.steps": "~training.steps",
    "~task": "no task; add `- task: digits-nano`",
    "=3": "write KEY=VALUE",
    "training.steps": "write KEY=VALUE",
    "x y": "write KEY=VALUE",
    "": "write KEY=VALUE",
    "name=ü": "goes in quotes",
    "training.steps=1,2": "for a list write training.steps=[1,2]",
    "training.steps=abc": "training.steps=abc: Value 'abc' of type 'str' could not be converted",
    "training.steps=4.5": "could not be converted to Integer",
    "training.steps=null": "training.steps=null",
    "training.steps=-4": "training.steps=-4: must be at least 1",
    "training.steps=0": "training.steps=0: must be at least 1",
    "training.lr=inf": "training.lr=inf: must be finite",
    "training.lr=nan": "training.lr=nan: must be finite",
    "training.lr=-1": "training.lr=-1.0: must be positive",
    "training.ema=1": "training.ema=1.0: must be in [0, 1)",
    "training.timeout_s=0": "must be positive",
    "training.checkpoints=[0.5]": "increasing, in (0, 1], the last 1.0",
    "training.checkpoints=[]": "increasing, in (0, 1], the last 1.0",
    "training=null": "training=null",
    "training=5": "training=5",
    "evaluation.sampler=eule": "must be one of euler, heun, adaptive, euler_maruyama, heun_sde",
    "evaluation.sampler_steps=0": "must be at least 1",
    "evaluation.sde.form=linear": "must be euler_maruyama or heun_sde where evaluation.sde is set",
    "evaluation.sde.frm=linear": "did you mean evaluation.sde.form",
    "training.objective=repo": "must be one of velocity, noise, score, data, repa",
    "training.path=linear": "must be one of Linear, GVP, VP",
    "training.weighting=likelihood": "none unless the objective is noise",
    "training.repa.layer=3": "must be repa where training.repa is set",
    "training.repa=null": "training.repa=null",
    "evaluation.grid=999999": "between 0 and n_gen",
    "model.size=nan": "unknown model size 'nan'; did you mean nano",
    "seeds=[]": "seeds=[]: must be distinct, at least one",
    "seeds=[1,1]": "seeds=[1, 1]: must be distinct",
    "seeds=[-1]": "between 0 and 9223372036854775807",
    "seeds=[99999999999999999999]": "between 0 and 9223372036854775807",
    "seeds=[a]": "seeds=[a]: Value 'a'",
    "seeds=3": "seeds=3: ",
    "sampler=tp": "unknown sampler 'tp'; did you mean tpe",
    "task=digits": "unknown task 'digits'; did you mean digits-nano",
    "task=": "unknown task ''; known: burden-photos-1, burden-photos-1_2, ",
    "task.rank_by=fid": "unknown metric task.rank_by: 'fid'; did you mean fd",
    "darbench=x": "no 'darbench: x' to build on",
    "variants=[]": "the space has no variants",
    "variants=3": "variants=3",
    "variants.99.routing=add": "list index out of range",
    "variants.0.routing=dra": "variants[0]: unknown routing 'dra'; did you mean dar",
    "variants.0.params.span=3": "to add it, write +variants.0.params.span=",
    "name=../x": "names a folder",
    "name=a/b": "names a folder",
    "name=.": "names a folder",
    "summary=${foo}": "Interpolation key 'foo' not found",
}


@pytest.mark.parametrize("override", BAD_OVERRIDES)
def test_a_bad_override_is_one_helpful_line(override):
    with pytest.raises(BadInput) as refused:
        shipped(override)
    assert BAD_OVERRIDES[override] in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["trials=0"], "trials=0: must be at least 1"),
        (["confirm.top=-1"], "confirm.top 0 or more"),
        (["confirm.seeds=[1000]"], "seeds that picked a winner never rank it"),
    ],
)
def test_a_study_is_checked_too(overrides, said):
    with pytest.raises(BadInput, match=said):
        shipped("sampler=tpe", *overrides)


BAD_FILES = {
    "variants: [{routing: add]\n": r"mine\.yaml:2:\d+: malformed YAML: ",
    "variants:\n\t- routing: add\n": r"mine\.yaml:3:1: malformed YAML: .*'\\t'",
    "seeds: [1]\nseeds: [2]\nvariants: [{routing: add}]\n": r":3:1: malformed YAML: .*duplicate",
    "summary: !mine x\nvariants: [{routing: add}]\n": r":2:\d+: malformed YAML: .*!mine",
    "---\na: 1\n": r"malformed YAML: but found another document",
    "variants: [{routing: add}]\ntraning: {steps: 4}\n": "unknown key 'traning'; did you mean",
    "variants: [{routing: add}]\ntraining: {steps: x}\n": "training.steps: Value 'x' of type",
    "variants: [{routing: add}]\ntraining: {steps: -3}\n": "training.steps=-3: must be at least 1",
    "variants: [{routing: add}]\nsummary: ${nowhere}\n": "Interpolation key 'nowhere' not found",
    "variants:\n": "variants",
    "seeds: [0]\n": "the space has no variants",
    "variants: [{routing: add}, {routing: add}]\n": "'add' stands there twice",
}


@pytest.mark.parametrize("text", BAD_FILES)
def test_a_bad_file_is_one_line_that_says_where(tmp_path, text):
    with pytest.raises(BadInput, match=BAD_FILES[text]) as refused:
        load(tmp_path, text)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("text", ["", "[1, 2]", "just text", "variants: [{routing: add}]"])
def test_a_file_without_the_schema_says_how_to_start(tmp_path, text):
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(BadInput, match=r"start it with `.*`") as refused:
        load_space(str(tmp_path / "mine.yaml"), [], SIGNATURES)
    advice = str(refused.value).split("`")[1]
    assert advice + "\n" == HEAD


def test_a_file_that_is_not_there_or_not_text_or_not_yaml(tmp_path):
    with pytest.raises(BadInput, match=f"no search space file at {tmp_path}/no.yaml"):
        load_space(f"{tmp_path}/no.yaml", [], SIGNATURES)
    (tmp_path / "latin.yaml").write_bytes(b"summary: \xfc\n")
    with pytest.raises(BadInput, match="cannot be read"):
        load_space(f"{tmp_path}/latin.yaml", [], SIGNATURES)
    with pytest.raises(BadInput, match=r"must end in \.yaml"):
        load_space(write(tmp_path, "", "mine.yml"), [], SIGNATURES)


@pytest.mark.parametrize("name", ["dar_variant", "", ".", "DAR"])
def test_an_unknown_space_names_the_known_ones(name):
    known = r"dar_variants(, field, regimes, repa, symptoms)?\??( \(or|;|$)"
    with pytest.raises(BadInput, match=known):
        load_space(name, [], SIGNATURES)


def test_composing_leaves_no_state_behind(tmp_path):
    before = shipped("training.steps=3")
    with pytest.raises(BadInput):
        shipped("training.steps=x")
    load(tmp_path, "variants: [{routing: add}]")
    assert shipped("training.steps=3") == before
