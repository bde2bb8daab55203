from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from darbench.data import kind, load
from darbench.errors import BadInput
from darbench.metrics.extractors.extractor import extractor
from darbench.records.settings import Repa
from darbench.registry import ROUTINGS
from darbench.trial.build import build_model
from darbench.trial.check import check, check_scores
from tests.make.trials import DIGITS, TINY, tiny_trial
from tests.trial import held, reached
from tests.trial import test_conduct as conduct

aligned = partial(Repa, encoder="digits-cnn")  # as a composed task has it


def test_a_good_trial_passes_the_check():
    check(tiny_trial("dar", fd_from=0.5))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": replace(TINY, patch=3)}, "patch=3"),
        ({"fd_from": 1.0}, r"fd_from=1.0: must be at most 0.5, the last checkpoint but one"),
        ({"n_gen": 63, "fd_from": 0.5}, "evaluation.n_gen=63: must be at least 64"),
        ({"guidance": 2.0, "label_dropout": 0.0}, "guidance=2.0: needs training.label_dropout"),
        ({"routing": "dra"}, "unknown routing 'dra'"),
        ({"routing": "dar", "params": {"span": 0}}, "span=0"),
    ],
)
def test_a_trial_that_cannot_run_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        check(tiny_trial(**change))


def test_a_layer_that_the_model_lacks_is_refused_before_training():
    with pytest.raises(ValueError, match="layer=3: must be between 1 and the depth, 2"):
        check(tiny_trial(fd_from=0.5, objective="repa", repa=aligned(layer=3)))


def test_images_must_be_square():
    data = load("digits")
    wide = replace(data, train_images=np.zeros((4, 8, 6, 1), np.uint8))
    with pytest.raises(ValueError, match="must be square, not 8x6"):
        build_model("add", {}, TINY, wide, seed=0)


def test_an_extractor_that_reads_other_pictures_is_refused():
    trial = replace(tiny_trial(fd_from=0.5), task=replace(DIGITS, data="shapes"))
    with pytest.raises(ValueError, match=r"task.extractor=digits-cnn: reads images of 8 x 8, sha"):
        check(trial)


def test_no_data_are_loaded_and_no_features_extracted(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("the check of a trial reads no data")

    monkeypatch.setattr("darbench.trial.check.load", refuse)
    monkeypatch.setattr("darbench.metrics.extractors.extractor.extract", refuse)
    monkeypatch.setattr("darbench.metrics.extractors.extractor.extractor", refuse)
    check(tiny_trial(fd_from=0.5))


def test_fewer_reference_images_than_features_are_refused():
    few = replace(kind("digits"), n_references=63)
    with pytest.raises(ValueError, match=r"needs 64 reference images at least.*digits has 63"):
        check_scores(tiny_trial(fd_from=0.5), few)


def test_an_extractor_without_its_weights_is_refused(monkeypatch, tmp_path):
    monkeypatch.setenv("DARBENCH_INCEPTION", str(tmp_path / "none.pth"))
    trial = replace(tiny_trial(fd_from=0.5), task=replace(DIGITS, extractor="inception-v3-compat"))
    with pytest.raises(ValueError, match=r"no InceptionV3 weights at .*none.pth"):
        check(trial)


@pytest.mark.parametrize(
    ("cls", "message"),
    [
        (held.Counter, r"routing Counter: self\.held is changed by training"),
        (reached.Global, r"routing Global: COUNT of reached\.py is changed by training"),
        (held.PlainTensor, r"routing PlainTensor: self\.held is changed by training"),
        (conduct.Constructor, r"LOG of test_conduct\.py is changed by building it"),
        (conduct.noise(np.random.random), "numpy is drawn from"),
    ],
    ids=["counter", "global", "tensor", "constructor", "numpy"],
)
def test_state_that_nothing_evaluates_is_refused_before_training(monkeypatch, cls, message):
    ROUTINGS.names()
    monkeypatch.setitem(ROUTINGS._made, cls.__name__, cls)
    with pytest.raises(BadInput, match=message):
        check(tiny_trial(cls.__name__, fd_from=0.5))


@pytest.mark.parametrize("cls", [conduct.BnRead, conduct.DropPath])
def test_buffers_and_draws_from_torch_may_train(monkeypatch, cls):
    ROUTINGS.names()
    monkeypatch.setitem(ROUTINGS._made, cls.__name__, cls)
    check(tiny_trial(cls.__name__, fd_from=0.5))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("efficientnet-lite1",), "did you mean efficientnet-lite0"),
        (("digits-cnn",), "fdr_extractors=digits-cnn: is the task's own"),
        (("efficientnet-lite0",), "must be at least 320"),
        (("inception-v3-compat",), "no InceptionV3 weights"),
    ],
)
def test_further_extractors_must_be_there_and_have_enough_pictures(names, message, monkeypatch):
    monkeypatch.setenv("DARBENCH_INCEPTION", "/nowhere")
    extractor.cache_clear()
    with pytest.raises(ValueError, match=message):
        check(tiny_trial(fd_from=0.5, fdr_extractors=names))


def test_fdr_in_further_features_takes_more_pictures_than_features():
    with pytest.raises(ValueError, match="takes more than 64 generated and held-out pictures"):
        check(tiny_trial(fd_from=0.5, n_gen=64, fdr_extractors=("shapes-cnn",)))
    check(tiny_trial(fd_from=0.5, n_gen=65, fdr_extractors=("shapes-cnn",)))
    with pytest.raises(ValueError, match="of different names"):
        tiny_trial(fdr_extractors=("shapes-cnn", "shapes-cnn"))
