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
    "add": "6d348fcef8247003",
    "attnres": "28bc235365dd2bfd",
    "dar": "7eb1b3ff9876afd0",
    "deepnorm": "c34e52dbcb1ac43a",
    "delta_attnres": "25d61fba1ad8f11d",
    "denseformer": "082860c9fc303e0a",
    "highway": "6b338f9b0ca668b5",
    "hyper": "07b827268d44dffc",
    "layerscale": "3269fd8d514c4f0e",
    "mgr": "98c324604a571668",
    "mhc": "b12ce7b9c59563c2",
    "mudd": "ae89b72c6e20bd21",
    "mvsplit": "8bee6082be65a30b",
    "rezero": "05c3fc789f0c21cd",
    "siamese": "9de8fb93337a474b",
    "static_scalars": "9a42ba24c58d3d82",
    "unet": "e016437a85fd0512",
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
