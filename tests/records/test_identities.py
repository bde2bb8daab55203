"""Identities as they were recorded. What moves one makes results run again: it is done on purpose.

- A trial id or configuration hash that moved makes every result of the kind unfindable: give a new
  setting a default that `identity` leaves out, or a task a new version, and record nothing here.
- A protocol hash moves with every rule of measurement (RULES, a constant of rules.py, the data or
  the weights that ship): then old and new results are never ranked together. Record the new hash.
- A source hash moves with the code of a routing or of what it uses, and its results become stale;
  with its words it does not. Record the new hash if the code was changed on purpose.
- A row hash is of what was measured. It moves with a new column only where that is filled.
"""

from dataclasses import replace

import pytest

from darbench.records.protocol import protocol_hash
from darbench.records.schema import make_row
from darbench.records.settings import Evaluation, Model, Repa, Stochastic, Task, Training
from darbench.records.trial import Report, Trial, Variant
from darbench.registry import ROUTINGS

PLAIN = Trial(
    task=Task(name="toy", data="digits", extractor="digits-cnn", rank_by="val_loss"),
    model=Model(depth=2, width=8, heads=2),
    training=Training(),
    evaluation=Evaluation(),
    variant=Variant(routing="add", label="add"),
    pair_id=3,
)
TRIALS = {
    "plain": PLAIN,
    "another routing": replace(
        PLAIN, variant=Variant(routing="dar", params={"query": "static", "span": 2})
    ),
    "stochastic": replace(
        PLAIN,
        training=Training(path="GVP", objective="score", weighting="velocity", micro_batch=4),
        evaluation=Evaluation(sampler="heun_sde", sde=Stochastic(form="linear"), redraws=1),
    ),
    "aligned": replace(
        PLAIN, training=Training(objective="repa", repa=Repa(encoder="digits-cnn", layer=2))
    ),
    "data of files": replace(
        PLAIN, task=replace(PLAIN.task, data="cifar10", data_path="here", fingerprint="f0")
    ),
}
RECORDED = {
    "plain": ("0e6bba53680f7e37", "67e9c90b4f68fd7a", "3952944a1ae53999"),
    "another routing": ("877cd0e1563feb1b", "fd6f741f1c4fb1f9", "3952944a1ae53999"),
    "stochastic": ("37b7c2517570baf9", "8646194ec9dfc6ac", "08cc01ba814f4e73"),
    "aligned": ("89e62d7a7941e3fb", "57d149a9eec2f424", "3952944a1ae53999"),
    "data of files": ("f8c70b466f7e48c6", "5cf2ea3fb6c99447", "401fb66d7f433b39"),
}
SOURCES = {
    "add": "6c3bdbd3d015748c",
    "attnres": "632987f03f468ddd",
    "dar": "eb16315ff42e0d90",
    "deepnorm": "7c522b90010c429d",
    "delta_attnres": "74b4bbb7d11863de",
    "denseformer": "ad10b68c856a8779",
    "highway": "7030ae9d2349bf72",
    "hyper": "9f1e913892175d93",
    "layerscale": "1dca3d130ee8e280",
    "mgr": "c048431fcf3af2e2",
    "mhc": "9ced5746fbd47bad",
    "mudd": "37c444ea8fbc0274",
    "mvsplit": "e90136ebce1f8ebb",
    "rezero": "33f3aa3ea939a04a",
    "siamese": "c728de3c41d1d296",
    "static_scalars": "356c490b97497e46",
    "unet": "3dc6a202f03155ce",
}


@pytest.mark.parametrize("name", TRIALS)
def test_trials_and_protocols_keep_their_hashes(name):
    trial = TRIALS[name]
    assert (trial.id, trial.config_hash, protocol_hash(trial)) == RECORDED[name], __doc__


def test_routings_keep_their_source_hashes():
    built_in = {n for n, cls in ROUTINGS.items() if cls.__module__.startswith("darbench.")}
    assert {name: ROUTINGS.source_hash(name) for name in sorted(built_in)} == SOURCES, __doc__


def test_a_row_keeps_its_hash():
    measured = {"val_loss": 0.5, "val_loss_bins": [0.4, 0.6], "fd": None, "n_gen": 64}
    report = Report(step=5, final=True, measured=measured)
    row = make_row(PLAIN, report, {"torch": "2"}, leaderboard="board", attempt=1)
    assert row["row_hash"] == "d9db3a50608e10e9", __doc__
