import json
import pickle
import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from darbench.data import load
from darbench.model import sit as trunk
from darbench.records.settings import Evaluation
from darbench.registry import ROUTINGS
from darbench.routing.add import Add
from darbench.trial import audit, batches, generate, train
from darbench.trial.audit import VALUES, Audit, Digest, thinned, trunk_audit
from tests.make.models import sit
from tests.make.trials import TINY, tiny_trial

BUILT_IN = [n for n, c in ROUTINGS.items() if c.__module__.startswith("darbench.")]
TRAINING = ("audit_data", "audit_noise")
EVERY = ("audit_init", *TRAINING, "audit_generation")


def small(routing="add", pair_id=0, **changes):
    return tiny_trial(routing, pair_id=pair_id, steps=4, fd_from=0.5, **changes)


def of_rows(rows):
    """Collect the audits of every checkpoint by name, those of the training steps by step too."""
    found = {}
    for row in rows:
        found |= {name: row[name] for name in ("audit_init", "audit_generation")}
        found |= {(name, row["audit_step"]): row[name] for name in TRAINING}
    return found


def audits(trial):
    """Make the audits of a trial without its scores, which decide nothing of what it sees."""
    run, rows = train.Run(trial, "cpu"), []
    for step in range(1, run.checkpoints[-1] + 1):
        run.step(step)
        if step in run.checkpoints:
            generated = run.evaluator.samples(run.learner.ema).audit
            rows.append({**run.audit.columns, "audit_generation": generated})
    return of_rows(rows)


@pytest.fixture(scope="module")
def add():
    """The audits in the rows of a whole trial."""
    return of_rows(report.measured for report in train.train(small()))


def differing(one, two):
    """Names of the audits that two trials have in common and that differ."""
    names = {
        key if isinstance(key, str) else key[0]
        for key in one.keys() & two.keys()
        if one[key] != two[key]
    }
    assert one.keys() & two.keys() >= {"audit_init", "audit_generation", ("audit_data", 2)}
    return names


@pytest.mark.parametrize("routing", BUILT_IN)
def test_every_routing_of_a_pair_id_sees_the_same(routing, add):
    assert differing(audits(small(routing)), add) == set()


def test_trials_of_another_pair_id_see_all_else_and_the_same_among_themselves(add):
    one, other = (audits(small(routing, pair_id=1)) for routing in ("add", "dar"))
    assert differing(one, add) == set(EVERY)
    assert differing(one, other) == set()


def test_a_checkpoint_has_the_audit_of_the_last_power_of_two(add):
    steps = {key[1] for key in add if isinstance(key, tuple)}
    assert steps == {2, 4}
    run = train.Run(tiny_trial(steps=7), "cpu")
    sealed = []
    for step in range(1, 8):
        run.step(step)
        sealed.append(run.audit.columns["audit_step"])
    assert sealed == [1, 2, 2, 4, 4, 4, 4]
    assert run.audit.columns["audit_data"] == add["audit_data", 4]


def test_an_audit_saved_in_the_middle_of_a_trial_goes_on_to_the_same_digests():
    run = train.Run(tiny_trial(steps=7), "cpu")
    batches = {step: run.batches(step) for step in range(1, 9)}
    whole = Audit.begin(run.learner.model)
    for step, batch in batches.items():
        whole.add(step, *batch)
    for stop in range(8):
        first = Audit.begin(run.learner.model)
        for step in range(1, stop + 1):
            first.add(step, *batches[step])
        saved = json.dumps(first.state())
        assert len(saved) < 400
        second = Audit.from_state(json.loads(saved))
        for step in range(stop + 1, 9):
            second.add(step, *batches[step])
        assert second == whole and second.columns["audit_step"] == 8
        assert json.dumps(first.state()) == saved


def test_a_digest_is_of_every_step_before_it_and_of_their_order():
    run = train.Run(tiny_trial(steps=7), "cpu")
    one, two, three, four = (run.batches(step) for step in (1, 2, 3, 4))

    def digests(*batches):
        found = Audit.begin(run.learner.model)
        for step, batch in enumerate(batches, start=1):
            found.add(step, *batch)
        return found.data, found.noise

    wanted = digests(one, two, three, four)
    for others in ((four, two, three, one), (one, three, two, four), (one, one, three, four)):
        assert all(a != b for a, b in zip(digests(*others), wanted, strict=True))
    with pytest.raises(AssertionError, match="step 3 after step 1"):
        resumed = Audit.begin(run.learner.model)
        resumed.add(1, *one)
        resumed.add(3, *three)


def test_another_process_with_two_threads_sees_the_same(add):
    code = (
        "import sys, json, pickle, torch; torch.set_num_threads(2)\n"
        "from darbench.trial.train import train\n"
        "trial = pickle.loads(bytes.fromhex(sys.argv[1]))\n"
        "print(json.dumps([dict(report.measured) for report in train(trial)]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, pickle.dumps(small("dar")).hex()],
        capture_output=True,
        text=True,
        check=True,
    )
    for row in json.loads(done.stdout):
        for name in ("audit_init", "audit_generation"):
            assert row[name] == add[name]
        for name in TRAINING:
            assert row[name] == add[name, row["audit_step"]]


# The hashes are of what was used


def test_the_hash_is_of_the_sequence_and_not_of_its_pieces():
    data = load("digits")
    whole, parts = Digest(), Digest()
    x1, label = data.train(0, range(1400, 1500))  # across the end of an epoch
    whole.add(x1=x1, label=label)
    for start in range(1400, 1500, 30):
        x1, label = data.train(0, range(start, min(start + 30, 1500)))
        parts.add(label=label)
        parts.add(x1=x1)
    assert parts.hexdigest() == whole.hexdigest()
    parts.add(label=label[:1])
    assert parts.hexdigest() != whole.hexdigest()


def test_every_value_of_a_batch_counts():
    torch.manual_seed(0)
    x1, x0 = torch.randn(2, 4, 1, 8, 8)
    batch = {"x1": x1, "label": torch.arange(4), "x0": x0, "t": torch.rand(4)}

    def columns(**changes):
        found = Audit.begin(sit())
        found.add(1, **batch | changes)
        return {name: found.columns[name] for name in TRAINING}

    for name, of in (("x1", 0), ("label", 0), ("x0", 1), ("t", 1)):
        for index in (0, -1):
            changed = batch[name].clone()
            changed.view(-1)[index] += 1
            moved = columns(**{name: changed})
            differs = [moved[key] != columns()[key] for key in TRAINING]
            assert differs == [of == 0, of == 1], name
    assert columns(x1=batch["x1"].flip(0))["audit_data"] != columns()["audit_data"]


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 16, 16), (4, 32, 32), (3, 64, 64), (1, 16, 16)])
def test_large_items_are_thinned_evenly_over_their_columns(shape):
    *_, width = shape
    items = torch.arange(width).expand(5, *shape).float()
    kept = thinned(items)
    assert kept.shape[0] == 5 and kept.shape[1] <= VALUES
    counts = torch.stack([(kept[0] == column).sum() for column in range(width)])
    assert counts.max() - counts.min() <= 1
    if items[0].numel() <= VALUES:
        assert torch.equal(kept, items.flatten(1))


@pytest.mark.parametrize("sampler", ["euler", "euler_maruyama"])
def test_generation_is_hashed_alike_in_any_internal_batch(monkeypatch, sampler):
    model, data = sit(depth=1, channels=1, classes=10), load("digits")
    evaluation = Evaluation(n_gen=40, grid=0, sampler=sampler, sampler_steps=3)

    def found(seed=0, **changes):
        return generate.generate(model, data, replace(evaluation, **changes), seed, "cpu").audit

    whole = found()
    for batch in (7, 40, 64):
        monkeypatch.setattr(generate, "SAMPLE_BATCH", batch)
        assert found() == whole
    assert found(n_gen=41) != whole
    assert found(seed=1) != whole


def test_the_noise_of_every_stochastic_step_is_hashed(monkeypatch):
    model, data = sit(depth=1, channels=1, classes=10), load("digits")
    evaluation = Evaluation(n_gen=8, grid=0, sampler="euler_maruyama", sampler_steps=3)
    plain = generate.normal_per_index
    whole = generate.generate(model, data, evaluation, 0, "cpu").audit
    monkeypatch.setattr(
        generate,
        "normal_per_index",
        lambda seed, name, *rest: plain(seed + (name == "sample/1"), name, *rest),
    )
    assert generate.generate(model, data, evaluation, 0, "cpu").audit != whole


def test_trunks_of_one_backbone_are_hashed_alike_and_others_apart():
    same = {trunk_audit(sit((name, {}))) for name in BUILT_IN}
    assert len(same) == 1
    others = [trunk_audit(sit(**c)) for c in ({"seed": 1}, {"width": 32}, {"zero_t_embed": True})]
    assert len({*same, *others}) == 4


# What breaks the pairing shows


def of_a_consumer():
    """The audits of a routing that draws from the global generator at every read."""

    def read(self, state, site):
        torch.rand(1)
        return state

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Add, "read", read)
        return audits(small())


def test_a_routing_that_draws_from_the_global_generator_moves_nothing(add):
    assert differing(of_a_consumer(), add) == set()


def test_batches_from_the_global_generator_are_found_out(monkeypatch):
    """Then a routing that draws from it moves them."""
    plain = batches.Batches.__call__

    def call(self, step):
        x1, label, x0, t = plain(self, step)
        return x1, label, torch.randn(x0.shape), t

    monkeypatch.setattr(batches.Batches, "__call__", call)
    torch.manual_seed(0)
    one = audits(small())
    torch.manual_seed(0)
    assert differing(audits(small()), one) == set()
    torch.manual_seed(0)
    assert differing(of_a_consumer(), one) == {"audit_noise"}


def test_another_order_of_the_data_is_found_out(monkeypatch, add):
    order = type(load("digits")).order
    monkeypatch.setattr(
        type(load("digits")), "order", lambda self, seed, p: order(self, seed, p)[::-1].copy()
    )
    assert differing(audits(small()), add) == {"audit_data"}


def test_another_dropout_of_labels_is_found_out(add):
    assert differing(audits(small(label_dropout=0.5)), add) == {"audit_data"}


def test_a_trunk_that_starts_elsewhere_is_found_out(monkeypatch, add):
    plain = trunk.initialise

    def initialise(model, seed, zero_t_embed):
        plain(model, seed, zero_t_embed)
        with torch.no_grad():
            next(p for n, p in model.named_parameters() if n.endswith("fc1.weight"))[0, 0] += 1e-6

    monkeypatch.setattr(trunk, "initialise", initialise)
    assert differing(audits(small()), add) == {"audit_init"}


def test_generation_noise_of_a_batch_is_found_out(monkeypatch, add):
    """Keyed by the place in the batch, as where each device seeds its own generator."""
    plain = generate.normal_per_index
    monkeypatch.setattr(generate, "SAMPLE_BATCH", 40)
    monkeypatch.setattr(
        generate,
        "normal_per_index",
        lambda seed, name, indices, shape: plain(seed, name, range(len(indices)), shape),
    )
    assert differing(audits(small()), add) == {"audit_generation"}


def test_no_audit_of_generation_where_nothing_was_generated():
    first, last = train.train(tiny_trial())
    assert "audit_generation" not in first.measured and "audit_generation" in last.measured


def test_audits_are_of_the_backbone_that_was_built():
    deeper = audits(small(model=replace(TINY, depth=3)))
    assert differing(deeper, audits(small())) == {"audit_init"}
    assert (
        audit.trunk_audit(train.Run(small(), "cpu").learner.model) == audits(small())["audit_init"]
    )
